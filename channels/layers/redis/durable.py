"""Delivery at least once: messages are kept in streams until their consumer has done its work.

What was handed out stays in the stream. ``finish`` removes it; while it is in hand a thread of this process renews
it; what nobody renewed for ``redelivery_after`` seconds belonged to a process that died, or to a consumer that failed,
and is handed out again. Keys are told at the heads of ``lua/send.lua`` and ``lua/durable_take.lua``.
"""

import fnmatch
import itertools
import logging
import random
import re
import time
from collections.abc import Generator, Mapping, Sequence
from typing import Any, NamedTuple

from channels import counters, names
from channels.layers.base import Delivery
from channels.layers.redis import codec, scripts
from channels.layers.redis.inhand import InHand, Receipt
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan
from channels.layers.redis.ring import Ring
from channels.layers.twins import DELIVERIES
from channels.types import Content

logger = logging.getLogger("django.channels.layers")

AT_LEAST_ONCE = "at-least-once"
AT_MOST_ONCE = "at-most-once"

DEAD_MS = 604_800_000
"""How long dead letters live: a week."""

GROUP = b"workers"

LOOK_AGAIN_SECONDS = 0.02
"""When a channel is looked through again that had many messages of the dead."""


class DeadLetter(NamedTuple):
    """A message that was handed out as often as allowed, and never finished."""

    id: str
    content: Content
    deliveries: int


def compile_delivery(delivery: Mapping[str, str] | None) -> list[re.Pattern[str]]:
    """Return what the names of channels match that are delivered at least once.

    Raises:
        ValueError: ``delivery`` holds something that is not a way to deliver.
    """
    patterns = []
    for pattern, way in (delivery or {}).items():
        if way not in (AT_LEAST_ONCE, AT_MOST_ONCE):
            raise ValueError(f"delivery of {pattern!r} must be {AT_LEAST_ONCE!r} or {AT_MOST_ONCE!r}, not {way!r}.")
        if way == AT_LEAST_ONCE:
            patterns.append(re.compile(fnmatch.translate(pattern)))
    return patterns


