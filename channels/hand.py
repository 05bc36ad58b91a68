"""What a worker's thread has in hand: messages it runs before it asks for others, and turns they have already."""

import threading
import time
import weakref
from collections import deque
from collections.abc import Collection, Sequence
from typing import Any

from channels import formats
from channels.types import Content

_local = threading.local()


class Hand(deque[tuple[str, Content]]):
    """The messages, in the order in which they are run, as pairs of channel and content.

    Attributes:
        lock: Held by whoever changes or reads the hand while its thread runs a consumer.
        busy_since: When the consumer that runs now was begun, by ``time.monotonic``; None while none runs.
        turns: The turns that some of them have already, by connection and order.
        unsettled: How many turns of this thread were ended without hearing yet what that brought.
        is_used: Whether this thread has run ordered messages.
        only: The channels whose messages this thread may run; None is all.
    """

    def __init__(self, only: Collection[str] | None = None) -> None:
        super().__init__()
        self.only = only
        self.lock = threading.RLock()
        self.busy_since: float | None = None
        self.turns: dict[tuple[str, int], Any] = {}
        self.unsettled = 0
        self.is_used = False

    def takes(self, channel: str) -> bool:
        """Return whether messages of ``channel`` may be run by this thread."""
        return self.only is None or channel in self.only

    def find(self, connection: str, order: int) -> tuple[str, Content] | None:
        """Return the message of this place in the order of a connection, if it is in hand."""
        with self.lock:
            for entry in self:
                if entry[1].get(formats.REPLY_CHANNEL) == connection and entry[1].get(formats.ORDER) == order:
                    return entry
        return None

    def has_turn(self, content: Content) -> bool:
        """Return whether a message has its turn already, so that nobody else could run it."""
        connection, order = content.get(formats.REPLY_CHANNEL), content.get(formats.ORDER)
        # Messages of projects may have anything under these keys.
        return isinstance(connection, str) and isinstance(order, int) and (connection, order) in self.turns

    def begin(self, with_turn: bool = False) -> tuple[str, Content] | None:
        """Take out the message to run now: the first, or the first that has its turn; None if there is none."""
        with self.lock:
            if with_turn:
                found = next((entry for entry in self if self.has_turn(entry[1])), None)
                self.remove_all([] if found is None else [found[1]])
            else:
                found = self.popleft() if self else None
            if found is not None:
                self.busy_since = time.monotonic()
            return found

    def end(self) -> None:
        """Say that the consumer of the message that ``begin`` returned has ended."""
        with self.lock:
            self.busy_since = None

    def put_first(self, messages: Sequence[tuple[str, Content]]) -> None:
        """Run ``messages`` before all others, in this order."""
        with self.lock:
            self.extendleft(reversed(messages))

    def remove_all(self, contents: Sequence[Content]) -> None:
        """Take these very contents out, not others that are equal."""
        gone = set(map(id, contents))
        with self.lock:
            kept = [entry for entry in self if id(entry[1]) not in gone]
            self.clear()
            self.extend(kept)


def pick_up(only: Collection[str] | None = None) -> Hand:
    """Return the hand of the calling thread, which promises to run what it finds there.

    Messages whose turn has come are put there, first, instead of back on their channels. The thread waits for
    nothing while the hand is ``unsettled``: any call of the layer brings the news.

    Args:
        only: The channels whose messages the thread may run; those of others go back to them. None is all.
    """
    hand = Hand(only)
    # Weakly: when the caller has gone, messages go back to their channels.
    _local.hand = weakref.ref(hand)
    return hand


def current() -> Hand | None:
    """Return the hand of the calling thread; None if it has picked none up, or dropped it."""
    hand: Hand | None = _local.hand() if hasattr(_local, "hand") else None
    return hand
