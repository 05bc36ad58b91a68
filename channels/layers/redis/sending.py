"""Sending: from messages to script calls, and from their answers to outcomes. Nothing here talks to a server.

A plan is a generator that yields what to ask of which shard and is sent the answers, so threads and event
loops run the same one.
"""

import itertools
import logging
from collections.abc import Callable, Generator, Sequence
from typing import Any, NamedTuple, TypeVar

from channels import counters, names
from channels.layers.base import BaseChannelLayer, Delivery, Outgoing, by_queue
from channels.layers.redis import codec, scripts
from channels.layers.redis.ring import Ring
from channels.layers.redis.statistics import Tallies

logger = logging.getLogger("django.channels.layers")

T = TypeVar("T")
Step = dict[int, list[bytes]]
"""Shard to the commands for it."""

Plan = Generator[Step, dict[int, list[Any]], T]
"""Yields steps, is sent the answers in the same shape, returns its result."""

RECEIVERS_PER_ENTRY = 500
"""A group message for more members on one queue is cut into several entries, so that none grows without limit."""

ITEMS_PER_CALL = 256
BYTES_PER_CALL = 4 * 1024 * 1024
"""What one script call carries at most: the server does nothing else while it runs."""


class Item(NamedTuple):
    """One message, ready to leave: ``kind`` is that of ``lua/send.lua``."""

    kind: str
    name: str
    shard: int
    key: str
    capacity: int
    rest: bytes
    receivers: int = 1
    via_group: bool = False


