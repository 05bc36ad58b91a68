"""What is being sent: messages ready to leave, and what becomes of them."""

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from channels import counters
from channels.layers.base import BaseChannelLayer, Outgoing
from channels.layers.redis.statistics import Tallies

logger = logging.getLogger("django.channels.layers")

Outcomes = list[Exception | None]


class Item(NamedTuple):
    """One message, ready to leave: ``kind`` is that of ``lua/send.lua``.

    ``name`` is the channel or group it was sent to, ``queue`` the one that this copy is for, if it is known, and
    ``moves`` how often a shard did not take it.
    """

    kind: str
    name: str
    queue: str
    shard: int
    capacity: int
    rest: bytes
    receivers: tuple[str, ...] = ()
    via_group: bool = False
    moves: int = 0


Todo = list[tuple[int, Item]]
"""Items, each with its position in what was asked for."""


def with_sign(part: Todo) -> list[Item]:
    """Return the copies in ``part`` for queues in a cluster whose readers give signs of life."""
    return [item for _, item in part if item.kind == "n" and item.queue.endswith("!")]


class Results:
    """What becomes of the items of one plan, by their position."""

    def __init__(self, size: int) -> None:
        self.missed = [0] * size
        self.errors: Outcomes = [None] * size
        self.refused: set[str] = set()

    def outcome(self, layer: BaseChannelLayer, position: int, item: Item) -> Exception | None:
        """Return what ``item`` came to; count and log members that were left out."""
        missed = self.missed[position]
        if (error := self.errors[position]) is not None or not missed:
            return error
        if item.kind in "cs":
            counters.add("message.refused.full")
            return layer.channel_full(item.name)
        counters.add("message.dropped.member_full", missed)
        logger.warning("Group %s: %d members did not get a message because their channel is full.", item.name, missed)
        return None

    def is_refused(self, item: Item) -> bool:
        """Return whether an earlier item was refused that ``item`` must not overtake."""
        return item.kind in "cs" and item.queue in self.refused


def report_drops(expired: int, buried: int) -> None:
    """Count and log messages that a send found to be of no use any more."""
    if expired:
        counters.add("message.dropped.expired", expired)
        logger.warning("%d messages expired unread; their queues had no room or no reader.", expired)
    if buried:
        counters.add("message.dropped.dead_process", buried)
        logger.warning("%d messages were for processes that are dead; their queues are deleted.", buried)


def count_drops(tallies: Tallies, shard: int, expired: int, buried: int) -> None:
    """Do the same for what was dropped on ``shard``, and add it to the statistics."""
    for reason, count in (("expired", expired), ("dead_process", buried)):
        if count:
            tallies.add_drops_on(shard, reason, count)
    report_drops(expired, buried)


def report_gone(group: str, count: int) -> None:
    """Count and log members that are gone."""
    if count:
        counters.add("group.discarded.gone", count)
        logger.info("Group %s: %d members were dropped, as nobody reads their channels any more.", group, count)


class Prepared:
    """A batch of messages, encoded.

    Args:
        prepare: Encodes one, or raises why it cannot be sent.
        batch: The messages.
    """

    def __init__(self, prepare: Callable[[Outgoing], Item], batch: Sequence[Outgoing]) -> None:
        self.all: list[Item | Exception] = []
        for outgoing in batch:
            try:
                self.all.append(prepare(outgoing))
            except (AssertionError, TypeError, BaseChannelLayer.MessageTooLarge) as error:
                self.all.append(error)
        self.items = [one for one in self.all if not isinstance(one, Exception)]

    def merge(self, outcomes: Outcomes) -> Outcomes:
        """Return ``outcomes`` of the items, with the errors that kept the others from being sent in between."""
        rest = iter(outcomes)
        return [one if isinstance(one, Exception) else next(rest) for one in self.all]
