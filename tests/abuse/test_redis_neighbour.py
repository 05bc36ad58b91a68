"""A hostile neighbour: somebody else writes into the same Redis whatever he likes, and the layer keeps its promises."""

import asyncio
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import counters
from channels.layers.redis import RedisChannelLayer
from channels.layers.turns import Early, NextStep, Verdict
from tests.abuse.strategies import BLOBS, ENTRIES, MEMBERS, TEXTS, fuzz
from tests.support.layers import making
from tests.support.loudness import Log
from tests.support.redis import RedisServer

pytestmark = pytest.mark.slow

KEYS = ["secret"]

Make = Callable[..., RedisChannelLayer]


@pytest.fixture
def make_layer(redis_server: RedisServer) -> Iterator[Make]:
    """Makes layers on one empty server."""
    with making(RedisChannelLayer, hosts=[redis_server.url]) as make:
        yield make


def dropped() -> int:
    """Return how many messages were dropped so far, for any reason."""
    return sum(count for name, count in counters.snapshot().items() if name.startswith("message.dropped."))


def take_until_good(layer: RedisChannelLayer, queue: str, limit: int) -> int:
    """Take from ``queue`` until the good message comes; return how many others came."""
    found: list[Any] = []
    while not any(content == {"good": True} for content in found):
        taken = layer.receive_batch([queue], limit, 0)
        for delivery in taken:
            assert isinstance(delivery.content, dict)
            assert all(isinstance(name, str) for name in delivery.channels)
            found += [delivery.content] * len(delivery.channels)
        if not taken:
            break
    assert found.count({"good": True}) == 1
    return len(found) - 1


@pytest.mark.parametrize("config", [{}, {"symmetric_encryption_keys": KEYS}], ids=["plain", "encrypted"])
@pytest.mark.parametrize("queue", ["test", "websocket.send.process!"])
def test_any_entry_of_a_queue_leaves_the_next_message_readable(
    make_layer: Make, config: Any, queue: str, log: Log
) -> None:
    """What cannot be read is counted and logged, and no message of ours is lost with it."""
    layer = make_layer(**config)
    layer.send(queue, {"warm": "up"})  # The first message is what makes a process-specific queue a living one.
    layer.receive_batch([queue])
    client = layer.connection(0)

    @fuzz(60)
    @given(st.lists(ENTRIES, min_size=1, max_size=4), st.sampled_from([1, 10]))
    def check(entries: list[bytes], limit: int) -> None:
        client.rpush("asgi:" + queue, *entries)
        before = dropped()
        layer.send(queue + ("x" if queue.endswith("!") else ""), {"good": True})
        others = take_until_good(layer, queue, limit)
        assert others > 0 or dropped() > before
        assert log.tracebacks == []

    check()
    assert "not a message of this layer" in "".join(log.lines)


def test_any_entry_is_passed_over_by_event_loops(make_layer: Make, log: Log) -> None:
    """The same for the interface, which receives without threads."""
    layer = make_layer()
    queue = "websocket.send.process!"
    client = layer.connection(0)

    async def take_all() -> list[Any]:
        found = []
        while taken := await layer.areceive_batch([queue], 10, 0):
            found += [delivery.content for delivery in taken]
        await layer.aclose()
        return found

    @fuzz(30)
    @given(st.lists(ENTRIES, min_size=1, max_size=4))
    def check(entries: list[bytes]) -> None:
        layer.receive_batch([queue])
        client.rpush("asgi:" + queue, *entries)
        layer.send(queue + "x", {"good": True})
        assert asyncio.run(take_all()).count({"good": True}) == 1

    check()
    assert log.tracebacks == []


def test_any_entry_of_a_stream_leaves_the_next_message_readable(make_layer: Make, log: Log) -> None:
    """Where messages are delivered at least once: fields of all kinds, and tickets that lead nowhere."""
    layer = make_layer(delivery={"test": "at-least-once"})
    client = layer.connection(0)
    fields = st.dictionaries(st.sampled_from([b"entry", b"other", b""]), ENTRIES, min_size=1, max_size=3)

    @fuzz(60)
    @given(st.lists(fields, max_size=3), st.lists(ENTRIES, max_size=2), st.sampled_from([1, 10]))
    def check(entries: list[dict[bytes, bytes]], tickets: list[bytes], limit: int) -> None:
        layer.flush()
        for entry in entries:
            client.xadd("asgi::stream:test", entry)
        if tickets:
            client.rpush("asgi:test", *tickets)
        layer.send("test", {"good": True})
        found: list[Any] = []
        for _ in range(20):
            taken = [delivery.content for delivery in layer.receive_batch(["test"], limit, 0)]
            found += [{key: value for key, value in one.items() if key != "__deliveries__"} for one in taken]
            layer.finish_deliveries(taken, True)
        assert found.count({"good": True}) == 1

    check()
    assert log.tracebacks == []


