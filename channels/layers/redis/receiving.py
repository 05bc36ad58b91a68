"""Taking messages: which queues to ask, how to ask, and what the answers hold. Nothing here talks to a server."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from channels import counters, names
from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis import codec, scripts
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, SomeUnavailable, run_tolerantly
from channels.layers.redis.routes import Routes
from channels.layers.redis.shards import TIME, Facts, Moment, ServerClock, Shard

logger = logging.getLogger("django.channels.layers")


Where = Mapping[int, Sequence[str]]
"""Keys of queues, by shard."""

Place = tuple[int, int]
"""A shard and its server."""

REFUSED_SECONDS = 0.02
"""Pause when a shard is being moved to another server, before it is looked at again."""

_NOBODY_ELSE = ("",)
"""The receivers of an entry whose queue is a channel."""

SHORTEST_WAIT = 0.01
"""Servers before 7.0.8 round shorter waits down to 0, which means for ever."""


class Wait:
    """A step of a receive: wait for lists.

    Args:
        seconds: For how long at most.
        make_plan: Returns a plan that looks for what the wait probably ends with, to be sent in the same write; it is
            left out where that does not fit.

    Attributes:
        found: What the plan took.
    """

    def __init__(self, seconds: float, make_plan: Callable[[], Plan[list[Delivery]]] | None = None) -> None:
        self.seconds = seconds
        self.make_plan = make_plan
        self.found: list[Delivery] = []


def servers_of(where: Where, routes: Routes, servers: Sequence[Shard]) -> list[Place]:
    """Return the shards to take from in random order; those of lost servers only if there are no others."""
    order = [(shard, routes.server_of(shard)) for shard in where]
    if len(order) == 1:
        return order
    random.shuffle(order)
    return [place for place in order if not servers[place[1]].health.is_resting] or order


def look(
    reader: "Reader", facts: Callable[[int], Facts], order: Sequence[Place], where: Where, limit: int
) -> Plan[tuple[list[Delivery], Sequence[Place]]]:
    """Plan: take up to ``limit`` messages of one queue that are there now.

    Args:
        reader: Makes messages of answers.
        facts: Returns what is known of a server that has answered.
        order: Where to look, one place after the other.
        where: The keys there.
        limit: How many messages at most.

    Returns:
        The messages, and the places that could be reached.

    Raises:
        LayerUnavailable: None of them could.
    """
    usable: list[Place] = []
    problem: LayerUnavailable | None = None
    for shard, server in order:
        reply: Any = True
        try:
            while reply:  # What there was may all have expired.
                replies = yield {shard: [take_command(None, where[shard], limit, 0)]}
                reply = replies[shard][0]
                clock = facts(server).clock
                yield from set_clock(reader, reply, clock, shard)
                if taken := reader.read(reply, clock):
                    return taken, order
            usable.append((shard, server))
        except SomeUnavailable as failure:  # The others are still worth a look.
            problem = failure.errors[shard]
    if problem is not None and not usable:
        raise problem from problem.__cause__
    return [], usable


def set_clock(reader: "Reader", reply: Any, clock: ServerClock, shard: int) -> Plan[None]:
    """Plan: ask for the server's time, if a message in ``reply`` seems to have expired: its clock may have been set."""
    if reader.has_expired(reply, clock):
        replies, _ = yield from run_tolerantly({shard: [TIME]})
        if replies:
            clock.learn(replies[shard][0], Moment.now())


def take_command(facts: Facts | None, keys: Sequence[str], limit: int, wait: float) -> bytes:
    """Return the command that takes up to ``limit`` entries of one of ``keys``, waiting up to ``wait`` seconds.

    The server looks at the keys in the order given, so they are shuffled here: a busy queue must not hide
    the others. Before Redis 7 a command that waits takes one entry only; ``facts`` are needed to wait.
    """
    if len(keys) > 1:
        keys = random.sample(keys, len(keys))
    if wait <= 0:
        return scripts.call(scripts.TAKE, keys, (limit,))
    wait = max(wait, SHORTEST_WAIT)
    if facts is not None and facts.has_blmpop:
        return scripts.command(b"BLMPOP", wait, len(keys), *keys, b"LEFT", b"COUNT", limit)
    return scripts.command(b"BLPOP", *keys, wait)


def must_look_first(facts: Facts, limit: int) -> bool:
    """Return whether only a command that does not wait can take ``limit`` entries at once."""
    return limit > 1 and not facts.has_blmpop


