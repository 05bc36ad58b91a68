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
from collections.abc import Callable
from typing import Any

from channels import counters
from channels.interface.connections import Services
from channels.interface.door import Door
from channels.interface.drain import Drain
from channels.interface.effects import Effects, ToClient
from channels.interface.farewells import Farewells
from channels.interface.limits import Limits
from channels.interface.pages import denial, error_page
from channels.interface.replies import ReplyRouter
from channels.interface.reports import answer_probe, tell_unwanted
from channels.interface.requests import HttpConnection
from channels.interface.sockets import WebsocketConnection
from channels.interface.upkeep import Upkeep
from channels.layers.foreign import make_asynchronous
from channels.layers.upkeep import upkeep_of
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
        on_start: Called with this application once, when it begins to serve.
    """

    def __init__(
        self,
        layer: Any,
        limits: Limits | None = None,
        action_logger: ActionLogger | None = None,
        on_start: "Callable[[ChannelsApplication], None] | None" = None,
    ) -> None:
        layer = make_asynchronous(layer)
        limits = limits or Limits()
        if not limits.websocket_timeout and upkeep_of(layer) is None:
            # Memberships of groups end then, and a socket that outlives them would fall silent.
            limits = dataclasses.replace(limits, websocket_timeout=layer.group_expiry)
        self.layer = layer
        self.limits = limits
        self.action_logger = action_logger
        self._on_start = on_start
        self._services: dict[asyncio.AbstractEventLoop, Services] = {}
        self._in_use: dict[asyncio.AbstractEventLoop, Services] = {}
        self._keepers: dict[asyncio.AbstractEventLoop, list[Drain | Upkeep]] = {}
        self._lock = threading.Lock()
        atexit.register(_at_exit, weakref.ref(self))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection.

        Raises:
            ValueError: The scope is of a type that this application does not serve.
        """
        kind = scope["type"]
        if kind == "http":
            await self._serve_request(scope, receive, send)
        elif kind == "websocket":
            await self._serve_socket(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        else:
            raise ValueError(f"Scopes of type {kind!r} are not served here; http, websocket and lifespan are.")

    async def _serve_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        services = self._shared()
        refusal = services.door.request(scope)
        if refusal is None:
            await HttpConnection(scope, send, services).run(receive)
        else:
            await _tell(send, error_page(refusal.status, refusal.text))

    async def _serve_socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        services = self._shared()
        refusal = services.door.socket(scope)
        if refusal is None:
            try:
                await WebsocketConnection(scope, send, services).run(receive)
            finally:
                services.door.leave(scope)
        elif (await receive())["type"] == "websocket.connect":
            await _tell(send, denial(scope, refusal.status, refusal.text))

    def _shared(self) -> Services:
        """Return what the connections of the running loop share."""
        loop = asyncio.get_running_loop()
        services = self._in_use.get(loop)
        return self._begin(loop) if services is None else services

    def _begin(self, loop: asyncio.AbstractEventLoop) -> Services:
        """Take up the first connection of ``loop``."""
        services = self._services.get(loop) or self._make_services(loop)
        keepers: list[Drain | Upkeep] = [Upkeep(services)]
        if self.limits.drain_seconds is not None:
            # Not before: some servers set up signals when the lifespan has begun (granian).
            keepers.append(Drain(services))
        with self._lock:
            self._in_use = {old: kept for old, kept in self._in_use.items() if not old.is_closed()}
            self._in_use[loop] = services
            self._keepers = {old: kept for old, kept in self._keepers.items() if not old.is_closed()}
            self._keepers[loop] = keepers
        for keeper in keepers:
            keeper.start()
        return services

    def _make_services(self, loop: asyncio.AbstractEventLoop) -> Services:
        farewells = Farewells(self.layer, self.limits.disconnect_patience)
        services = Services(
            layer=self.layer,
            limits=self.limits,
            router=ReplyRouter(
                self.layer,
                functools.partial(tell_unwanted, farewells),
                functools.partial(answer_probe, farewells),
            ),
            farewells=farewells,
            door=Door(self.limits),
            action_logger=self.action_logger,
        )
        with self._lock:
            # Servers without lifespan events never say that a loop has ended.
            self._services = {old: kept for old, kept in self._services.items() if not old.is_closed()}
            self._services[loop] = services
            on_start, self._on_start = self._on_start, None
        if on_start is not None:
            on_start(self)
        return services

    @property
    def is_serving(self) -> bool:
        """Whether it has begun to serve, and has not been closed."""
        return bool(self._services)

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return sum(len(services.router.connections()) for services in list(self._services.values()))

    @property
    def reply_prefixes(self) -> list[str]:
        """The queues on which replies for its connections arrive."""
        return [prefix for services in list(self._services.values()) for prefix in services.router.prefixes]

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                loop = asyncio.get_running_loop()
                (self._services.get(loop) or self._make_services(loop)).router.start()
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def close(self) -> None:
        """Send what is still waiting and let go of what the running event loop holds."""
        loop = asyncio.get_running_loop()
        for keeper in self._keepers.pop(loop, ()):
            await keeper.stop()
        self._in_use.pop(loop, None)
        services = self._services.pop(loop, None)
        if services is not None:
            # Some servers end without a word to their connections (granian).
            for connection in services.router.connections():
                connection.dismiss("stop")
                connection.abandon()
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


async def _tell(send: Send, effects: Effects) -> None:
    for effect in effects:
        if isinstance(effect, ToClient):
            await send(effect.event)


def _at_exit(reference: "weakref.ref[ChannelsApplication]") -> None:
    application = reference()
    if application is not None:
        application.say_last_words()
