"""Turns for layers that cannot decide them: counters in session records, early messages on wait channels.

Each connection has a record of its own, never that of its channel session, which a consumer could save over
it. Only who has the turn writes the record. Early messages go to the connection's wait channel, and who puts
one there looks at the record again afterwards, so that either it or the end of the turn before finds it.
The engine is that of channel sessions.

What records cannot do: two copies of one message that arrive at the same instant may both run, for session
engines have no atomic step; and a copy that arrives after the disconnect may run again, for the record is gone.
"""

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from channels import names
from channels.exceptions import ChannelFull
from channels.formats import ORIGINAL_CHANNEL
from channels.layers.turns import Early, Ended, Line, NextStep, Stalled, State, Taken, Verdict
from channels.session_stores import PinnedStore, connection_store
from channels.signals import release_connections

_NEXT = "__channels_next_order"
_RUNNING = "is_running"
_DUE = "due"
_STATE = "state"

_BROKEN_SECONDS = 3600
"""How long a connection that was given up is remembered, for the messages it may still have under way."""


class SessionTurns:
    """The turns of one layer, kept in session records.

    Args:
        layer: The layer, for its wait channels.
        clock: Seconds since the epoch; workers on several hosts compare them.
    """

    needs_renewal = True

    def __init__(self, layer: Any, clock: Callable[[], float] = time.time) -> None:
        self._layer = layer
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting: dict[tuple[str, int], tuple[float, int | None]] = {}

    def take(self, connection: str, message: Early, wait: float, limit: int) -> Taken:
        """Ask for the turn of ``message``. The capacity of the wait channel rules, whatever ``limit`` is."""
        store, line = _read(connection)
        verdict = line.judge(message, self._clock())
        if verdict is Verdict.RUN:
            line.begin(message, self._clock() + wait)
            _write(store, line)
        if verdict is not Verdict.HELD:
            return Taken(verdict)
        try:
            self._layer.send(names.wait_channel(connection), {**message.content, ORIGINAL_CHANNEL: message.channel})
        except ChannelFull:
            return Taken(Verdict.FULL, self._give_up(connection).released)
        with self._lock:
            self._waiting[connection, message.order] = (self._clock() + wait, line.next)
        return Taken(Verdict.HELD, self._look_again(connection, message))

    def end(
        self,
        connection: str,
        message: Early,
        wait: float,
        next_step: NextStep = NextStep.LET_GO,
        first: int | None = None,
    ) -> Ended:
        """End a turn; messages that are released but still early are kept again when they are run."""
        store, line = _read(connection)
        first = message.order if first is None else first
        if not line.has_turn(first):
            return Ended()
        was_broken = line.state is State.BROKEN
        now = self._clock()
        line.end(first, message, next_step, now, wait, now + wait)
        if line.state is State.ENDED and not was_broken:
            # All before it ran, so nothing can come that would begin the connection anew.
            store.delete_stored()
        else:
            _write(store, line)
        released = self._take_waiting(connection)
        if line.state is State.OPEN:
            return Ended(released)
        return Ended([early for early in released if early.is_last and line.state is State.BROKEN])

    def renew(self, connection: str, message: Early, wait: float) -> None:
        """Say that the consumer of ``message`` is still running."""
        store, line = _read(connection)
        if line.has_turn(message.order):
            line.due = self._clock() + wait
            _write(store, line)

    def stalled(self, wait: float) -> Sequence[Stalled]:
        """Give up the connections whose messages this process put on hold, if nothing has moved since."""
        now = self._clock()
        with self._lock:
            late = [(key, seen) for key, (due, seen) in self._waiting.items() if due <= now]
            # No other thread looks at them, and where a record cannot be read, it is looked at again.
            self._waiting.update((key, (now + wait, seen)) for key, seen in late)
        try:
            return [stalled for key, seen in late if (stalled := self._look_at(*key, seen, now, wait)) is not None]
        finally:
            if late:  # No consumer is running whose end would look after the connection of a database.
                release_connections()

    def _look_at(self, connection: str, order: int, seen: int | None, now: float, wait: float) -> Stalled | None:
        _, line = _read(connection)
        runs = line.state is not State.OPEN or (line.next is not None and line.next >= order)
        has_moved = line.next != seen or (line.is_running and now < line.due)
        stalled = None if runs or has_moved else self._give_up(connection)
        with self._lock:
            if has_moved and not runs:
                self._waiting[connection, order] = (now + wait, line.next)
            else:
                self._waiting.pop((connection, order), None)
        return stalled

    def _give_up(self, connection: str) -> Stalled:
        store, line = _read(connection)
        line.early = {early.order: early for early in self._take_waiting(connection)}
        stalled = line.give_up(connection, self._clock())
        _write(store, line)
        for early in line.early.values():
            self._layer.send(names.wait_channel(connection), {**early.content, ORIGINAL_CHANNEL: early.channel})
        return stalled

    def _look_again(self, connection: str, message: Early) -> Sequence[Early]:
        # The turn before may have ended, and found nothing, between our reading and our putting.
        _, line = _read(connection)
        return () if line.judge(message, self._clock()) is Verdict.HELD else self._take_waiting(connection)

    def _take_waiting(self, connection: str) -> list[Early]:
        channel = names.wait_channel(connection)
        taken: list[Early] = []
        while True:
            name, content = self._layer.receive([channel], block=False)
            if name is None:
                return sorted(taken, key=lambda early: early.order)
            taken.append(Early(content.pop(ORIGINAL_CHANNEL), content))


def _read(connection: str) -> tuple[PinnedStore, Line]:
    store = connection_store("order:" + connection)
    due = store.get(_DUE)
    line = Line(store.get(_NEXT), store.get(_RUNNING, False), state=State(store.get(_STATE, State.OPEN.value)))
    if due is not None:
        line.due = due
    return store, line


def _write(store: PinnedStore, line: Line) -> None:
    if line.state is not State.OPEN:
        store.set_expiry(_BROKEN_SECONDS)
    store[_NEXT] = line.next
    store[_RUNNING] = line.is_running
    store[_DUE] = line.due if line.is_running else None
    store[_STATE] = line.state.value
    store.save()