def unblock(facts: Facts) -> bytes:
    """Return the command that, sent over another connection, ends the wait of the one with these ``facts``."""
    return scripts.command(b"CLIENT", b"UNBLOCK", facts.client_id)


def _entries(reply: Any) -> list[bytes]:
    if not reply:
        return []
    return reply[1] if isinstance(reply[1], list) else [reply[1]]


class Reader:
    """Turns what a server returned into deliveries; counts and logs what it drops.

    Args:
        keys: How queues are named.
        coder: Decodes messages.
        note_drops: Told the queue, the reason and the number of messages that were dropped.
    """

    def __init__(self, keys: Keys, coder: codec.Codec, note_drops: Callable[[str, str, int], None]) -> None:
        self._keys = keys
        self._codec = coder
        self._note_drops = note_drops
        self._reported: set[str] = set()

    def has_expired(self, reply: Any, clock: ServerClock) -> bool:
        """Return whether a message in the answer to a ``take_command`` seems to have expired."""
        now_ms = clock.now_ms()
        return any(codec.expires_ms(entry) <= now_ms for entry in _entries(reply))

    def read(self, reply: Any, clock: ServerClock) -> list[Delivery]:
        """Return the messages in the answer to a ``take_command``; expired and foreign ones are dropped."""
        if not reply:
            return []
        queue = self._keys.queue_of(reply[0])
        now_ms = clock.now_ms()
        deliveries: list[Delivery] = []
        expired = 0
        for raw in _entries(reply):
            try:
                entry = codec.read_entry(raw)
                if queue[-1] != "!" and entry.receivers != _NOBODY_ELSE:
                    raise codec.Unreadable("receivers", f"it names receivers, {entry.receivers!r:.100}")
                if entry.expires_ms <= now_ms:
                    expired += 1
                    continue
                is_ticket = entry.flags & codec.TICKET
                # Anybody can set a flag; here nothing is of any age.
                flags = entry.flags & ~codec.KEPT
                content = codec.TICKET_CONTENT if is_ticket else self._codec.decode(flags, entry.payload)
            except ValueError as error:
                self._report_unreadable(queue, error)
                continue
            channels = tuple([queue + receiver for receiver in entry.receivers])
            deliveries.append(Delivery(channels, content, bool(entry.flags & codec.VIA_GROUP)))
        if expired:
            counters.add("message.dropped.expired", expired)
            self._note_drops(queue, "expired", expired)
            logger.warning("%d messages on %s had expired before they were received.", expired, queue)
        return deliveries

    def _report_unreadable(self, queue: str, error: ValueError) -> None:
        counters.add("message.dropped.unreadable")
        self._note_drops(queue, "unreadable", 1)
        kind = error.kind if isinstance(error, codec.Unreadable) else "content"
        if kind not in self._reported:
            self._reported.add(kind)
            logger.error(
                "Skipped an entry of %s that is not a message of this layer: %s. Others of this kind are only counted, "
                "as message.dropped.unreadable.",
                queue,
                error,
            )


class Spare:
    """Messages that were taken from a server but not handed out yet. Safe for threads."""

    def __init__(self, expiry: float) -> None:
        self._expiry = expiry
        self._lock = threading.Lock()
        self._queues: dict[str, deque[tuple[float, Delivery]]] = {}

    def put(self, deliveries: Sequence[Delivery], *, first: bool = False) -> None:
        """Keep ``deliveries``, all of one queue; ``first`` puts them before what is kept of it already."""
        if not deliveries:
            return
        queue = names.non_local_name(deliveries[0].channels[0])
        deadline = time.monotonic() + self._expiry
        timed = [(deadline, delivery) for delivery in deliveries]
        with self._lock:
            kept = self._queues.setdefault(queue, deque())
            if first:
                kept.extendleft(reversed(timed))
            else:
                kept.extend(timed)

    def take(self, queues: Sequence[str], limit: int) -> list[Delivery]:
        """Return up to ``limit`` of what is kept for one of ``queues``."""
        if not self._queues:
            return []
        now = time.monotonic()
        with self._lock:
            for queue in random.sample(queues, len(queues)):
                kept = self._queues.get(queue)
                taken: list[Delivery] = []
                while kept and len(taken) < limit:
                    deadline, delivery = kept.popleft()
                    if deadline > now:
                        taken.append(delivery)
                    else:
                        counters.add("message.dropped.expired")
                        logger.warning("A message on %s expired before it was asked for.", queue)
                if kept is not None and not kept:
                    del self._queues[queue]
                if taken:
                    return taken
        return []

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._queues.clear()
