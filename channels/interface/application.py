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


@dataclasses.dataclass(slots=True)
class _LoopState:
    """What there is for one event loop.

    Attributes:
        services: What its connections share.
        keepers: What looks after all of them; begins with the first.
    """

    services: Services
    keepers: list[Drain | Upkeep] = dataclasses.field(default_factory=list)


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
        self._loops: dict[asyncio.AbstractEventLoop, _LoopState] = {}
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
        state = self._loops.get(asyncio.get_running_loop())
        if state is None or not state.keepers:
            state = self._begin()
        return state.services

    def _begin(self) -> _LoopState:
        """Take up the first connection of the running loop."""
        state = self._get_ready()
        state.keepers = [Upkeep(state.services)]
        if self.limits.drain_seconds is not None:
            # Not before: some servers set up signals when the lifespan has begun (granian).
            state.keepers.append(Drain(state.services))
        for keeper in state.keepers:
            keeper.start()
        return state

    def _get_ready(self) -> _LoopState:
        """Return what there is for the running loop; it is made if it is not there yet."""
        loop = asyncio.get_running_loop()
        state = self._loops.get(loop)
        if state is not None:
            return state
        state = _LoopState(self._make_services())
        with self._lock:
            # Servers without lifespan events never say that a loop has ended.
            self._loops = {old: kept for old, kept in self._loops.items() if not old.is_closed()}
            self._loops[loop] = state
            on_start, self._on_start = self._on_start, None
        if on_start is not None:
            on_start(self)
        return state

    def _make_services(self) -> Services:
        farewells = Farewells(self.layer, self.limits.disconnect_patience)
        return Services(
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

    @property
    def is_serving(self) -> bool:
        """Whether it has begun to serve, and has not been closed."""
        return bool(self._loops)

    @property
    def connection_count(self) -> int:
        """How many connections are open."""
        return sum(len(state.services.router.connections()) for state in list(self._loops.values()))

    @property
    def reply_prefixes(self) -> list[str]:
        """The queues on which replies for its connections arrive."""
        return [prefix for state in list(self._loops.values()) for prefix in state.services.router.prefixes]

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            event = await receive()
            if event["type"] == "lifespan.startup":
                self._get_ready().services.router.start()
                await send({"type": "lifespan.startup.complete"})
            elif event["type"] == "lifespan.shutdown":
                await self.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def close(self) -> None:
        """Send what is still waiting and let go of what the running event loop holds."""
        loop = asyncio.get_running_loop()
        for keeper in self._loops[loop].keepers if loop in self._loops else ():
            await keeper.stop()
        state = self._loops.pop(loop, None)
        if state is None:
            return
        services = state.services
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
        for state in self._loops.values():
            batch = state.services.take_last_words()
            try:
                outcomes = self.layer.send_batch(batch) if batch else []
            except Exception as error:
                outcomes = [error] * len(batch)
            lost = sum(outcome is not None for outcome in outcomes)
            if lost:
                counters.add("interface.dropped.disconnect", lost)
                logger.warning("%d messages about ended connections are dropped: the process ends.", lost)


async def _tell(send: Send, effects: Effects) -> None:
    try:
        for effect in effects:
            if isinstance(effect, ToClient):
                await send(effect.event)
    except Exception as error:
        # Some servers raise when the client has gone; whoever floods the site must not fill its log with tracebacks.
        counters.add("interface.dropped.gone")
        logger.debug("A refusal did not reach its client: %r", error)


def _at_exit(reference: "weakref.ref[ChannelsApplication]") -> None:
    application = reference()
    if application is not None:
        application.say_last_words()
