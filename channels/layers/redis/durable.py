"""Delivery at least once: messages are kept in streams until their consumer has done its work.

What was handed out stays in the stream. ``finish`` removes it; while it is in hand a thread of this process renews
it; what nobody renewed for ``redelivery_after`` seconds belonged to a process that died, or to a consumer that failed,
and is handed out again. Keys are told at the heads of ``lua/send.lua`` and ``lua/durable_take.lua``.
"""

import fnmatch
import logging
import random
import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any

from channels import counters, names
from channels.layers.base import Delivery
from channels.layers.redis import apart, codec, scripts
from channels.layers.redis.apart import Apart
from channels.layers.redis.deadletters import DeadLetters
from channels.layers.redis.inhand import InHand, Receipt
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan
from channels.layers.redis.receiving import Wait
from channels.layers.redis.ring import Ring
from channels.layers.redis.shards import TIME
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
        self._likely = ""
        self.letters = DeadLetters(keys, ring, coder)

    def receive(
        self, queues: Sequence[str], limit: int, timeout: float, in_hand: InHand
    ) -> Generator["Wait | Plan[Any]", list[Delivery], list[Delivery]]:
        """Take up to ``limit`` messages of one of ``queues``, durable or not.

        Yields plans to be carried out and waits; is sent what came of it.
        """
        end = time.monotonic() + timeout
        while True:
            if queue := self._due(queues):
                taken = yield self.take(queue, limit, in_hand, look=True)
            elif (queue := random.choice(queues)) in self._busy:  # noqa: S311 - fairness, not a secret
                # There was more than could be taken, so it is asked for at once, without a ticket.
                taken = yield self.take(queue, limit, in_hand)
            else:
                wait = Wait(max(0.0, min(end - time.monotonic(), self.interval)), self._guess(queues, limit, in_hand))
                taken = yield wait
                if not taken and not wait.found and time.monotonic() >= end:
                    return []
                taken = yield from self._use_tickets(taken, wait.found, limit, in_hand)
            if taken:
                return taken

    def _guess(self, queues: Sequence[str], limit: int, in_hand: InHand) -> Callable[[], Plan[list[Delivery]]] | None:
        """Return what makes the plan to follow a ticket that is not there yet: one for the same queue as the last."""
        queue = self._likely
        if queue not in queues or self._ring.group_is_one_place:
            return None
        return lambda: self.take(queue, limit, in_hand, has_waited=True)

    def _use_tickets(
        self, taken: Sequence[Delivery], guessed: list[Delivery], limit: int, in_hand: InHand
    ) -> Generator["Plan[Any]", list[Delivery], list[Delivery]]:
        """Return what a wait brought: messages, what was guessed rightly, or that to which a ticket leads."""
        messages = without_tickets(taken)
        if len(messages) == len(taken):
            if messages:
                self._likely = ""
            if messages and guessed:
                yield self.hand_back(in_hand.pop(delivery.content for delivery in guessed))
            return messages or guessed
        queue = names.non_local_name(taken[0].channels[0])
        if guessed and not messages and guessed[0].channels[0] == queue:
            return guessed
        if messages or guessed:  # Messages from before the channel was delivered at least once, or of another one.
            self._next_look[queue] = 0.0
            if messages and guessed:
                yield self.hand_back(in_hand.pop(delivery.content for delivery in guessed))
            return messages or guessed
        self._likely = queue
        return (yield self.take(queue, limit, in_hand))

    def _due(self, queues: Sequence[str]) -> str | None:
        """Return one of ``queues`` that is to be looked through for messages of the dead now, if there is one."""
        now = time.monotonic()
        for queue in queues:
            if self._ring.is_durable(queue) and self._next_look.get(queue, 0.0) <= now:
                self._next_look[queue] = now + self.interval
                return queue
        return None

    def take(
        self, queue: str, limit: int, in_hand: InHand, look: bool = False, has_waited: bool = False
    ) -> Plan[list[Delivery]]:
        """Return up to ``limit`` messages of ``queue``.

        Args:
            queue: Its name.
            limit: How many at most.
            in_hand: Where they are noted.
            look: Return those of the dead before new ones.
            has_waited: Return nothing while there is a ticket: somebody will come for it.
        """
        shard = self._ring.shard_of(queue)
        replies = yield {shard: [self._take_call(queue, shard, limit, self._idle_ms if look else 0, has_waited)]}
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

    def _take_call(self, queue: str, shard: int, limit: int, idle_ms: int, has_waited: bool) -> bytes:
        keys, most = self._keys, self._max_deliveries
        places = (keys.stream(queue), keys.dead(queue), keys.queue(queue), keys.returned(queue))
        command = scripts.call(scripts.DURABLE_TAKE, places, (limit, idle_ms, most, DEAD_MS, int(has_waited)))
        if self._ring.group_is_one_place:
            return Apart(command, lambda: apart.take(keys, shard, queue, limit, idle_ms, most))
        return command

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

    def pending(self, queue: str) -> Plan[dict[str, float]]:
        """Return how many messages of ``queue`` are kept, waiting or in hand, and the age of the oldest in seconds."""
        shard, stream = self._ring.shard_of(queue), self._keys.stream(queue)
        commands = [scripts.command(b"XLEN", stream), scripts.command(b"XRANGE", stream, b"-", b"+", b"COUNT", 1)]
        replies = yield {shard: [TIME, *commands]}
        (seconds, microseconds), count, first = replies[shard]
        now_ms = int(seconds) * 1000 + int(microseconds) / 1000
        # Streams number by the time, in ms.
        age = now_ms - int(first[0][0].partition(b"-")[0]) if first else 0.0
        return {"messages_pending": int(count), "messages_max_age": max(0.0, age / 1000)}

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

    def keeps(self, channel: str) -> bool:
        """Return whether messages of ``channel`` are delivered at least once."""
        return self._ring.is_durable(channel)


def _by_queue(receipts: Sequence[Receipt]) -> dict[tuple[int, str], list[bytes]]:
    numbers: dict[tuple[int, str], list[bytes]] = {}
    for shard, queue, number in receipts:
        numbers.setdefault((shard, queue), []).append(number)
    return numbers
