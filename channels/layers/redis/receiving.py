"""Taking messages: which queues to ask, how to ask, and what the answers hold. Nothing here talks to a server."""

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from channels import counters, names
from channels.layers.base import Delivery
from channels.layers.redis import codec, scripts
from channels.layers.redis.shards import Facts

logger = logging.getLogger("django.channels.layers")


SHORTEST_WAIT = 0.01
"""Servers before 7.0.8 round shorter waits down to 0, which means for ever."""


def take_command(facts: Facts, keys: Sequence[str], limit: int, wait: float) -> bytes:
    """Return the command that takes up to ``limit`` entries of one of ``keys``, waiting up to ``wait`` seconds.

    The server looks at the keys in the order given, so they are shuffled here: a busy queue must not hide
    the others. Before Redis 7 a command that waits takes one entry only.
    """
    if len(keys) > 1:
        keys = random.sample(keys, len(keys))
    if wait <= 0:
        return scripts.call(scripts.TAKE, keys, (limit,))
    wait = max(wait, SHORTEST_WAIT)
    if facts.has_blmpop:
        return scripts.command(b"BLMPOP", wait, len(keys), *keys, b"LEFT", b"COUNT", limit)
    return scripts.command(b"BLPOP", *keys, wait)


def must_look_first(facts: Facts, limit: int) -> bool:
    """Return whether only a command that does not wait can take ``limit`` entries at once."""
    return limit > 1 and not facts.has_blmpop


def unblock(facts: Facts) -> bytes:
    """Return the command that, sent over another connection, ends the wait of the one with these ``facts``."""
    return scripts.command(b"CLIENT", b"UNBLOCK", facts.client_id)


def shuffled(shards: Iterable[int]) -> list[int]:
    """Return ``shards`` in random order."""
    order = list(shards)
    random.shuffle(order)
    return order


class Reader:
    """Turns what a server returned into deliveries; counts and logs what it drops."""

    def __init__(self, prefix: str, codec: codec.Codec) -> None:
        self._prefix = prefix.encode()
        self._codec = codec

    def read(self, reply: Any, facts: Facts) -> list[Delivery]:
        """Return the messages in the answer to a ``take_command``; expired and foreign ones are dropped."""
        if not reply:
            return []
        key, entries = reply
        queue = key[len(self._prefix) :].decode()
        now_ms = facts.now_ms()
        deliveries: list[Delivery] = []
        expired = 0
        for raw in entries if isinstance(entries, list) else [entries]:
            try:
                entry = codec.read_entry(raw)
                if entry.expires_ms <= now_ms:
                    expired += 1
                    continue
                is_ticket = entry.flags & codec.TICKET
                content = codec.TICKET_CONTENT if is_ticket else self._codec.decode(entry.flags, entry.payload)
            except ValueError as error:
                counters.add("message.dropped.unreadable")
                logger.error("Skipped an entry of %s that is not a message of this layer: %s.", queue, error)
                continue
            channels = tuple([queue + receiver for receiver in entry.receivers])
            deliveries.append(Delivery(channels, content, bool(entry.flags & codec.VIA_GROUP)))
        if expired:
            counters.add("message.dropped.expired", expired)
            logger.warning("%d messages on %s had expired before they were received.", expired, queue)
        return deliveries


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