class Sender:
    """Prepares and plans the sends of one layer."""

    def __init__(self, layer: BaseChannelLayer, prefix: str, ring: Ring, coder: codec.Codec) -> None:
        self._layer = layer
        self._prefix = prefix
        self._ring = ring
        self._codec = coder
        self._turn = itertools.count()
        self._heads = {
            (is_kept, via_group): codec.make_head(coder.flags | codec.KEPT * is_kept | codec.VIA_GROUP * via_group)
            for is_kept in (False, True)
            for via_group in (False, True)
        }
        self._common = (
            prefix,
            round(layer.expiry * 1000),
            round(layer.group_expiry * 1000),
            layer.capacity,
            layer.reply_capacity,
            RECEIVERS_PER_ENTRY,
        )

    def prepare(self, outgoing: Outgoing) -> Item:
        """Return ``outgoing`` encoded.

        Raises:
            AssertionError, MessageTooLarge, TypeError: It cannot be sent.
        """
        name, content, to_group = outgoing
        if to_group:
            rest = self._codec.encode(self._layer.require_message(content))
            return Item("g", name, *self.group_place(name), 0, rest, via_group=True)
        queue = names.non_local_name(names.require_channel_name(name))
        payload = self._codec.encode(self._layer.require_message(content))
        rest = codec.make_rest((name[len(queue) :],), payload)
        kind = "s" if self._ring.is_durable(queue) else "c"
        return Item(kind, name, self.shard_of(queue), self._prefix + queue, self._layer.get_capacity(queue), rest)

    def group_place(self, group: str) -> tuple[int, str]:
        """Return the shard and the key of the members of ``group``.

        Raises:
            TypeError: It is not a group name.
        """
        return self._ring.shard_of(names.require_group_name(group)), f"{self._prefix}:group:{group}"

    def where(self, queues: Sequence[str]) -> dict[int, list[str]]:
        """Return the keys of ``queues`` by shard; messages of a normal channel may be on every shard."""
        if self._ring.size == 1:
            return {0: [self._prefix + queue for queue in queues]}
        wanted: dict[int, list[str]] = {}
        for queue in queues:
            everywhere = range(self._ring.size)
            for shard in everywhere if self._ring.is_anywhere(queue) else (self._ring.shard_of(queue),):
                wanted.setdefault(shard, []).append(self._prefix + queue)
        return wanted

    def shard_of(self, queue: str) -> int:
        """Return the shard to send to: that of ``queue``, or the next in turn for a normal channel."""
        if self._ring.size == 1:
            return 0
        return next(self._turn) % self._ring.size if self._ring.is_anywhere(queue) else self._ring.shard_of(queue)

    @property
    def _must_expand(self) -> bool:
        return self._ring.size > 1 or bool(self._layer.channel_capacity) or self._ring.has_durable

    def takes_one_step(self, items: Sequence[Item]) -> bool:
        """Return whether the first step of a plan for ``items`` already sends all of them."""
        if self._must_expand and any(item.kind == "g" for item in items):
            return False
        return not _cut(list(enumerate(items)))[1]

    def plan(self, tallies: Tallies, items: Sequence[Item]) -> Plan[list[Exception | None]]:
        """Send ``items`` in order; returns what each came to, and counts it in ``tallies``."""
        missed = [0] * len(items)
        todo = list(enumerate(items))
        if self._must_expand:
            # Then only we know where the queues of members are, what they are and what they may hold.
            todo = yield from self._expand(todo)
        refused: set[str] = set()
        while todo:
            now, todo = _cut(todo)
            calls: dict[int, list[tuple[int, Item]]] = {}
            for position, item in now:
                if item.kind in "cs" and item.key in refused:
                    missed[position] = 1
                else:
                    calls.setdefault(item.shard, []).append((position, item))
            replies = yield {shard: [self._call(part)] for shard, part in calls.items()}
            for shard, part in calls.items():
                expired, *answers = replies[shard][0]
                self._report_expired(expired)
                for (position, item), answer in zip(part, answers, strict=True):
                    missed[position] += self._count(tallies, item, answer)
                    if missed[position] and item.kind in "cs":
                        refused.add(item.key)
        if tallies.is_due:
            yield tallies.collect()
        return [self._outcome(item, count) for item, count in zip(items, missed, strict=True)]

    def _count(self, tallies: Tallies, item: Item, answer: Any) -> int:
        """Return how many receivers of ``item`` did not get it; count what happened to its queues."""
        if item.kind == "g":
            missed, *queues = answer
            for at in range(0, len(queues), 3):
                tallies.add(item.shard, queues[at].decode(), queues[at + 1], queues[at + 2])
            return int(missed)
        tallies.add(item.shard, item.key[len(self._prefix) :], 1 - answer, answer)
        return int(answer) * item.receivers

    def _report_expired(self, count: int) -> None:
        if count:
            counters.add("message.dropped.expired", count)
            logger.warning("%d messages expired unread; their queues had no room or no reader.", count)

    def _call(self, part: Sequence[tuple[int, Item]]) -> bytes:
        arguments: list[scripts.Argument] = list(self._common)
        for _, item in part:
            head = self._heads[item.kind == "s", item.via_group]
            arguments += (f"{item.kind}{item.capacity}", head, item.rest)
        return scripts.call(scripts.SEND, [item.key for _, item in part], arguments)

    def _expand(self, todo: Sequence[tuple[int, Item]]) -> Plan[list[tuple[int, Item]]]:
        """Replace each message to a group by one for each queue of its members."""
        groups = {item.name: item for _, item in todo if item.kind == "g"}
        members: dict[str, list[str]] = {}
        if groups:
            wanted: dict[int, list[Item]] = {}
            for item in groups.values():
                wanted.setdefault(item.shard, []).append(item)
            replies = yield {shard: [self.members_call(i.name) for i in part] for shard, part in wanted.items()}
            for shard, part in wanted.items():
                for item, reply in zip(part, replies[shard], strict=True):
                    members[item.name] = [member.decode() for member in reply]
        expanded: list[tuple[int, Item]] = []
        for position, item in todo:
            if item.kind == "g":
                expanded += [(position, copy) for copy in self._copies(item, members[item.name])]
            else:
                expanded.append((position, item))
        return expanded

    def _copies(self, item: Item, members: Sequence[str]) -> list[Item]:
        receivers: dict[str, list[str]] = {}
        for channel in members:
            queue = names.non_local_name(channel)
            receivers.setdefault(queue, []).append(channel[len(queue) :])
        return [
            Item(
                "s" if self._ring.is_durable(queue) else "m",
                item.name,
                self.shard_of(queue),
                self._prefix + queue,
                self._layer.get_capacity(queue),
                codec.make_rest(part := local_parts[first : first + RECEIVERS_PER_ENTRY], item.rest),
                len(part),
                via_group=True,
            )
            for queue, local_parts in receivers.items()
            for first in range(0, len(local_parts), RECEIVERS_PER_ENTRY)
        ]

    def hand_back(self, deliveries: Sequence[Delivery]) -> Plan[None]:
        """Put what was taken, and not worked on, first on its queues again."""
        step: Step = {}
        for queue, part in by_queue(deliveries).items():
            arguments: list[scripts.Argument] = [self._common[1]]
            for channels, content, via_group in part:
                receivers = [channel[len(queue) :] for channel in channels]
                rest = codec.make_rest(receivers, self._codec.encode(content))
                arguments += (self._heads[False, via_group], rest)
            call = scripts.call(scripts.HAND_BACK, (self._prefix + queue,), arguments)
            step.setdefault(self.shard_of(queue), []).append(call)
        if step:
            yield step

    def members_call(self, group: str) -> bytes:
        """Return the command that reads the members of ``group``."""
        return scripts.call(scripts.GROUP_CHANNELS, (self.group_place(group)[1],), (self._common[2],))

    def _outcome(self, item: Item, missed: int) -> Exception | None:
        if not missed:
            return None
        if item.kind in "cs":
            counters.add("message.refused.full")
            return self._layer.channel_full(item.name)
        counters.add("message.dropped.member_full", missed)
        logger.warning("Group %s: %d members did not get a message because their channel is full.", item.name, missed)
        return None


def _cut(todo: list[tuple[int, Item]]) -> tuple[list[tuple[int, Item]], list[tuple[int, Item]]]:
    """Return what one round of script calls carries, and what is left."""
    size = 0
    for count, (_, item) in enumerate(todo):
        size += len(item.rest)
        if count and (count == ITEMS_PER_CALL or size > BYTES_PER_CALL):
            return todo[:count], todo[count:]
    return todo, []


def prepare_all(prepare: Callable[[Outgoing], Item], batch: Sequence[Outgoing]) -> list[Item | Exception]:
    """Return each message of ``batch`` encoded, or why it cannot be sent."""
    prepared: list[Item | Exception] = []
    for outgoing in batch:
        try:
            prepared.append(prepare(outgoing))
        except (AssertionError, TypeError, BaseChannelLayer.MessageTooLarge) as error:
            prepared.append(error)
    return prepared
