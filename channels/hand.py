"""What a worker's thread has in hand: messages it runs before it asks for others, and turns they have already."""

import threading
import weakref
from collections import deque
from typing import Any

from channels import formats
from channels.types import Content

_local = threading.local()


class Hand(deque[tuple[str, Content]]):
    """The messages, in the order in which they are run, as pairs of channel and content.

    Attributes:
        turns: The turns that some of them have already, by connection and order.
        unsettled: How many turns of this thread were ended without hearing yet what that brought.
        is_used: Whether this thread has run ordered messages.
    """

    def __init__(self) -> None:
        super().__init__()
        self.turns: dict[tuple[str, int], Any] = {}
        self.unsettled = 0
        self.is_used = False

    def find(self, connection: str, order: int) -> tuple[str, Content] | None:
        """Return the message of this place in the order of a connection, if it is in hand."""
        for entry in self:
            if entry[1].get(formats.REPLY_CHANNEL) == connection and entry[1].get(formats.ORDER) == order:
                return entry
        return None


def pick_up() -> Hand:
    """Return the hand of the calling thread, which promises to run what it finds there.

    Messages whose turn has come are put there, first, instead of back on their channels. The thread waits for
    nothing while the hand is ``unsettled``: any call of the layer brings the news.
    """
    hand = Hand()
    # Weakly: when the caller has gone, messages go back to their channels.
    _local.hand = weakref.ref(hand)
    return hand


def current() -> Hand | None:
    """Return the hand of the calling thread; None if it has picked none up, or dropped it."""
    hand: Hand | None = _local.hand() if hasattr(_local, "hand") else None
    return hand
