"""The statistics extension: counted in this process, added to the server's totals about once a second.

Where totals are kept, and how rates are, is told at the head of ``lua/count.lua``. Counting apart from sending keeps
sends cheap; what a process counted after its last flush is added when it sends or receives again, or closes the layer.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from channels.layers.redis import scripts
from channels.layers.redis.codec import read_entry
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, Step, together
from channels.layers.redis.ring import Ring

FLUSH_SECONDS = 1.0
CHANNEL_MS = 3_600_000
"""How long the statistics of a channel outlive its last message."""

TOTAL_MS = 86_400_000

QUEUES_PER_STEP = 100
"""Of how many queues the state is asked for at once: each answers with its first message, however large. And to the
statistics of how many one call adds."""

RATE_SECONDS = 10
"""Over how long rates are averaged: the constant in ``lua/count.lua``."""

RATED = ("messages_count", "channel_full_count")
DROPS = ("dropped_expired", "dropped_unreadable", "dropped_dead_process")
"""Fields of messages that were taken and will never be received, by reason."""


class Tallies:
    """What happened since the last flush, by shard and queue. Safe for threads.

    Args:
        keys: How statistics are named.
        ring: Where they are.
    """

    def __init__(self, keys: Keys, ring: Ring) -> None:
        self._keys = keys
        self._ring = ring
        self._lock = threading.Lock()
        self._counts: Counter[tuple[int, str, str]] = Counter()
        self._due = 0.0

    def add(self, shard: int, queue: str, sent: int, refused: int) -> None:
        """Count messages of ``queue``."""
        with self._lock:
            if sent:
                self._counts[shard, queue, "messages_count"] += sent
            if refused:
                self._counts[shard, queue, "channel_full_count"] += refused

    def add_drops(self, queue: str, reason: str, amount: int) -> None:
        """Count messages that were dropped."""
        with self._lock:
            self._counts[self._ring.shard_of(queue), queue, f"dropped_{reason}"] += amount

    def add_drops_on(self, shard: int, reason: str, amount: int) -> None:
        """Count messages that were dropped from queues that nobody named."""
        with self._lock:
            self._counts[shard, "", f"dropped_{reason}"] += amount

    @property
    def is_due(self) -> bool:
        """Whether there is something to flush, and long enough after the last time."""
        return bool(self._counts) and time.monotonic() >= self._due

    def collect(self) -> Step:
        """Return the commands that add what was counted, and start from zero."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
            self._due = time.monotonic() + FLUSH_SECONDS
        hashes: dict[int, dict[str, Counter[str]]] = {}
        for (shard, queue, field), count in counts.items():
            if queue:
                hashes.setdefault(shard, {}).setdefault(self._keys.statistics(queue), Counter())[field] += count
            totals = hashes.setdefault(self._ring.total_shard(shard), {})
            totals.setdefault(self._keys.total, Counter())[field] += count
        return {shard: self._count_calls(list(mine.items())) for shard, mine in hashes.items()}

    def _count_calls(self, hashes: Sequence[tuple[str, Counter[str]]]) -> list[bytes]:
        """Return the commands that add to ``hashes``, a few to each: the server does nothing else while one runs."""
        calls = []
        for first in range(0, len(hashes), QUEUES_PER_STEP):
            part = hashes[first : first + QUEUES_PER_STEP]
            arguments: list[scripts.Argument] = []
            for key, fields in part:
                arguments += (TOTAL_MS if key == self._keys.total else CHANNEL_MS, len(fields))
                for field, count in fields.items():
                    arguments += (field, count)
            calls.append(scripts.call(scripts.COUNT, [key for key, _ in part], arguments))
        return calls


def seconds_waited(head: bytes | None, now_ms: float, expiry: float) -> float:
    """Return how long ``head``, the first entry of a queue, has waited; 0 if there is none.

    Args:
        head: The entry.
        now_ms: The time, in milliseconds since the epoch.
        expiry: Seconds that entries live.
    """
    if head is None:
        return 0.0
    try:
        expires_ms = read_entry(head).expires_ms
    except ValueError:
        return 0.0
    return max(0.0, expiry - (expires_ms - now_ms) / 1000)


def read_total(tallies: Tallies, keys: Keys, ring: Ring) -> Plan[dict[str, float]]:
    """Plan: return what was counted of all queues.

    Args:
        tallies: What was counted here and not added yet.
        keys: How statistics are named.
        ring: Where they are.
    """
    if step := tallies.collect():
        yield step
    replies = yield {shard: [scripts.command(b"TIME"), _read_command(keys.total)] for shard in ring.total_shards()}
    return _sum_up(list(replies.values()))


def read_queues(tallies: Tallies, readings: Sequence[Plan[dict[str, float]]]) -> Plan[list[dict[str, float]]]:
    """Plan: carry out ``readings`` together, after what was counted here is added.

    Args:
        tallies: What was counted here and not added yet.
        readings: Plans made of ``read_queue``.
    """
    if step := tallies.collect():
        yield step
    return (yield from together(readings))


def read_queue(keys: Keys, ring: Ring, queue: str, expiry: float) -> Plan[dict[str, float]]:
    """Plan: return what ``queue`` took, refused, dropped and holds, by the counts of the servers.

    Args:
        keys: How statistics are named.
        ring: Where they are.
        queue: Its name.
        expiry: Seconds that its messages live.
    """
    key = keys.queue(queue)
    commands = [
        scripts.command(b"TIME"),
        _read_command(keys.statistics(queue)),
        scripts.command(b"LLEN", key),
        scripts.command(b"LINDEX", key, 0),
    ]
    replies = yield dict.fromkeys(ring.shards_of(queue), commands)
    found = _sum_up(list(replies.values()))
    found["messages_pending"] = sum(reply[2] for reply in replies.values())
    found["messages_max_age"] = max(
        seconds_waited(reply[3], _milliseconds(reply[0]), expiry) for reply in replies.values()
    )
    return found


def _read_command(key: str) -> bytes:
    moments = [f"{name}:{part}" for name in RATED for part in ("rate", "at")]
    return scripts.command(b"HMGET", key, *RATED, *DROPS, *moments)


def _sum_up(replies: Sequence[Sequence[Any]]) -> dict[str, float]:
    """Return what several servers counted, as one. Each reply begins with the time and the answer to the reading."""
    found: dict[str, float] = dict.fromkeys((*RATED, *DROPS, *(f"{name}_per_second" for name in RATED)), 0)
    for time_reply, values, *_ in replies:
        now = _milliseconds(time_reply) / 1000
        for name, value in zip((*RATED, *DROPS), values, strict=False):
            found[name] += int(_number(value))
        moments = [_number(value) for value in values[len(RATED) + len(DROPS) :]]
        for name, rate, since in zip(RATED, moments[::2], moments[1::2], strict=True):
            found[f"{name}_per_second"] += rate * math.exp(min(0.0, since - now) / RATE_SECONDS)
    return found


def _number(value: bytes | None) -> float:
    """Return what was counted; what is no number was written by somebody else and counts for nothing."""
    try:
        number = float(value or 0)
    except ValueError:
        return 0.0
    return number if math.isfinite(number) else 0.0


def _milliseconds(reply: Sequence[Any]) -> float:
    seconds, microseconds = reply
    return int(seconds) * 1000 + int(microseconds) / 1000
