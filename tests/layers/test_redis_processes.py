"""Processes that die: who reads a queue gives signs of life; the members of the dead leave their groups."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from channels import counters
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer
from tests.support.counting import Growth
from tests.support.layers import making
from tests.support.redis import RedisServer

Make = Callable[..., RedisChannelLayer]


@pytest.fixture(params=["one server", "two servers", "capacities by name"])
def make_layer(request: pytest.FixtureRequest, redis_url: str) -> Iterator[Make]:
    """A function that makes layers; the rules are the same however memberships are kept."""
    config: dict[str, Any] = {"hosts": [redis_url]}
    if request.param == "two servers":
        config["hosts"] = [redis_url, f"{redis_url}?db=1"]
    if request.param == "capacities by name":
        config["channel_capacity"] = {"test.small*": 1}
    with making(RedisChannelLayer, **config) as make:
        yield make


def keys(layer: RedisChannelLayer, pattern: str) -> list[bytes]:
    """Return the keys that match ``pattern`` on all servers."""
    return sorted(key for number in range(len(layer.shards)) for key in layer.connection(number).keys(pattern))


def forget_signs(layer: RedisChannelLayer, queue: str) -> None:
    """Do what time does when a process was killed."""
    for number in range(len(layer.shards)):
        layer.connection(number).delete(f"asgi::alive:{queue}")


def test_receiving_gives_a_sign_of_life(make_layer: Make) -> None:
    """Whoever reads a process-specific queue is alive; other channels have no such thing."""
    layer = make_layer()
    layer.receive(["test.p!", "test.normal", "test.single?reader"])
    assert keys(layer, "*:alive:*") == [b"asgi::alive:test.p!"]


def test_event_loop_gives_a_sign_of_life(make_layer: Make) -> None:
    """As interfaces do; it stands as long as a message lives, and longer than half a minute."""
    layer = make_layer(expiry=90)

    async def main() -> None:
        await layer.areceive_batch(["test.p!"])
        shard = layer._parts.ring.shard_of("test.p!")
        assert 80_000 < layer.connection(shard).pttl("asgi::alive:test.p!") <= 90_000
        await layer.aclose()

    asyncio.run(main())


def test_event_loop_takes_its_signs_back(make_layer: Make) -> None:
    """An interface that stops in order leaves its groups with the next message to them; other readers stay."""
    layer = make_layer()
    layer.receive(["test.other!"])
    for channel in ("test.p!one", "test.other!one"):
        layer.group_add("group", channel)

    async def main() -> None:
        await layer.areceive_batch(["test.p!"])
        await layer.aclose()

    asyncio.run(main())
    assert keys(layer, "*:alive:*") == [b"asgi::alive:test.other!"]
    layer.send_group("group", {})
    assert layer.group_channels("group") == ["test.other!one"]


def test_sign_of_life_is_renewed(make_layer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that goes on reading stays alive."""
    monkeypatch.setattr("channels.layers.redis.alive.BEATS_PER_LIFE", float("inf"))
    layer = make_layer()
    layer.receive(["test.p!"])
    forget_signs(layer, "test.p!")
    layer.receive(["test.p!"])
    assert keys(layer, "*:alive:*") == [b"asgi::alive:test.p!"]


def test_sign_of_life_costs_nothing_while_it_stands(make_layer: Make) -> None:
    """It is given three times in its life, not with each receive."""
    layer = make_layer()
    layer.receive(["test.p!"])
    client = layer.connection(0)
    client.config_resetstat()
    for _ in range(10):
        layer.receive(["test.p!"])
    assert "cmdstat_set" not in client.info("commandstats")


def test_members_of_a_dead_process_leave_the_group(make_layer: Make) -> None:
    """At the next message to the group; those who live stay and get it."""
    layer = make_layer()
    for channel in ("test.dead!one", "test.dead!two", "test.live!one"):
        layer.group_add("group", channel)
    layer.receive(["test.live!"])
    forget_signs(layer, "test.dead!")
    before = counters.value("group.discarded.gone")
    layer.send_group("group", {"n": 1})
    assert layer.group_channels("group") == ["test.live!one"]
    assert layer.receive(["test.live!"]) == ("test.live!one", {"n": 1})
    assert counters.value("group.discarded.gone") == before + 2