def without_tickets(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """Return those of ``deliveries`` that do not only say that there are messages in a stream."""
    return [delivery for delivery in deliveries if delivery.content is not codec.TICKET_CONTENT]


class Durable:
    """Plans what concerns channels that are delivered at least once.

    Args:
        keys: How channels are named.
        ring: Where channels are, and which are durable.
        coder: Decodes messages.
        redelivery_after: Seconds after which a message that nobody renewed is handed out again.
        max_deliveries: How often a message is handed out before it becomes a dead letter.
    """

    def __init__(
        self, keys: Keys, ring: Ring, coder: codec.Codec, redelivery_after: float, max_deliveries: int
    ) -> None:
        if redelivery_after <= 0 or max_deliveries < 1:
            raise ValueError("redelivery_after must be more than 0 seconds, and max_deliveries at least 1.")
        self._keys = keys
        self._ring = ring
        self._codec = coder
        self._idle_ms = max(1, round(redelivery_after * 1000))
        self._max_deliveries = max_deliveries
        self.interval = redelivery_after / 3
        self._next_look: dict[str, float] = {}
        self._busy: set[str] = set()

    def receive(
        self, queues: Sequence[str], limit: int, timeout: float, in_hand: InHand
    ) -> Generator["float | Plan[list[Delivery]]", list[Delivery], list[Delivery]]:
        """Take up to ``limit`` messages of one of ``queues``, durable or not.

        Yields plans to be carried out, and seconds for which lists are to be waited for; is sent what came of it.
        """
        end = time.monotonic() + timeout
        while True:
            if queue := self._due(queues):
                taken = yield self.take(queue, limit, in_hand, look=True)
            elif (queue := random.choice(queues)) in self._busy:
                # There was more than could be taken, so it is asked for at once, without a ticket.
                taken = yield self.take(queue, limit, in_hand)
            else:
                taken = yield max(0.0, min(end - time.monotonic(), self.interval))
                if not taken and time.monotonic() >= end:
                    return []
                messages = without_tickets(taken)
                if len(messages) < len(taken):
                    queue, taken = names.non_local_name(taken[0].channels[0]), messages
                    if messages:  # From before the channel was delivered at least once. The others come next.
                        self._next_look[queue] = 0.0
                    else:
                        taken = yield self.take(queue, limit, in_hand)
            if taken:
                return taken

    def _due(self, queues: Sequence[str]) -> str | None:
        """Return one of ``queues`` that is to be looked through for messages of the dead now, if there is one."""
        now = time.monotonic()
        for queue in queues:
            if self._ring.is_durable(queue) and self._next_look.get(queue, 0.0) <= now:
                self._next_look[queue] = now + self.interval
                return queue
        return None

    def take(self, queue: str, limit: int, in_hand: InHand, look: bool = False) -> Plan[list[Delivery]]:
        """Return up to ``limit`` messages of ``queue``; with ``look`` those of the dead before new ones."""
        shard = self._ring.shard_of(queue)
        arguments = (limit, self._idle_ms if look else 0, self._max_deliveries, DEAD_MS)
        keys = self._keys
        places = (keys.stream(queue), keys.dead(queue), keys.queue(queue), keys.returned(queue))
        replies = yield {shard: [scripts.call(scripts.DURABLE_TAKE, places, arguments)]}
        buried, *messages = replies[shard][0]
        if len(messages) == limit:
            self._busy.add(queue)
        else:
            self._busy.discard(queue)
        if buried:
            counters.add("message.dropped.dead_letter", buried)
            logger.error(
                "%d messages on %s were handed out %d times and never finished; they are dead letters now.",
                *(buried, queue, self._max_deliveries),
            )
        if look and len(messages) == limit and any(count > 1 for _, _, count in messages):
            # There may be more. Other channels get their turn before these do.
            self._next_look[queue] = time.monotonic() + LOOK_AGAIN_SECONDS
        deliveries = []
        receipts: list[tuple[Content, Receipt]] = []
        for number, entry, count in messages:
            receipt = Receipt(shard, queue, number)
            try:
                flags, _, _, payload = codec.read_entry(entry)
                content = self._codec.decode(flags, payload)
            except ValueError as error:
                counters.add("message.dropped.unreadable")
                logger.error("Skipped an entry of %s that is not a message of this layer: %s.", queue, error)
                yield from self.finish([receipt])
                continue
            content[DELIVERIES] = count
            receipts.append((content, receipt))
            deliveries.append(Delivery((queue,), content, bool(flags & codec.VIA_GROUP)))
        in_hand.add(receipts)
        return deliveries

    def finish(self, receipts: Sequence[Receipt]) -> Plan[None]:
        """Remove messages whose consumers have done their work."""
        step: dict[int, list[bytes]] = {}
        for (shard, queue), numbers in _by_queue(receipts).items():
            stream = self._keys.stream(queue)
            commands = scripts.command(b"XACK", stream, GROUP, *numbers), scripts.command(b"XDEL", stream, *numbers)
            step.setdefault(shard, []).extend(commands)
        if step:
            yield step

    def renew(self, receipts: Sequence[Receipt]) -> Plan[None]:
        """Say that these are in hand still."""
        step: dict[int, list[bytes]] = {}
        for (shard, queue), numbers in _by_queue(receipts).items():
            words: list[Any] = [b"XCLAIM", self._keys.stream(queue), GROUP, b"workers", 0, *numbers, b"JUSTID"]
            step.setdefault(shard, []).append(scripts.command(*words))
        if step:
            yield step

    def pending(self, queue: str) -> Plan[int]:
        """Return how many messages of ``queue`` are kept: waiting or in hand."""
        shard = self._ring.shard_of(queue)
        replies = yield {shard: [scripts.command(b"XLEN", self._keys.stream(queue))]}
        return int(replies[shard][0])

    def hand_back(self, receipts: Sequence[Receipt]) -> Plan[None]:
        """Let messages that were handed out be handed out again at once, before others, in this order."""
        step: dict[int, list[bytes]] = {}
        for (shard, queue), numbers in _by_queue(receipts).items():
            # The ticket last: who is woken by it finds the messages.
            pushes = ((self._keys.returned(queue), numbers[::-1]), (self._keys.queue(queue), [codec.TICKET_ENTRY]))
            for key, entries in pushes:
                commands = scripts.command(b"LPUSH", key, *entries), scripts.command(b"PEXPIRE", key, DEAD_MS)
                step.setdefault(shard, []).extend(commands)
        if step:
            yield step

    def dead_letters(self, queue: str, limit: int, ids: Sequence[str] | None) -> Plan[list[DeadLetter]]:
        """Return the oldest dead letters of ``queue``, or those with these ids."""
        shard, dead = self._ring.shard_of(queue), self._keys.dead(queue)
        commands = [scripts.command(b"XRANGE", dead, b"-", b"+", b"COUNT", limit)]
        if ids is not None:
            commands = [scripts.command(b"XRANGE", dead, number, number) for number in ids]
        replies = (yield {shard: commands})[shard] if commands else []
        letters = []
        for number, fields in itertools.chain(*replies):
            try:
                _, raw, _, deliveries = fields
                entry = codec.read_entry(raw)
                content = self._codec.decode(entry.flags, entry.payload)
                letters.append(DeadLetter(number.decode(), content, int(deliveries)))
            except ValueError as error:
                logger.error("Passed over %s, which is no dead letter of %s: %s.", number.decode(), queue, error)
        return letters

    @property
    def dead_prefix(self) -> str:
        """What the keys of dead letters begin with."""
        return f"{self._keys.prefix}:dead:"

    def count_dead_letters(self, queues: Sequence[str]) -> Plan[dict[str, int]]:
        """Return how many dead letters each of ``queues`` has."""
        asked: dict[int, list[str]] = {}
        for queue in queues:
            asked.setdefault(self._ring.shard_of(queue), []).append(queue)
        if not asked:
            return {}
        step = {n: [scripts.command(b"XLEN", self._keys.dead(queue)) for queue in part] for n, part in asked.items()}
        replies = yield step
        return {queue: int(count) for n, part in asked.items() for queue, count in zip(part, replies[n], strict=True)}

    def delete_dead_letters(self, queue: str, ids: Sequence[str] | None) -> Plan[int]:
        """Remove dead letters, all of them if ``ids`` is None; return how many."""
        shard, dead = self._ring.shard_of(queue), self._keys.dead(queue)
        if ids is None:
            replies = yield {shard: [scripts.command(b"XTRIM", dead, b"MAXLEN", 0)]}
        elif ids:
            replies = yield {shard: [scripts.command(b"XDEL", dead, *ids)]}
        else:
            return 0
        return int(replies[shard][0])

    def keeps(self, channel: str) -> bool:
        """Return whether messages of ``channel`` are delivered at least once."""
        return self._ring.is_durable(channel)


def _by_queue(receipts: Sequence[Receipt]) -> dict[tuple[int, str], list[bytes]]:
    numbers: dict[tuple[int, str], list[bytes]] = {}
    for shard, queue, number in receipts:
        numbers.setdefault((shard, queue), []).append(number)
    return numbers
