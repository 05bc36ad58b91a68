"""The statistics extension: counted in this process, added to the server's totals about once a second.

Keys: ``<stats_prefix><queue>`` and ``<stats_prefix>#global#``, hashes of ``messages_count`` and
``channel_full_count`` on the shard that the messages were sent to. Counting apart from sending keeps sends cheap;
what a process counted after its last flush is added when it sends or receives again, or closes the layer.
"""

import threading
import time
from collections.abc import Generator, Sequence
from typing import Any

from channels.layers.redis import scripts
from channels.layers.redis.codec import read_entry

FLUSH_SECONDS = 1.0
CHANNEL_MS = 3_600_000
"""How long the statistics of a channel outlive its last message."""

GLOBAL_MS = 86_400_000

_GLOBAL = "#global#"


class Tallies:
    """What was sent and refused since the last flush, by shard and queue. Safe for threads."""

    def __init__(self, stats_prefix: str) -> None:
        self._prefix = stats_prefix
        self._lock = threading.Lock()
        self._counts: dict[tuple[int, str], list[int]] = {}
        self._due = 0.0

    def add(self, shard: int, queue: str, sent: int, refused: int) -> None:
        """Count messages of ``queue``."""
        with self._lock:
            count = self._counts.get((shard, queue))
            if count is None:
                count = self._counts[shard, queue] = [0, 0]
            count[0] += sent
            count[1] += refused

    @property
    def is_due(self) -> bool:
        """Whether there is something to flush, and long enough after the last time."""
        return bool(self._counts) and time.monotonic() >= self._due

    def collect(self) -> dict[int, list[bytes]]:
        """Return the commands, by shard, that add what was counted, and start from zero."""
        with self._lock:
            counts, self._counts = self._counts, {}
            self._due = time.monotonic() + FLUSH_SECONDS
        commands: dict[int, list[bytes]] = {}
        for shard in {shard for shard, _ in counts}:
            mine = {queue: count for (where, queue), count in counts.items() if where == shard}
            total = [sum(count[kind] for count in mine.values()) for kind in (0, 1)]
            keys: list[scripts.Argument] = [self._prefix + queue for queue in (*mine, _GLOBAL)]
            arguments: list[scripts.Argument] = []
            for count in mine.values():
                arguments += (*count, CHANNEL_MS)
            commands[shard] = [scripts.call(scripts.COUNT, keys, (*arguments, *total, GLOBAL_MS))]
        return commands

    def read_command(self, queue: str = _GLOBAL) -> bytes:
        """Return the command that reads the totals of ``queue``, by default those of the server."""
        return scripts.command(b"HMGET", self._prefix + queue, b"messages_count", b"channel_full_count")


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


def read_statistics(
    tallies: Tallies, shards: Sequence[int], queue: str | None = None, key: str = "", expiry: float = 0
) -> Generator[dict[int, list[bytes]], dict[int, list[Any]], dict[str, float]]:
    """Plan: return what ``shards`` counted in all, or what the queue at ``key`` took, refused and holds.

    Args:
        tallies: What was counted here and not added yet.
        shards: Where to ask.
        queue: Name of the queue; None is everything.
        key: Its list.
        expiry: Seconds that its messages live.
    """
    yield tallies.collect()
    commands = [scripts.command(b"TIME"), tallies.read_command(*([] if queue is None else [queue]))]
    if queue is not None:
        commands += [scripts.command(b"LLEN", key), scripts.command(b"LINDEX", key, 0)]
    replies = yield dict.fromkeys(shards, commands)
    counts = [[int(value or 0) for value in replies[shard][1]] for shard in shards]
    found: dict[str, float] = dict(
        zip(("messages_count", "channel_full_count"), map(sum, zip(*counts, strict=True)), strict=True)
    )
    if queue is not None:
        found["messages_pending"] = sum(replies[shard][2] for shard in shards)
        found["messages_max_age"] = max(
            seconds_waited(head, int(seconds) * 1000 + int(micros) / 1000, expiry)
            for (seconds, micros), _, _, head in (replies[shard] for shard in shards)
        )
    return found
