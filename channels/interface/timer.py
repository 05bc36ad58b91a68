"""One deadline that moves: exact, and cheap to postpone."""

import asyncio
from collections.abc import Callable


def _nothing() -> None:
    """Stand in for the callback of a timer that has ended: what it belongs to can be freed at once."""


class Timer:
    """Calls back once when its deadline has passed.

    Postponing costs an assignment: the event loop's own timer is set anew only when it fires too early.

    Args:
        callback: Called without arguments.
    """

    def __init__(self, callback: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._callback = callback
        self._due: float | None = None
        self._handle: asyncio.TimerHandle | None = None

    def set(self, seconds: float | None) -> None:
        """Call back ``seconds`` from now instead of whenever was said before; None: never."""
        if seconds is None:
            self._due = None
            return
        self._due = self._loop.time() + seconds
        if self._handle is None:
            self._handle = self._loop.call_at(self._due, self._fire)
        elif self._due < self._handle.when():
            self._handle.cancel()
            self._handle = self._loop.call_at(self._due, self._fire)

    def cancel(self) -> None:
        """Never call back, and let go of the callback; the timer is of no use afterwards."""
        self._callback = _nothing
        self._due = None
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None

    def _fire(self) -> None:
        self._handle = None
        if self._due is None:
            return
        if self._loop.time() < self._due:
            self._handle = self._loop.call_at(self._due, self._fire)
            return
        self._due = None
        self._callback()
