"""Turns of connections inside one process: a dict of lines behind one lock. What a line does is told in ``turns``."""

import math
import threading
import time
from collections.abc import Callable, Sequence

from channels.layers.turns import (
    FORGET_SECONDS,
    SHORTEST_LIFE,
    Early,
    Ended,
    Line,
    NextStep,
    Stalled,
    State,
    Taken,
    Verdict,
)


class LocalTurns:
    """The turns of a layer that lives in one process.

    Args:
        expiry: Seconds after which a connection that sent nothing is forgotten.
        clock: Seconds, never running backwards.
    """

    needs_renewal = False

    def __init__(self, expiry: float = SHORTEST_LIFE, clock: Callable[[], float] = time.monotonic) -> None:
        self._expiry = expiry
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[str, Line] = {}
        self._waiting: set[str] = set()
        self._ended: dict[str, float] = {}
        self._looked = clock()

    def take(self, connection: str, message: Early, wait: float, limit: int) -> Taken:
        """Ask for the turn of ``message``."""
        with self._lock:
            now = self._clock()
            line = self._lines.setdefault(connection, Line())
            line.seen = now
            # Whoever has the turn dies with this process, and the line with it.
            taken = line.take(connection, message, now, math.inf, wait, limit)
            if line.early:
                self._waiting.add(connection)
            if taken.verdict is Verdict.FULL:
                self._settle(connection, line, now)
            return taken

    def end(
        self,
        connection: str,
        message: Early,
        wait: float,
        next_step: NextStep = NextStep.LET_GO,
        first: int | None = None,
    ) -> Ended:
        """End a turn."""
        with self._lock:
            line = self._lines.get(connection)
            if line is None:
                return Ended()
            now = self._clock()
            ended = line.end(message.order if first is None else first, message, next_step, now, wait, math.inf)
            self._settle(connection, line, now)
            return ended

    def renew(self, connection: str, message: Early, wait: float) -> None:
        """Do nothing: turns of this process need no proof of life."""

    def stalled(self, wait: float) -> Sequence[Stalled]:
        """Give up connections that waited too long."""
        with self._lock:
            now = self._clock()
            late = [name for name in self._waiting if self._lines[name].due <= now]
            given_up = [self._lines[name].give_up(name, now) for name in late]
            self._waiting.difference_update(late)
            self._forget(now)
            return given_up

    def clear(self) -> None:
        """Forget all connections."""
        with self._lock:
            self._lines.clear()
            self._waiting.clear()
            self._ended.clear()

    def _settle(self, connection: str, line: Line, now: float) -> None:
        line.seen = now
        if not line.early:
            self._waiting.discard(connection)
        if line.state is State.ENDED:
            self._ended[connection] = now

    def _forget(self, now: float) -> None:
        # Ended in order, so the first that is too young ends the search.
        while self._ended and now - next(iter(self._ended.values())) >= FORGET_SECONDS:
            connection = next(iter(self._ended))
            del self._ended[connection]
            self._lines.pop(connection, None)
        if now - self._looked >= self._expiry / 10:
            self._looked = now
            for connection in [name for name, line in self._lines.items() if now - line.seen >= self._expiry]:
                if connection not in self._waiting:
                    del self._lines[connection]