@pytest.mark.parametrize(
    "config",
    [{}, {"name_key": "hidden", "symmetric_encryption_keys": KEYS}, {"channel_capacity": {"x": 1}}],
    ids=["plain", "hidden", "capacities"],
)
def test_any_member_of_a_group_leaves_the_others_in_it(make_layer: Make, config: Any, log: Log) -> None:
    """A name that nobody could have joined with gets nothing, and keeps nobody else from getting it."""
    layer = make_layer(**config)
    key = layer._parts.keys.group("g")
    layer.group_add("g", "websocket.send.process!me")
    client = layer.connection(0)

    @fuzz(80)
    @given(
        st.lists(MEMBERS, min_size=1, max_size=5),
        st.sampled_from([0, 1, 1e300, math.inf, -math.inf, time.time() * 1000]),
    )
    def check(members: list[bytes], score: float) -> None:
        client.zadd(key, dict.fromkeys(members, score))
        layer.group_add("g", "websocket.send.process!me")
        assert "websocket.send.process!me" in layer.group_channels("g")
        layer.send_group("g", {"good": True})
        found = [one.channels for one in layer.receive_batch(["websocket.send.process!"], 10, 0)]
        assert found
        assert "websocket.send.process!me" in found[0]

    check()
    assert log.tracebacks == []


@pytest.mark.parametrize(
    "key", ["asgi::alive:websocket.send.process!", "asgi-meta:test", "asgi-meta:#global#", "asgi::processes"]
)
def test_any_value_beside_a_queue_leaves_it_usable(make_layer: Make, key: str, log: Log) -> None:
    """Signs of life, statistics and announcements that nobody of ours wrote."""
    layer = make_layer()
    client = layer.connection(0)
    names = st.sampled_from([b"messages_count", b"messages_count:rate", b"messages_count:at", b"dropped_expired", b"x"])
    values = TEXTS if "alive" in key else st.dictionaries(names, TEXTS, min_size=1, max_size=4)

    @fuzz(40)
    @given(values)
    def check(value: Any) -> None:
        client.delete(key, "asgi:websocket.send.process!")
        layer.receive_batch(["websocket.send.process!"])
        if isinstance(value, bytes):
            client.set(key, value)
        else:
            client.hset(key, mapping=value)
        layer.send("websocket.send.process!me", {"good": True})
        assert len(layer.receive_batch(["websocket.send.process!"])) == 1
        layer.send("test", {"good": True})
        assert len(layer.receive_batch(["test"])) == 1
        layer.channel_statistics("test")
        layer.global_statistics()
        layer.inspection.announced()

    check()
    assert log.tracebacks == []


LINES = st.dictionaries(
    st.sampled_from([b"next", b"running", b"due", b"state", b"early", b"e0", b"e1", b"e2", b"e3", b"ex"]),
    BLOBS | TEXTS | st.sampled_from([b"broken", b"ended", b"1", b"2"]),
    max_size=5,
)


def test_any_line_of_a_connection_ends(make_layer: Make, log: Log) -> None:
    """What is kept of an order is not believed: messages that are none are passed over, and no step fails."""
    layer = make_layer()
    client = layer.connection(0)
    connection = "websocket.send.process!me"
    turns = layer.turns

    @fuzz(80)
    @given(LINES, st.dictionaries(st.binary(max_size=5) | st.just(connection.encode()), st.just(0), max_size=2))
    def check(line: dict[bytes, bytes], waiting: dict[bytes, int]) -> None:
        client.delete(f"asgi::turn:{connection}", "asgi::turns")
        if line:
            client.hset(f"asgi::turn:{connection}", mapping=line)
        if waiting:
            client.zadd("asgi::turns", waiting)
        for order in range(3):
            early = Early("websocket.receive", {"order": order, "reply_channel": connection})
            taken = turns.take(connection, early, 1.0, 2)
            released = [*taken.released]
            if taken.verdict is Verdict.RUN:
                released += turns.end(connection, early, 1.0, NextStep.RUN_RELEASED).released
            assert all(isinstance(one.order, int) for one in released)
        turns.stalled(1.0)
        turns.stalled(1.0)

    check()
    assert log.tracebacks == []
