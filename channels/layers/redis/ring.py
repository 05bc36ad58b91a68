"""Which of several Redis servers a channel or group lives on."""

from zlib import crc32


class Ring:
    """Names on ``size`` shards.

    The hash is that of 1.x's Redis layer: the low 12 bits of CRC-32, cut into equal ranges.
    """

    def __init__(self, size: int) -> None:
        self.size = size

    def shard_of(self, name: str) -> int:
        """Return the shard of a group, of a single-reader channel, or of a queue that ends in ``!``."""
        return (crc32(name.encode("ascii")) & 0xFFF) * self.size // 4096

    def is_anywhere(self, queue: str) -> bool:
        """Return whether messages of ``queue`` may be on any shard: it is a normal channel."""
        return "!" not in queue and "?" not in queue
