"""The end of a process without haste: sockets are closed one by one, requests are answered, then the server acts.

What a server does by itself when it is told to stop differs from server to server (docs/interface); this goes first.
"""

import asyncio
import logging
import multiprocessing
from collections.abc import Callable, Sequence
from typing import Any, Protocol

from channels.interface.connections import Services
from channels.interface.held_signal import HeldSignal, hold

logger = logging.getLogger("django.channels.interface")

LONGEST_GAP = 0.05
"""Seconds from one closed socket to the next, at most: a few are closed in less than ``drain_seconds``."""

LOOK_SECONDS = 0.1
"""How often to look whether hypercorn tells its workers to stop; it looks as often itself."""


class Dismissible(Protocol):
    """What can be asked to come back."""

    def dismiss(self, reason: str) -> None:
        """Close the connection, if it is one that would stay; ``reason`` is the last part of the counter."""


async def dismiss_all(connections: Sequence[Dismissible], seconds: float, reason: str) -> None:
    """Dismiss ``connections`` one after the other, evenly over ``seconds`` or less."""
    if not connections:
        return
    loop = asyncio.get_running_loop()
    gap = min(seconds / len(connections), LONGEST_GAP)
    began = loop.time()
    for number, connection in enumerate(connections):
        await asyncio.sleep(max(0.0, began + number * gap - loop.time()))
        connection.dismiss(reason)


class Drain:
    """Empties the process of connections when it is told to stop.

    Args:
        services: Of the event loop that runs; it must be that of the main thread, or there is nothing to hold back.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._loop = asyncio.get_running_loop()
        self._seconds = services.limits.drain_seconds or 0.0
        self._task: asyncio.Task[None] | None = None
        self._watch: asyncio.Task[None] | None = None
        self._signal: HeldSignal | None = None

    def start(self) -> None:
        """Take notice of the end from now on, in every way that this process has."""
        self._signal = hold(self._loop, self.begin)
        told = _hypercorn_event()
        if told is not None:
            is_set, grace = told
            # After its grace hypercorn cuts what is left, so half of it must do for all sockets.
            self._watch = self._loop.create_task(self._look(is_set, grace / 2), name="channels-drain-watch")

    def begin(self) -> None:
        """Begin, unless it has begun."""
        if self._task is None:
            self._task = self._loop.create_task(self._run(), name="channels-drain")

    async def stop(self) -> None:
        """Let go of the signal and end what still runs."""
        if self._signal is not None:
            self._signal.release()
        tasks = [task for task in (self._task, self._watch) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self) -> None:
        services = self._services
        services.door.is_draining = True
        sockets = list(services.router.sockets().values())
        logger.info("Told to stop: %d sockets are closed within %g seconds.", len(sockets), self._seconds)
        try:
            await dismiss_all(sockets, self._seconds, "drain")
            if not await services.router.wait_until_empty(services.limits.drain_timeout):
                left = services.router.connections()
                logger.warning("Told to stop: %d connections take too long and are left to the server.", len(left))
                for connection in left:
                    # Some servers wait for them without end, and streams of events have none (uvicorn, granian).
                    connection.dismiss("drain")
            await services.farewells.wait(services.limits.drain_timeout)
        finally:
            if self._signal is not None and not self._loop.is_closed():
                self._signal.pass_on()

    async def _look(self, is_set: Callable[[], bool], most_seconds: float) -> None:
        while not is_set():  # noqa: ASYNC110 - an event of multiprocessing cannot be awaited
            await asyncio.sleep(LOOK_SECONDS)
        self._seconds = min(self._seconds, most_seconds)
        self.begin()


def _hypercorn_event() -> tuple[Callable[[], bool], float] | None:
    """Return how to ask whether hypercorn told this worker process to stop, and how long it waits; None: no hypercorn.

    Its signals end in the parent process, which sets an event that it gave to the process object of each worker.
    """
    given: dict[str, Any] = getattr(multiprocessing.current_process(), "_kwargs", {})
    event, config = given.get("shutdown_event"), given.get("config")
    grace = getattr(config, "graceful_timeout", None)
    return None if event is None or grace is None else (event.is_set, grace)
