"""The way from one connection to its client: events in order, without waiting where the server does not wait.

A server's ``send`` mostly hands bytes to a transport and returns; it suspends when the client reads too slowly.
So nothing here is a task or a queue until that happens. What piles up meanwhile is bounded.
"""

import asyncio
import logging
import sys
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from channels import counters
from channels.interface.limits import Limits, seconds_or_none
from channels.types import Event, Send

logger = logging.getLogger("django.channels.interface")


if sys.version_info >= (3, 12):

    def _start(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # Runs at once, up to the first real suspension: mostly to the end, without a turn of the loop.
        return asyncio.Task(coroutine, loop=loop, eager_start=True)

else:

    def _start(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return loop.create_task(coroutine)


def _size(event: Event) -> int:
    return len(event.get("text") or event.get("bytes") or event.get("body") or b"")


def _nothing() -> None:
    """Stand in for callbacks of an outbox that is closed."""


class Outbox:
    """Hands events to a server, in order.

    Args:
        send: The ASGI-3 callable of the connection.
        limits: Bytes that may wait here, and seconds for which nothing may be taken.
        on_idle: Called when everything given so far has been handed over, unless ``put`` did so itself.
        on_failure: Called once if no more can be: ``send`` raised, or a limit is passed.
    """

    def __init__(self, send: Send, limits: Limits, on_idle: Callable[[], None], on_failure: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._send = send
        self._limit = limits.backlog_bytes
        self._patience = seconds_or_none(limits.backlog_seconds)
        self._on_idle = on_idle
        self._on_failure = on_failure
        self._events: deque[Event] = deque()
        self._waiting_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._draining = False
        self._failed = False
        self._handed_over = 0
        self._seen = -1
        self._since = 0.0

    @property
    def idle(self) -> bool:
        """Whether everything has been handed over, or never will be."""
        return not self._draining

    def put(self, event: Event) -> None:
        """Hand ``event`` to the server after everything given before it. Must not be called after ``close``."""
        if self._failed:
            counters.add("interface.dropped.gone")
            return
        self._events.append(event)
        self._waiting_bytes += _size(event)
        if not self._draining:
            self._draining = True
            self._task = None
            task = _start(self._loop, self._drain())
            if not task.done():
                self._task = task
            return
        if self._waiting_bytes > self._limit:
            self._fail("dropped.backlog", f"more than {self._limit} bytes wait for a client that reads too slowly")

    def look(self) -> None:
        """Give up if nothing was taken for too long; to be called now and then."""
        now = self._loop.time()
        if not self._draining or self._handed_over != self._seen:
            self._seen = self._handed_over
            self._since = now
        elif self._patience is not None and now - self._since >= self._patience:
            self._fail("dropped.stalled", f"its client has taken nothing for {self._patience:g} seconds")

    async def close(self) -> None:
        """Give up what still waits."""
        self._failed = True
        # Callbacks lead back to the connection; without them it is freed at once, not by the garbage collector.
        self._on_idle = self._on_failure = _nothing
        if self._events:
            counters.add("interface.dropped.gone", len(self._events))
            logger.debug("%d events for a connection that has ended are dropped.", len(self._events))
            self._events.clear()
        if self._task is not None and not self._task.done():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _drain(self) -> None:
        events = self._events
        try:
            while events:
                event = events.popleft()
                await self._send(event)
                self._handed_over += 1
                self._waiting_bytes -= _size(event)
        except OSError as error:
            self._fail("dropped.gone", f"the client is gone ({error!r})", logging.DEBUG)
        except Exception as error:
            self._fail("dropped.failed", f"the server refused an event ({error!r})")
        finally:
            self._draining = False
        if self._task is not None:
            self._on_idle()

    def _fail(self, reason: str, text: str, level: int = logging.WARNING) -> None:
        if self._failed:
            return
        self._failed = True
        counters.add(f"interface.{reason}", 1 + len(self._events))
        self._events.clear()
        logger.log(level, "A connection ends: %s.", text)
        self._on_failure()