def test_queue_of_a_dead_process_is_deleted(make_layer: Make) -> None:
    """What waits there is counted as dropped, with the reason."""
    layer = make_layer()
    layer.group_add("group", "test.dead!one")
    layer.send("test.dead!one", {})
    layer.send("test.dead!two", {})
    forget_signs(layer, "test.dead!")
    before = counters.value("message.dropped.dead_process")
    layer.send_group("group", {})
    assert keys(layer, "asgi:test.dead!") == []
    assert counters.value("message.dropped.dead_process") == before + 2
    assert layer.global_statistics()["dropped_dead_process"] == 2


def test_member_that_never_received_is_not_taken_for_dead(make_layer: Make) -> None:
    """Joining a group counts as a sign of life, for as long as one stands."""
    layer = make_layer()
    layer.group_add("group", "test.new!one")
    layer.send_group("group", {"n": 1})
    assert layer.receive(["test.new!"]) == ("test.new!one", {"n": 1})


def test_joining_does_not_shorten_a_life(make_layer: Make) -> None:
    """A worker may think other capacities right; what the reader of the queue says holds."""
    reader, worker = make_layer(capacity=2), make_layer(capacity=1)
    reader.receive(["test.p!"])
    worker.group_add("group", "test.p!one")
    for number in range(3):
        worker.send_group("group", {"n": number})
    assert [d.content["n"] for d in reader.receive_batch(["test.p!"], 10)] == [0, 1]


def test_closed_layer_is_dead_at_once(make_layer: Make) -> None:
    """A process that stops in order need not be waited for."""
    layer, other = make_layer(), make_layer()
    layer.receive(["test.p!"])
    other.group_add("group", "test.p!one")
    layer.close()
    other.send_group("group", {})
    assert other.group_channels("group") == []


def test_single_reader_that_let_a_message_expire_leaves_the_group(make_layer: Make) -> None:
    """Nobody read it in time; a normal channel stays, as its workers may come back."""
    layer = make_layer(expiry=0.1)
    for channel in ("test.single?reader", "test.normal"):
        layer.group_add("group", channel)
    layer.send_group("group", {})
    shard = layer._parts.ring.shard_of("test.single?reader")
    client = layer.connection(shard)
    deadline = client.time()[0] + 30
    client.persist("asgi:test.single?reader")  # As if somebody had sent to it meanwhile.
    while client.time()[0] < deadline:
        seconds, micros = client.time()
        if int.from_bytes(client.lindex("asgi:test.single?reader", 0)[2:10], "big") < seconds * 1000 + micros // 1000:
            break
    layer.send_group("group", {})
    assert layer.group_channels("group") == ["test.normal"]


def test_dead_members_of_a_batch_do_not_disturb_the_rest(make_layer: Make) -> None:
    """Whatever else is in the batch arrives."""
    layer = make_layer()
    layer.group_add("group", "test.dead!one")
    layer.group_add("group", "test.live!one")
    forget_signs(layer, "test.dead!")
    outcomes = layer.send_batch(
        [Outgoing("test.a?b", {}), Outgoing("group", {"n": 1}, to_group=True), Outgoing("test.live!two", {"n": 2})]
    )
    assert outcomes == [None, None, None]
    assert [d.content["n"] for d in layer.receive_batch(["test.live!"], 10)] == [1, 2]


def test_server_that_forgot_everything_learns_who_lives(own_redis: RedisServer) -> None:
    """After a restart without data those who join again are members again."""
    layer = RedisChannelLayer(hosts=[own_redis.url])
    layer.receive(["test.p!"])
    own_redis.flush()
    layer.group_add("group", "test.p!one")
    layer.send_group("group", {"n": 1})
    assert layer.receive(["test.p!"]) == ("test.p!one", {"n": 1})
    layer.close()


def test_process_that_was_taken_for_dead_is_told(make_layer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stood still, or the clock of the server was set: its memberships have ended, which it must know once."""
    monkeypatch.setattr("channels.layers.redis.alive.BEATS_PER_LIFE", float("inf"))
    layer = make_layer()
    layer.receive(["test.p!"])
    layer.group_add("group", "test.p!one")
    epoch = layer.upkeep.epoch()
    layer.receive(["test.p!"])
    assert layer.upkeep.epoch() == epoch
    forget_signs(layer, "test.p!")
    layer.send_group("group", {})
    buried = Growth("queue.buried.alive")
    layer.receive(["test.p!"])
    assert buried.amount == 1
    told = layer.upkeep.epoch()
    assert told != epoch
    layer.receive(["test.p!"])
    assert layer.upkeep.epoch() == told
    assert keys(layer, "*:gone:*") == []
