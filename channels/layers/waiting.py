"""Who waits for which queue of an in-memory layer, and who is woken when something arrives.

Everything here happens under the layer's lock. A queue wakes one receiver per message, and a receiver is woken
once per burst: whatever else arrives before it runs, it will see anyway.
"""

import asyncio
from collections.abc import Callable, Container, Sequence
from typing import Any


class Waiter:
    """One blocked receive: the queues it waits for, how to wake it, and whether that was done."""

    __slots__ = ("notify", "queues", "woken")

    def __init__(self, queues: Sequence[str], notify: Callable[[], Any]) -> None:
        self.queues = queues
        self.notify = notify
        self.woken = False


class Waiters:
    """The blocked receives of one layer, by queue, the longest waiting first."""

    def __init__(self) -> None:
        self._by_queue: dict[str, dict[Waiter, None]] = {}

    def add(self, waiter: Waiter) -> None:
        """Let ``waiter`` be woken from now on."""
        for queue in waiter.queues:
            self._by_queue.setdefault(queue, {})[waiter] = None

    def discard(self, waiter: Waiter, filled: Container[str]) -> None:
        """Forget ``waiter``; if it was woken, wake others for what it left in the ``filled`` queues."""
        for queue in waiter.queues:
            waiters = self._by_queue.get(queue)
            if waiters is not None:
                waiters.pop(waiter, None)
                if not waiters:
                    del self._by_queue[queue]
        if waiter.woken:
            for queue in waiter.queues:
                if queue in filled:
                    self.wake(queue)

    def wake(self, queue: str) -> None:
        """Wake one receiver that waits for ``queue`` and was not woken yet."""
        for waiter in self._by_queue.get(queue, ()):
            if waiter.woken:
                continue
            waiter.woken = True
            try:
                waiter.notify()
            except RuntimeError:  # Its event loop was closed while it waited; it cannot take anything any more.
                continue
            return


class Timer:
    """Sets ``event`` once after ``timeout`` seconds, and remembers that it did."""

    def __init__(self, event: asyncio.Event, timeout: float) -> None:
        self.is_due = False
        self._event = event
        self._handle = asyncio.get_running_loop().call_later(timeout, self._ring)

    def _ring(self) -> None:
        self.is_due = True
        self._event.set()

    def cancel(self) -> None:
        """Do not ring any more."""
        self._handle.cancel()
