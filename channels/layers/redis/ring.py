"""Which of several Redis servers a channel or group lives on."""

import re
from collections.abc import Sequence
from zlib import crc32


class Ring:
    """Names on ``size`` shards.

    The hash is that of 1.x's Redis layer: the low 12 bits of CRC-32, cut into equal ranges.

    Args:
        size: How many there are.
        durable: What the names of normal channels match that are delivered at least once; these have a place, too.
    """

    def __init__(self, size: int, durable: Sequence[re.Pattern[str]] = ()) -> None:
        self.size = size
        self.has_durable = bool(durable)
        self._durable = durable

    def shard_of(self, name: str) -> int:
        """Return the shard of a group, of a single-reader channel, or of a queue that ends in ``!``."""
        return (crc32(name.encode("ascii")) & 0xFFF) * self.size // 4096

    def is_durable(self, queue: str) -> bool:
        """Return whether messages of ``queue`` are delivered at least once: a matching normal channel."""
        if not self._durable or "!" in queue or "?" in queue:
            return False
        return any(pattern.match(queue) for pattern in self._durable)

    def is_anywhere(self, queue: str) -> bool:
        """Return whether messages of ``queue`` may be on any shard: it is a normal channel."""
        return "!" not in queue and "?" not in queue and not self.is_durable(queue)
