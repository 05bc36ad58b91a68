"""What is promised for a fault: bounds in numbers, each with the words that stand for it in the documentation."""

from dataclasses import dataclass
from enum import Enum

from tests.faults.checker import Verdict

BATCH = 32
"""Messages that a worker takes together at most; see ``CHANNELS_BATCH_LIMIT``."""


class Mode(Enum):
    """How messages are delivered."""

    MOST = "at most once"
    LEAST = "at least once"


@dataclass(frozen=True)
class Bound:
    """How many messages something may happen to; ``most`` is None where that depends on the traffic alone."""

    text: str
    most: int | None

    def holds(self, count: int) -> bool:
        """Return whether ``count`` is within the bound."""
        return self.most is None or count <= self.most


NOTHING = Bound("nothing", 0)


def in_hand(workers: int) -> Bound:
    """Return the bound for what so many workers had taken."""
    whose = "the worker" if workers == 1 else "each worker"
    return Bound(f"what {whose} had in hand, at most {BATCH} messages", BATCH * workers)


@dataclass(frozen=True)
class Promise:
    """What is promised beyond what holds for every fault.

    Attributes:
        lost: Messages that the layer took and no consumer got.
        gaps: Whether ordered sockets may be closed because one of their messages or its turn was lost.
        repeated: Messages that consumers got more than once.
        unanswered: Answers that do not reach a socket that stays open.
        keeps_rooms: Whether sockets that stay open stay in their groups.
        back_within: Seconds within which every process serves again after the fault, or None for no promise.
    """

    lost: Bound = NOTHING
    repeated: Bound = NOTHING
    unanswered: Bound = NOTHING
    gaps: bool = False
    keeps_rooms: bool = True
    back_within: float | None = None

    def is_late(self, serving: float) -> bool:
        """Return whether processes served again only after ``serving`` seconds although sooner was promised."""
        return self.back_within is not None and serving > self.back_within

    def broken(self, mode: Mode, verdict: Verdict, serving: float) -> list[str]:
        """Return what ``verdict`` says against this promise, and against what is always promised."""
        always = [
            (verdict.vanished == 0, "a message vanished although its socket stayed open"),
            (verdict.misdelivered == 0, "a message came to a socket that it was not for"),
            (verdict.reordered == 0, "order was not kept"),
            (mode is Mode.LEAST or verdict.repeated == 0, "a consumer got a message twice, at most once promised"),
            (mode is Mode.LEAST or verdict.doubled == 0, "a client got a message twice, at most once promised"),
        ]
        own = [
            (self.lost.holds(verdict.lost), f"lost more than promised: {self.lost.text}"),
            (self.gaps or verdict.out_of_order == 0, "messages of an ordered socket were given up"),
            (self.repeated.holds(verdict.repeated), f"repeated more than promised: {self.repeated.text}"),
            (self.unanswered.holds(verdict.unanswered), f"unanswered more than promised: {self.unanswered.text}"),
            (not self.is_late(serving), f"served again after {serving:.1f} s only"),
        ]
        return [text for is_kept, text in always + own if not is_kept]
