"""Which of several Redis servers a channel or a membership lives on."""

import re
from collections.abc import Sequence
from zlib import crc32

from channels import names


class Ring:
    """Names on ``size`` shards.

    The hash is that of 1.x's Redis layer: the low 12 bits of CRC-32, cut into equal ranges.

    Args:
        size: How many there are.
        durable: What the names of normal channels match that are delivered at least once; these have a place, too.
    """

    group_is_one_place = False
    """Whether all members of a group are in one place; else each is beside its queue, and a group is everywhere."""

    def __init__(self, size: int, durable: Sequence[re.Pattern[str]] = ()) -> None:
        self.size = size
        self.has_durable = bool(durable)
        self._durable = durable

    def shard_of(self, name: str) -> int:
        """Return the shard of a single-reader channel, of a queue that ends in ``!``, or of anything else by name."""
        return (crc32(name.encode("ascii")) & 0xFFF) * self.size // 4096 if self.size > 1 else 0

    def is_durable(self, queue: str) -> bool:
        """Return whether messages of ``queue`` are delivered at least once: a matching normal channel."""
        if not self._durable or "!" in queue or "?" in queue:
            return False
        return any(pattern.match(queue) for pattern in self._durable)

    def is_anywhere(self, queue: str) -> bool:
        """Return whether messages of ``queue`` may be on any shard: it is a normal channel."""
        return "!" not in queue and "?" not in queue and not self.is_durable(queue)

    def shards_of(self, queue: str) -> Sequence[int]:
        """Return the shards that messages of ``queue`` may be on."""
        return range(self.size) if self.is_anywhere(queue) else (self.shard_of(queue),)

    def member_shard(self, group: str, channel: str) -> int:
        """Return the shard that keeps the membership of ``channel``: that of its queue."""
        return self.shard_of(names.non_local_name(channel))

    def group_shards(self, group: str) -> Sequence[int]:
        """Return the shards that may keep members of ``group``."""
        return range(self.size)

    def turn_place(self, connection: str) -> tuple[int, str]:
        """Return the shard that decides the turns of ``connection``, and its tag."""
        # That of its replies: what ends a turn must not arrive where its replies do not.
        return self.shard_of(names.non_local_name(connection)), ""

    def turn_places(self) -> Sequence[tuple[int, str]]:
        """Return every shard that decides turns, with its tag."""
        return [(shard, "") for shard in range(self.size)]

    def total_shard(self, shard: int) -> int:
        """Return the shard where what happens on ``shard`` is counted for all queues."""
        return shard

    def total_shards(self) -> Sequence[int]:
        """Return every such shard."""
        return range(self.size)
