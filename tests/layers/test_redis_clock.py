"""The clock of a Redis server is set, really: it alone, while connections are open."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.layers.redis import RedisChannelLayer
from tests.support.clock import Clock
from tests.support.counting import Growth
from tests.support.redis import RedisServer, find_newest

HOUR = 3600


@pytest.fixture
def clock(tmp_path: Path) -> Clock:
    """The clock of the server."""
    return Clock(tmp_path)


@pytest.fixture
def layer(clock: Clock, newest_redis: RedisServer) -> Iterator[RedisChannelLayer]:
    """A layer on a server with that clock. The shared server only says whether there is a Redis at all."""
    server = RedisServer(find_newest()).start(clock.environment())
    layer = RedisChannelLayer(hosts=[server.url])
    yield layer
    layer.close()
    server.close()


def server_time(layer: RedisChannelLayer) -> int:
    """Return the time of the server, in seconds."""
    with layer.connection(0) as client:
        return int(client.time()[0])


def test_clock_of_a_server_can_be_set(layer: RedisChannelLayer, clock: Clock) -> None:
    """Without this the other tests would prove nothing."""
    before = server_time(layer)
    clock.set(-HOUR)
    assert server_time(layer) - before < -HOUR + 60
    clock.set(HOUR)
    assert server_time(layer) - before > HOUR - 60


def test_clock_of_the_server_that_is_set_back_makes_nothing_expire(layer: RedisChannelLayer, clock: Clock) -> None:
    """What is sent after that is received over connections from before, those that wait too."""
    layer.send("test", {})
    assert layer.receive_batch(["test"], 5, 5)
    clock.set(-HOUR)
    layer.send("test", {"n": 1})
    assert [delivery.content for delivery in layer.receive_batch(["test"], 5, 5)] == [{"n": 1}]
    layer.send("test", {"n": 2})
    layer.send("test.other", {"n": 3})
    queues = ["test", "test.other"]
    found = [delivery.content["n"] for _ in range(2) for delivery in layer.receive_batch(queues, 5, 5)]
    assert sorted(found) == [2, 3]


def test_clock_of_the_server_that_is_set_back_makes_nothing_expire_in_event_loops(
    layer: RedisChannelLayer, clock: Clock
) -> None:
    """The same for what waits in an event loop."""

    async def take() -> list[Any]:
        waiting = asyncio.create_task(layer.areceive_batch(["test"], 5, 5))
        await asyncio.sleep(0.05)
        await layer.asend("test", {"n": 1})
        return [delivery.content for delivery in await waiting]

    async def main() -> list[Any]:
        try:
            return [await take(), clock.set(-HOUR), await take(), await take()]
        finally:
            await layer.aclose()

    assert asyncio.run(main()) == [[{"n": 1}], None, [{"n": 1}], [{"n": 1}]]


def test_message_that_has_expired_is_dropped_after_the_clock_was_set(layer: RedisChannelLayer, clock: Clock) -> None:
    """The time is asked for, not ignored: the clock goes forward while the message waits."""
    layer.send("test", {"n": 1})
    layer.connection(0).persist("asgi:test")
    expired = Growth("message.dropped.expired")
    clock.set(HOUR)
    layer.close()  # Who connects now knows the new time.
    assert layer.receive(["test"]) == (None, None)
    assert expired.amount == 1


def test_clock_of_the_server_that_is_set_forward_ends_no_membership_in_secret(
    layer: RedisChannelLayer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sign of life of a process ends too early, so it is taken for dead, and told so."""
    monkeypatch.setattr("channels.layers.redis.alive.BEATS_PER_LIFE", float("inf"))
    layer.receive(["test.p!"])
    layer.group_add("group", "test.p!one")
    epoch = layer.upkeep.epoch()
    clock.set(HOUR)
    layer.send_group("group", {})
    assert layer.group_channels("group") == []
    layer.receive(["test.p!"])
    assert layer.upkeep.epoch() != epoch
