"""Turns: which message of a connection may run now, which must wait, which has had its time.

A ``Line`` is the order of one connection: a value with transitions, no lock, no clock, no storage. A layer that
decides turns itself, each in one step that no other worker can come between, offers an object with the methods
of ``Turns`` as its attribute ``turns`` and names the extension ``ordering``: ``layers.local_turns`` in one process,
``layers.redis.turns`` on Redis. Layers without one are served from session records (``channels.session_turns``).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple, Protocol

from channels.formats import ORDER
from channels.types import Content

SHORTEST_LIFE = 86_400.0
"""Seconds that a line lives at least without a message; a socket may be silent for hours."""

FORGET_SECONDS = 60.0
"""How long an ended connection is remembered, so that a late message of it does not begin it anew."""

LAST_CHANNEL = "websocket.disconnect"
"""The channel of the message after which a connection sends no more."""


class Early(NamedTuple):
    """A message with an order, and the channel it came on."""

    channel: str
    content: Content

    @property
    def order(self) -> int:
        """Its place in the order of its connection, from 0."""
        order: int = self.content[ORDER]
        return order

    @property
    def is_last(self) -> bool:
        """Whether the connection sends no more after it."""
        return self.channel == LAST_CHANNEL


class Verdict(Enum):
    """What may happen to a message now."""

    RUN = "run"
    """It is its turn, until the caller ends the turn."""

    HELD = "held"
    """It came early and is kept; who ends the turn before it gets it back."""

    DROPPED = "dropped"
    """It ran already, or its connection was given up."""

    FULL = "full"
    """More came early than may be kept: the connection is given up now."""


class Taken(NamedTuple):
    """The answer to a message, and kept messages whose turn has come meanwhile."""

    verdict: Verdict
    released: Sequence[Early] = ()


class Ended(NamedTuple):
    """What the end of a turn brought.

    Attributes:
        released: Kept messages that are the caller's to run, or to put back on their channels.
        is_passed_on: Whether the first of them has the turn already.
    """

    released: Sequence[Early] = ()
    is_passed_on: bool = False


class Stalled(NamedTuple):
    """A connection that waited too long.

    Attributes:
        connection: Its reply channel.
        missing: The order that never came, or None if nothing is known to be lost.
        released: Kept messages that may run all the same.
        dropped: How many kept messages were dropped.
    """

    connection: str
    missing: int | None
    released: Sequence[Early]
    dropped: int


class NextStep(Enum):
    """What follows a turn."""

    AGAIN = "again"
    """The same message: it was put back on its channel."""

    LET_GO = "let_go"
    """The next message, wherever it is."""

    RUN_RELEASED = "run_released"
    """The next message, at once if it is released: the caller runs what is released before anything else."""


class Turns(Protocol):
    """What decides turns. ``wait`` is how many seconds a connection waits for a missing message."""

    needs_renewal: bool
    """Whether a turn that is not renewed within ``wait`` seconds counts as that of a dead worker."""

    def take(self, connection: str, message: Early, wait: float, limit: int) -> Taken:
        """Ask for the turn of ``message``; at most ``limit`` early ones are kept for a connection."""

    def end(
        self,
        connection: str,
        message: Early,
        wait: float,
        next_step: NextStep = NextStep.LET_GO,
        first: int | None = None,
    ) -> Ended:
        """End a turn that was given to the order ``first`` and ran all messages from there to ``message``."""

    def renew(self, connection: str, message: Early, wait: float) -> None:
        """Say that the consumer of ``message`` is still running."""

    def stalled(self, wait: float) -> Sequence[Stalled]:
        """Give up connections that waited too long; each is returned to one caller only."""


class State(Enum):
    """What becomes of the messages of a connection."""

    OPEN = "open"
    """They run in order."""

    BROKEN = "broken"
    """One was lost: all are dropped but the last, which ends what the others began."""

    ENDED = "ended"
    """The last has run: all are dropped."""


@dataclass
class Line:
    """The order of one connection.

    Attributes:
        next: The order that may run; None until the first has come.
        is_running: Whether a consumer has the turn ``next``.
        due: When patience ends: with the running consumer, or with waiting for a missing message.
        state: What becomes of its messages.
        early: The kept messages by order.
        seen: When a message of it was last seen.
    """

    next: int | None = None
    is_running: bool = False
    due: float = math.inf
    state: State = State.OPEN
    early: dict[int, Early] = field(default_factory=dict)
    seen: float = 0.0

    def judge(self, message: Early, now: float) -> Verdict:
        """Return what may happen to ``message``; changes nothing."""
        is_busy = self.is_running and now < self.due
        if self.state is State.ENDED:
            return Verdict.DROPPED
        if self.state is State.BROKEN:
            if not message.is_last:
                return Verdict.DROPPED
            return Verdict.HELD if is_busy else Verdict.RUN
        if self.next is None:
            # A socket that sends was accepted: where order 1 comes first, connects are not ordered. A
            # disconnect proves nothing of the kind; its connect may still be waiting for a worker.
            begins = message.order == 0 or (message.order == 1 and not message.is_last)
            return Verdict.RUN if begins else Verdict.HELD
        if message.order < self.next:
            return Verdict.DROPPED
        return Verdict.HELD if message.order > self.next or is_busy else Verdict.RUN

    def take(self, connection: str, message: Early, now: float, lease: float, wait: float, limit: int) -> Taken:
        """Give the turn to ``message`` until ``lease``, or keep it, or neither; gives up where too many are kept."""
        verdict = self.judge(message, now)
        if verdict is Verdict.RUN:
            self.begin(message, lease)
        elif verdict is Verdict.HELD:
            if message.order in self.early:
                return Taken(Verdict.DROPPED)
            self.keep(message, now, wait)
            if len(self.early) > limit:
                return Taken(Verdict.FULL, self.give_up(connection, now).released)
        return Taken(verdict)

    def begin(self, message: Early, due: float) -> None:
        """Give the turn to ``message``, until ``due``."""
        self.next, self.is_running, self.due = message.order, True, due

    def keep(self, message: Early, now: float, wait: float) -> None:
        """Keep an early message."""
        self.early[message.order] = message
        if self.due == math.inf and not self.is_running:
            self.due = now + wait

    def has_turn(self, order: int) -> bool:
        """Return whether the message of ``order`` still has the turn it was given."""
        return self.is_running and self.next == order

    def end(self, first: int, message: Early, next_step: NextStep, now: float, wait: float, lease: float) -> Ended:
        """End the turn of the messages from ``first`` to ``message``; what follows without a gap is released.

        With ``RUN_RELEASED`` the first of them has the turn until ``lease``.
        """
        if not self.has_turn(first):
            return Ended()
        self.is_running = False
        self.next = message.order + (next_step is not NextStep.AGAIN)
        if message.is_last and next_step is not NextStep.AGAIN:
            self.state = State.ENDED
        # Copies of what has run.
        self.early = {order: early for order, early in self.early.items() if order >= self.next}
        released = self._due_next()
        self.due = now + wait if self.early else math.inf
        if released and next_step is NextStep.RUN_RELEASED and self.state is State.OPEN:
            self.begin(released[0], lease)
            return Ended(released, True)
        return Ended(released)

    def _due_next(self) -> list[Early]:
        if self.state is not State.OPEN:
            return self._give_up_early()
        released = []
        order = self.next or 0
        while order in self.early:
            released.append(self.early.pop(order))
            order += 1
        return released

    def _give_up_early(self) -> list[Early]:
        last = [message for message in self.early.values() if message.is_last and self.state is State.BROKEN]
        self.early.clear()
        return last

    def give_up(self, connection: str, now: float) -> Stalled:
        """Stop waiting: from now on only the last message runs, and not beside one that is running."""
        only_last = all(message.is_last for message in self.early.values())
        missing = None if self.state is not State.OPEN or (self.next is None and only_last) else self.next or 0
        self.state = State.BROKEN
        kept = len(self.early)
        released: list[Early] = []
        if self.is_running and now < self.due:
            self.early = {order: message for order, message in self.early.items() if message.is_last}
        else:
            self.is_running, self.due = False, math.inf
            released = self._give_up_early()
        return Stalled(connection, missing, released, kept - len(self.early) - len(released))
