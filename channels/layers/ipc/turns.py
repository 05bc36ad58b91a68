"""Turns of connections between processes of one machine: a row for each line, changed within one transaction.

What a line does is told in ``channels.layers.turns``.
"""

import functools
import logging
import math
from collections.abc import Callable, Sequence
from typing import TypeVar

from channels import counters
from channels.layers import encoding
from channels.layers.ipc.ledger import Ledger
from channels.layers.ipc.steps import Runner
from channels.layers.turns import FORGET_SECONDS, SHORTEST_LIFE, Early, Ended, Line, NextStep, Stalled, State, Taken
from channels.types import Content

logger = logging.getLogger("django.channels.layers")

T = TypeVar("T")

MOST_BYTES = 500_000_000
"""Of all that is kept early for one connection; each message is bounded where it is sent."""

MOST_GIVEN_UP = 100
"""Lines given up in one transaction, for which others wait."""


class LedgerTurns:
    """See ``channels.layers.turns.Turns``.

    Args:
        runner: Carries out changes.
        group_expiry: Seconds a membership of the layer lives; lines live as long, or longer.
    """

    needs_renewal = True

    def __init__(self, runner: Runner, group_expiry: float) -> None:
        self._runner = runner
        self._life = max(group_expiry, SHORTEST_LIFE)

    def take(self, connection: str, message: Early, wait: float, limit: int) -> Taken:
        """Ask for the turn of ``message``."""

        def act(line: Line, now: float) -> Taken:
            return line.take(connection, message, now, now + wait, wait, limit)

        return self._change(connection, act, Line)

    def end(
        self,
        connection: str,
        message: Early,
        wait: float,
        next_step: NextStep = NextStep.LET_GO,
        first: int | None = None,
    ) -> Ended:
        """End a turn."""
        begin = message.order if first is None else first

        def act(line: Line, now: float) -> Ended:
            return line.end(begin, message, next_step, now, wait, now + wait)

        return self._change(connection, act) or Ended()

    def renew(self, connection: str, message: Early, wait: float) -> None:
        """Say that the consumer of ``message`` is still running."""

        def act(line: Line, now: float) -> None:
            if line.has_turn(message.order):
                line.due = now + wait

        self._change(connection, act)

    def stalled(self, wait: float) -> Sequence[Stalled]:
        """Give up connections that waited too long."""
        found: list[Stalled] = self._runner.change(self._give_up)
        return found

    def _give_up(self, ledger: Ledger) -> list[Stalled]:
        late = ledger.execute(
            "SELECT connection, body FROM lines WHERE is_waiting AND due <= ? LIMIT ?", (ledger.now, MOST_GIVEN_UP)
        ).fetchall()
        found = []
        for connection, body in late:
            line = _read(connection, body)
            found.append(line.give_up(connection, ledger.now))
            self._write(connection, line, ledger)
        return found

    def _change(
        self, connection: str, act: Callable[[Line, float], T], make: Callable[[], Line | None] = lambda: None
    ) -> T:
        """Do ``act`` to the line of ``connection``, in one transaction; None if it has none and none is made."""
        result: T = self._runner.change(functools.partial(self._act, connection, act, make))
        return result

    def _act(
        self,
        connection: str,
        act: Callable[[Line, float], T],
        make: Callable[[], Line | None],
        ledger: Ledger,
    ) -> T | None:
        row = ledger.execute(
            "SELECT body FROM lines WHERE connection = ? AND until > ?", (connection, ledger.now)
        ).fetchone()
        line = _read(connection, row[0]) if row else make()
        if line is None:
            return None
        result = act(line, ledger.now)
        self._write(connection, line, ledger)
        return result

    def _write(self, connection: str, line: Line, ledger: Ledger) -> None:
        until = ledger.now + (FORGET_SECONDS if line.state is State.ENDED else self._life)
        ledger.execute(
            "INSERT OR REPLACE INTO lines VALUES (?, ?, ?, ?, ?)",
            (connection, until, bool(line.early), line.due, _pack(line)),
        )


def _pack(line: Line) -> bytes:
    return encoding.encode(
        {
            "next": line.next,
            "is_running": line.is_running,
            "due": None if line.due == math.inf else line.due,
            "state": line.state.value,
            "early": [[early.channel, early.content] for early in line.early.values()],
        },
        limit=MOST_BYTES,
    )


def _read(connection: str, body: bytes) -> Line:
    """Return the line that was kept; a new one if that is none, as if nothing of the connection had come yet."""
    try:
        return _unpack(encoding.decode(body))
    except (KeyError, TypeError, ValueError) as error:
        counters.add("message.dropped.unreadable")
        logger.error("What is kept of the order of %s is not of this layer: %r.", connection, error)
        return Line()


def _unpack(kept: Content) -> Line:
    early = [Early(channel, content) for channel, content in kept["early"]]
    due = math.inf if kept["due"] is None else float(kept["due"])
    number = kept["next"]
    if not all(type(order) is int for order in (0 if number is None else number, *(one.order for one in early))):
        raise TypeError("an order is no number")
    return Line(
        next=number,
        is_running=bool(kept["is_running"]),
        due=due,
        state=State(kept["state"]),
        early={message.order: message for message in early},
    )
