"""The ASGI-3 application that stands between any server and a channel layer.

It makes the drivers of connections and owns what they share; the rules of each protocol are in its bridge
(``http``, ``websocket``), the waiting in its driver (``requests``, ``sockets``).
"""

import asyncio
import atexit
import dataclasses
import functools
import logging
import threading
import weakref
from typing import Any

from channels import counters
from channels.interface.connections import Services
from channels.interface.farewells import Farewells
from channels.interface.foreign import make_asynchronous
from channels.interface.limits import Limits
from channels.interface.replies import ReplyRouter
from channels.interface.reports import tell_unwanted
from channels.interface.requests import HttpConnection
from channels.interface.sockets import WebsocketConnection
from channels.types import ActionLogger, Receive, Scope, Send

logger = logging.getLogger("django.channels.interface")

__all__ = ["ChannelsApplication", "Limits"]

SHUTDOWN_SECONDS = 5.0
"""How long the end of the server waits for messages about ended connections to find room."""


class ChannelsApplication:
    """Turns connections into messages on ``layer``, and messages on their reply channels into what clients see.

    Runs on asyncio; one object serves any number of event loops.

    Args:
        layer: A channel layer. One without the ``a``-methods of ours works, in threads and more slowly.
        limits: Durations and sizes.
        action_logger: Called for each thing an operator may want to see: ``("http", "complete", details)`` with
            path, status, method, client, time_taken (seconds) and size (bytes of body), and ``("websocket",
            action, details)`` with path and client, where action is connecting, connected, rejected or
            disconnected. ``client`` is ``"host:port"`` or None.
    """

    def __init__(self, layer: Any, limits: Limits | None = None, action_logger: ActionLogger | None = None) -> None:
        layer = make_asynchronous(layer)
        limits = limits or Limits()
        if not limits.websocket_timeout:
            # Memberships of groups end then, and a socket that outlives them would fall silent.
            limits = dataclasses.replace(limits, websocket_timeout=layer.group_expiry)
        self.layer = layer
        self.limits = limits
        self.action_logger = action_logger
        self._services: dict[asyncio.AbstractEventLoop, Services] = {}
        self._lock = threading.Lock()
        atexit.register(_at_exit, weakref.ref(self))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            ValueError: The scope is of a type that this application does not serve.
        """
        kind = scope["type"]
        if kind == "http":
            await HttpConnection(scope, send, self._shared()).run(receive)
        elif kind == "websocket":
            await WebsocketConnection(scope, send, self._shared()).run(receive)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise ValueError(f"Scopes of type {kind!r} are not served here; http, websocket and lifespan are.")

    def _shared(self) -> Services:
        loop = asyncio.get_running_loop()
        services = self._services.get(loop)
        return self._make_services(loop) if services is None else services

    def _make_services(self, loop: asyncio.AbstractEventLoop) -> Services:
        farewells = Farewells(self.layer, self.limits.disconnect_patience)
        services = Services(
            layer=self.layer,
            limits=self.limits,
            router=ReplyRouter(self.layer, functools.partial(tell_unwanted, farewells)),
            farewells=farewells,
            action_logger=self.action_logger,
        )
        with self._lock:
            # Servers without lifespan events never say that a loop has ended.
            self._services = {old: kept for old, kept in self._services.items() if not old.is_closed()}
            self._services[loop] = services
        return services

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def close(self) -> None:
        """Send what is still waiting and let go of what the running event loop holds."""
        services = self._services.pop(asyncio.get_running_loop(), None)
        if services is not None:
            await services.farewells.stop(SHUTDOWN_SECONDS)
            await services.router.stop()
            await self.layer.aclose()

    def say_last_words(self) -> None:
        """Tell consumers of all connections that are still open, without an event loop.

        For the end of a process whose server stopped without a word to its applications, as daphne does.
        """
        for services in self._services.values():
            batch = services.take_last_words()
            try:
                outcomes = self.layer.send_batch(batch) if batch else []
            except Exception as error:
                outcomes = [error] * len(batch)
            lost = sum(outcome is not None for outcome in outcomes)
            if lost:
                counters.add("interface.dropped.disconnect", lost)
                logger.warning("%d messages about ended connections are dropped: the process ends.", lost)


def _at_exit(reference: "weakref.ref[ChannelsApplication]") -> None:
    application = reference()
    if application is not None:
        application.say_last_words()
