"""Delivery at least once: messages are kept in streams until their consumer has done its work.

What was handed out stays in the stream. ``finish`` removes it; while it is in hand a thread of this process renews
it; what nobody renewed for ``redelivery_after`` seconds belonged to a process that died, or to a consumer that failed,
and is handed out again. Keys are told at the heads of ``lua/send.lua`` and ``lua/durable_take.lua``.
"""

import fnmatch
import logging
import random
import re
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, NamedTuple

from channels import counters
from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis import codec, scripts
from channels.layers.redis.ring import Ring
from channels.layers.redis.sending import Plan
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


class Receipt(NamedTuple):
    """Where a message in hand is kept."""

    shard: int
    stream: str
    id: bytes


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


def has_ticket(deliveries: Sequence[Delivery]) -> bool:
    """Return whether ``deliveries`` only say that there are messages in a stream. All are of one kind."""
    return bool(deliveries) and deliveries[0].content is codec.TICKET_CONTENT


class InHand:
    """What one process has been handed out and has not finished; a thread renews it. Safe for threads.

    Args:
        renew: Renews what the receipts stand for; may raise ``LayerUnavailable``.
        interval: Seconds between two renewals.
    """

    def __init__(self, renew: Callable[[Sequence[Receipt]], None], interval: float) -> None:
        self._renew = renew
        self._interval = interval
        self._lock = threading.Lock()
        # By identity: consumers are given the content itself, and two messages may be equal.
        self._receipts: dict[int, tuple[Content, Receipt]] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def add(self, content: Content, receipt: Receipt) -> None:
        """Renew the message with this content from now on."""
        with self._lock:
            self._receipts[id(content)] = (content, receipt)
            if self._thread is None:
                self._closed.clear()
                self._thread = threading.Thread(target=self._run, name="channels-renewal", daemon=True)
                self._thread.start()

    def __contains__(self, content: Content) -> bool:
        return id(content) in self._receipts

    def pop(self, content: Content) -> Receipt | None:
        """Renew it no more; return its receipt if it was in hand."""
        with self._lock:
            _, receipt = self._receipts.pop(id(content), (None, None))
            return receipt

    def pop_all(self, deliveries: Sequence[Delivery]) -> list[Receipt]:
        """``pop`` for each of ``deliveries`` that is in hand."""
        if not self._receipts:
            return []
        receipts = [self.pop(delivery.content) for delivery in deliveries]
        return [receipt for receipt in receipts if receipt is not None]

    def clear(self) -> None:
        """Renew nothing of what is in hand now."""
        with self._lock:
            self._receipts.clear()

    def _run(self) -> None:
        while not self._closed.wait(self._interval):
            with self._lock:
                receipts = [receipt for _, receipt in self._receipts.values()]
                if not receipts:
                    self._thread = None
                    return
            try:
                self._renew(receipts)
            except LayerUnavailable as error:
                logger.warning("Could not renew %d messages in hand: %s", len(receipts), error)

    def close(self) -> None:
        """Renew nothing any more; what is in hand is handed out again, to whoever comes."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._receipts.clear()
            self._closed.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()


class Durable:
    """Plans what concerns channels that are delivered at least once.

    Args:
        prefix: What every key begins with.
        ring: Where channels are, and which are durable.
        coder: Decodes messages.
        redelivery_after: Seconds after which a message that nobody renewed is handed out again.
        max_deliveries: How often a message is handed out before it becomes a dead letter.
    """

    def __init__(
        self, prefix: str, ring: Ring, coder: codec.Codec, redelivery_after: float, max_deliveries: int
    ) -> None:
        if redelivery_after <= 0 or max_deliveries < 1:
            raise ValueError("redelivery_after must be more than 0 seconds, and max_deliveries at least 1.")
        self._prefix = prefix
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
                if has_ticket(taken):
                    taken = yield self.take(taken[0].channels[0], limit, in_hand, tickets=len(taken))
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

    def take(
        self, queue: str, limit: int, in_hand: InHand, look: bool = False, tickets: int = 0
    ) -> Plan[list[Delivery]]:
        """Return up to ``limit`` messages of ``queue``; with ``look`` those of the dead before new ones."""
        shard, stream, dead = self._place(queue)
        arguments = (limit, self._idle_ms if look else 0, self._max_deliveries, DEAD_MS, tickets)
        keys = (stream, dead, self._prefix + queue)
        replies = yield {shard: [scripts.call(scripts.DURABLE_TAKE, keys, arguments)]}
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
        if look and len(messages) == limit and messages[0][2] > 1:
            # There may be more. Other channels get their turn before these do.
            self._next_look[queue] = time.monotonic() + LOOK_AGAIN_SECONDS
        deliveries = []
        for number, entry, count in messages:
            receipt = Receipt(shard, stream, number)
            try:
                flags, _, _, payload = codec.read_entry(entry)
                content = self._codec.decode(flags, payload)
            except ValueError as error:
                counters.add("message.dropped.unreadable")
                logger.error("Skipped an entry of %s that is not a message of this layer: %s.", queue, error)
                yield from self.finish([receipt])
                continue
            content[DELIVERIES] = count
            in_hand.add(content, receipt)
            deliveries.append(Delivery((queue,), content, bool(flags & codec.VIA_GROUP)))
        return deliveries

    def finish(self, receipts: Sequence[Receipt]) -> Plan[None]:
        """Remove messages whose consumers have done their work."""
        step: dict[int, list[bytes]] = {}
        for (shard, stream), numbers in _by_stream(receipts).items():
            commands = scripts.command(b"XACK", stream, GROUP, *numbers), scripts.command(b"XDEL", stream, *numbers)
            step.setdefault(shard, []).extend(commands)
        if step:
            yield step

    def renew(self, receipts: Sequence[Receipt]) -> Plan[None]:
        """Say that these are in hand still."""
        step: dict[int, list[bytes]] = {}
        for (shard, stream), numbers in _by_stream(receipts).items():
            words: list[Any] = [b"XCLAIM", stream, GROUP, b"workers", 0, *numbers, b"JUSTID"]
            step.setdefault(shard, []).append(scripts.command(*words))
        if step:
            yield step

    def pending(self, queue: str) -> Plan[int]:
        """Return how many messages of ``queue`` are kept: waiting or in hand."""
        shard, stream, _ = self._place(queue)
        replies = yield {shard: [scripts.command(b"XLEN", stream)]}
        return int(replies[shard][0])

    def dead_letters(self, queue: str, limit: int) -> Plan[list[DeadLetter]]:
        """Return the oldest dead letters of ``queue``."""
        shard, _, dead = self._place(queue)
        replies = yield {shard: [scripts.command(b"XRANGE", dead, b"-", b"+", b"COUNT", limit)]}
        letters = []
        for number, (_, raw, _, deliveries) in replies[shard][0]:
            entry = codec.read_entry(raw)
            letters.append(DeadLetter(number.decode(), self._codec.decode(entry.flags, entry.payload), int(deliveries)))
        return letters

    def bury_no_more(self, queue: str, number: str) -> Plan[None]:
        """Remove a dead letter."""
        shard, _, dead = self._place(queue)
        yield {shard: [scripts.command(b"XDEL", dead, number)]}

    def _place(self, queue: str) -> tuple[int, str, str]:
        return self._ring.shard_of(queue), f"{self._prefix}:stream:{queue}", f"{self._prefix}:dead:{queue}"


def _by_stream(receipts: Sequence[Receipt]) -> dict[tuple[int, str], list[bytes]]:
    numbers: dict[tuple[int, str], list[bytes]] = {}
    for shard, stream, number in receipts:
        numbers.setdefault((shard, stream), []).append(number)
    return numbers
