"""Which shard a name lives on: the hash of 1.x, evenly spread."""

from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.layers.redis.ring import Ring

names = st.from_regex(r"[a-zA-Z0-9\-_.]{1,60}", fullmatch=True)


@given(names, st.integers(1, 64))
def test_shard_of_is_the_hash_of_1x(name: str, size: int) -> None:
    """The low 12 bits of CRC-32, over 4096 divided by the number of shards."""
    assert Ring(size).shard_of(name) == int((crc32(name.encode()) & 0xFFF) / (4096 / size))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_shard_of_spreads_names_evenly(size: int) -> None:
    """No shard gets much more than its part."""
    ring = Ring(size)
    counts = [0] * size
    for number in range(3000):
        counts[ring.shard_of(f"websocket.send.{number}!")] += 1
    assert min(counts) > 3000 / size * 0.8


@pytest.mark.parametrize(("queue", "expected"), [("http.request", True), ("body?x", False), ("send.x!", False)])
def test_only_normal_channels_may_be_anywhere(queue: str, expected: bool) -> None:
    """Channels with one reader have one place."""
    assert Ring(2).is_anywhere(queue) is expected
