"""The driver of an ``HttpBridge``."""

import asyncio
import math
from typing import ClassVar

from channels import counters, timings
from channels.interface.connections import Connection, Services
from channels.interface.door import client_name
from channels.interface.effects import ToLayer
from channels.interface.http import DISCONNECT, REQUEST, HttpBridge
from channels.interface.reports import Reporter
from channels.interface.states import RequestState
from channels.types import Event, Receive, Scope, Send

WATCH_SECONDS = 0.5
"""When to begin to look whether the client is still there: most requests are answered before it is worth a task."""

_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


def _closing(start: Event, scope: Scope) -> Event:
    """Return ``start`` with the header that ends a connection which could carry further requests."""
    if not str(scope.get("http_version", "")).startswith("1"):
        return start
    return {**start, "headers": [*start["headers"], (b"connection", b"close")]}


class HttpConnection(Connection):
    """One HTTP request and its response.

    Args:
        scope, send: As the server called the application.
        services: Shared with other connections.
    """

    bridge: HttpBridge
    gone: ClassVar[Event] = {"type": "http.disconnect"}

    def __init__(self, scope: Scope, send: Send, services: Services) -> None:
        bridge = HttpBridge(
            scope, services.router.new_channel("http.response"), services.limits, services.layer.new_channel
        )
        super().__init__(bridge, Reporter(send, bridge, services).give, services, scope)
        self._began = self._loop.time()
        self._due = math.inf
        self._body_bytes = 0
        self._receive: Receive | None = None
        self._ahead: asyncio.Future[Event] | None = None

    async def run(self, receive: Receive) -> None:
        """Serve until the response is complete or nobody wants it."""
        self._receive = receive
        try:
            await super().run(receive)
        finally:
            if self._ahead is not None:
                self._ahead.cancel()

    @property
    def stays(self) -> bool:
        return self.bridge.state is RequestState.ANSWERING  # For a response that has not begun there is a timeout.

    def dismiss(self, reason: str) -> None:
        if self.stays:
            counters.add(f"http.aborted.{reason}")
            self.abandon()

    async def _begin(self, receive: Receive) -> None:
        if any(name in _BODY_HEADERS for name, _ in self._scope.get("headers", ())):
            self._start_reading()
            return
        # Mostly this is all there is to read, and a task for it would cost more than the rest of the request.
        await self._read_one(receive)
        if self.bridge.wants_body:
            self._start_reading()

    def _start_reading(self) -> None:
        if self._reader is None and self._receive is not None and not self.bridge.finished:
            self._reader = self._loop.create_task(self._read(self._receive))

    def _set_timer(self) -> None:
        deadline = self.bridge.deadline
        self._due = math.inf if deadline is None else self._loop.time() + deadline
        if self._reader is None:
            deadline = WATCH_SECONDS if deadline is None else min(deadline, WATCH_SECONDS)
        self._timer.set(deadline)

    def _expired(self) -> None:
        left = self._due - self._loop.time()
        if left <= 0:
            super()._expired()
            return
        self._start_reading()
        self._timer.set(None if left == math.inf else left)

    def _to_client(self, event: Event) -> None:
        if self._services.door.is_draining and event["type"] == "http.response.start":
            event = _closing(event, self._scope)
        self._body_bytes += len(event.get("body", b""))
        super()._to_client(event)

    async def _next_event(self, receive: Receive) -> Event:
        ahead, self._ahead = self._ahead, None
        event = await (receive() if ahead is None else ahead)
        if self._reader is not None:
            self._set_timer()
        return event

    def _is_farewell(self, effect: ToLayer) -> bool:
        return effect.channel == DISCONNECT or bool(effect.content.get("closed"))

    def _say_farewell(self, effect: ToLayer) -> None:
        if effect.channel == DISCONNECT:
            self._services.farewells.add_once(effect)
        else:
            self._services.farewells.add(effect)

    def _patience(self, effect: ToLayer) -> float:
        # A part of a body waits until its reader is ready, the client is gone or the time is up.
        return 0.0 if effect.channel == REQUEST else math.inf

    async def _pause(self, seconds: float) -> None:
        """Pause, and look out for the client: it may give up while its body waits."""
        if self._ahead is None and self._receive is not None:
            self._ahead = asyncio.ensure_future(self._read_ahead(self._receive))
        if self._ahead is None or self._ahead.done():
            await asyncio.sleep(seconds)
            return
        await asyncio.wait({self._ahead}, timeout=seconds)
        if self._ahead.done() and not self._ahead.cancelled() and self._ahead.result()["type"] != "http.request":
            self.abandon()

    async def _read_ahead(self, receive: Receive) -> Event:
        return await receive()

    def _ended(self) -> None:
        if self._trace is not None:
            self._trace.settled("answered" if self.bridge.status else "client went away", self.bridge.status)
        if self.bridge.status is None:
            return
        family = f"{self.bridge.status // 100}xx"
        took = self._loop.time() - self._began
        counters.add(f"http.answered.{family}")
        timings.add(timings.REQUEST, family, took)
        query = self._scope.get("query_string", b"").decode("latin-1")
        details = {
            "path": f"{self._scope['path']}?{query}" if query else self._scope["path"],
            "status": self.bridge.status,
            "method": self._scope["method"].upper(),
            "client": client_name(self._scope),
            "time_taken": took,
            "size": self._body_bytes,
        }
        self._services.log_action("http", "complete", details)
