"""Servers that are lost, one of several or only for writing; and what is said about it, once."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from channels import counters
from channels.exceptions import LayerUnavailable
from channels.layers.redis import RedisChannelLayer
from channels.layers.redis.health import LONGEST_PAUSE, Health
from tests.support.processes import wait_for
from tests.support.redis import RedisServer, find_newest

SECONDS = 60

LOST = LayerUnavailable("lost")


class Clock:
    """A clock that stands still until it is told to go on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of all health."""
    clock = Clock()
    monkeypatch.setattr("channels.layers.redis.health.time", clock)
    return clock


@pytest.fixture
def health(clock: Clock) -> Health:
    """What is known of one of several servers."""
    health = Health("redis://here", 5.0)
    health.has_peers = True
    return health


def pause(health: Health, clock: Clock) -> float:
    """Return how long the server rests after another failure."""
    health.failed(LOST)
    began = clock.now
    while health.is_resting:
        clock.now += 0.01
    return clock.now - began


def test_pauses_grow_to_a_limit(health: Health, clock: Clock) -> None:
    """A server that stays away is asked ever more rarely, but every few seconds at least."""
    pauses = [pause(health, clock) for _ in range(12)]
    assert pauses[0] < 1
    assert max(pauses) <= LONGEST_PAUSE + 0.02
    assert sum(pauses[:3]) < sum(pauses[-3:])


def test_one_attempt_at_a_time(health: Health, clock: Clock) -> None:
    """While one caller tries, the others pass the server over; a caller that never comes back does not stop them."""
    pause(health, clock)
    assert [health.begin_attempt() for _ in range(3)] == [True, False, False]
    clock.now += 5.1
    assert health.begin_attempt()


def test_server_without_peers_is_always_asked(clock: Clock) -> None:
    """There is nobody else to ask."""
    health = Health("redis://here", 5.0)
    health.failed(LOST)
    assert not health.is_resting
    assert health.begin_attempt()


def test_recovery_forgets_the_pauses(health: Health, clock: Clock) -> None:
    """The next outage begins with a short one."""
    for _ in range(10):
        pause(health, clock)
    health.recovered()
    assert not health.is_lost
    assert pause(health, clock) < 1


# Two servers, one of which is lost


@pytest.fixture
def layer(own_redis: RedisServer, redis_server: RedisServer) -> Iterator[RedisChannelLayer]:
    """A layer on two servers; the test may stop the first."""
    layer = RedisChannelLayer(hosts=[own_redis.url, redis_server.url], group_expiry=4)
    yield layer
    layer.close()


def queue_on(layer: RedisChannelLayer, shard: int) -> str:
    """Return a process-specific queue that is on ``shard``."""
    return next(name for n in range(99) if layer._parts.ring.shard_of(name := f"test.p{n}!") == shard)


def of_outage(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged about servers that are lost and back."""
    return [
        "lost" if "is lost" in record.message else "back"
        for record in caplog.records
        if record.message.startswith("Redis at") and record.levelno in (logging.ERROR, logging.INFO)
    ]


def test_outage_is_logged_once_and_counted(
    layer: RedisChannelLayer, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Normal channels go on over the other server, whatever happens to the first; then it is used again."""
    caplog.set_level(logging.INFO, "django.channels.layers")
    before = counters.value("shard.lost.unreachable")
    layer.send("test", {})
    own_redis.stop()
    for number in range(20):
        with suppress(LayerUnavailable):  # One may be on its way when the server goes.
            layer.send("test", {"n": number})
    assert of_outage(caplog) == ["lost"]
    assert counters.value("shard.lost.unreachable") == before + 1
    own_redis.start()

    def is_used_again() -> bool:
        layer.send("test", {})
        return bool(layer.connection(0).llen("asgi:test"))

    wait_for(is_used_again, "the server is used again", SECONDS)
    assert of_outage(caplog) == ["lost", "back"]


def test_reply_channel_of_a_lost_server_fails_at_once(layer: RedisChannelLayer, own_redis: RedisServer) -> None:
    """The error says which server, and that it will be tried again; reply channels on the others go on."""
    lost, living = queue_on(layer, 0), queue_on(layer, 1)
    own_redis.stop()
    with pytest.raises(LayerUnavailable, match="is it running, and is 'hosts' in CONFIG"):
        layer.send(f"{lost}one", {})
    while True:
        with pytest.raises(LayerUnavailable) as caught:
            layer.send(f"{lost}one", {})
        if "is tried again within seconds" in str(caught.value):
            break
    assert own_redis.url in str(caught.value)
    layer.send(f"{living}one", {"n": 1})
    assert layer.receive([living]) == (f"{living}one", {"n": 1})


def test_group_reaches_the_members_on_other_servers(
    layer: RedisChannelLayer, own_redis: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Those on the lost server are counted and logged."""
    lost, living = queue_on(layer, 0), queue_on(layer, 1)
    layer.group_add("group", f"{lost}one")
    layer.group_add("group", f"{living}one")
    own_redis.stop()
    before = counters.value("message.dropped.shard_unavailable")
    layer.send_group("group", {"n": 1})
    assert layer.receive([living]) == (f"{living}one", {"n": 1})
    assert counters.value("message.dropped.shard_unavailable") == before + 1
    assert "Group group: the members on one server are out of reach" in caplog.text


def test_waiting_goes_on_when_the_server_of_a_channel_delivered_at_least_once_is_lost(
    own_redis: RedisServer, redis_url: str
) -> None:
    """Whoever took the last messages there waits for others on the servers that are left."""
    layer = RedisChannelLayer(hosts=[own_redis.url, redis_url], delivery={"orders*": "at-least-once"})
    lost = next(f"orders.{n}" for n in range(99) if layer._parts.ring.shard_of(f"orders.{n}") == 0)
    layer.receive_batch([lost], 5, 0)
    layer.send(lost, {"n": 1})
    # From now on it is likely that the next message comes there, too.
    (delivery,) = layer.receive_batch([lost], 5, SECONDS)
    layer.finish_deliveries([delivery.content], True)
    layer.push(wait=True)
    own_redis.stop()
    for _ in range(5):  # So that it rests for a while.
        with pytest.raises(LayerUnavailable):
            layer.send(lost, {"n": 2})
    layer.send("test", {"n": 3})
    assert layer.receive_batch([lost, "test"], 5, SECONDS)[0].content == {"n": 3}
    assert layer.receive_batch([lost, "test"], 5, 0.2) == []
    layer.close()


def test_upkeep_passes_over_a_lost_server(layer: RedisChannelLayer, own_redis: RedisServer) -> None:
    """Memberships on the others are renewed; the epoch changes when the server is back without its keys."""
    living = queue_on(layer, 1)
    layer.group_add("group", f"{living}one")
    epoch = layer.upkeep.epoch()

    def renewed_epoch() -> str:
        layer.upkeep.renew({f"{living}one"})
        return layer.upkeep.epoch()

    own_redis.stop()
    for _ in range(3):
        time.sleep(1.5)
        assert renewed_epoch() == epoch
    with pytest.raises(LayerUnavailable):
        layer.group_channels("group")
    own_redis.start()
    wait_for(lambda: renewed_epoch() != epoch and not layer.shards[0].health.is_resting, "another epoch", SECONDS)
    assert layer.group_channels("group") == [f"{living}one"]


def test_upkeep_without_any_server_fails(own_redis: RedisServer) -> None:
    """The error is that of the server."""
    layer = RedisChannelLayer(hosts=[own_redis.url])
    own_redis.stop()
    with pytest.raises(LayerUnavailable, match="cannot be used"):
        layer.upkeep.epoch()
    with pytest.raises(LayerUnavailable, match="cannot be used"):
        layer.upkeep.renew({"test.p!one"})
    layer.close()


# A server that only reads


@pytest.fixture
def replica(redis_server: RedisServer) -> Iterator[RedisServer]:
    """A replica of the server that all tests share."""
    server = RedisServer(find_newest(), "--replicaof", "127.0.0.1", str(redis_server.port))
    try:
        yield server.start()
    finally:
        server.close()


@pytest.mark.parametrize(
    "act",
    [
        lambda layer: layer.send("test", {}),
        lambda layer: layer.receive(["test"]),
        lambda layer: layer.receive(["test"], block=True),
        lambda layer: layer.group_add("group", "test"),
        lambda layer: layer.send_group("group", {}),
    ],
    ids=["send", "look", "receive", "group add", "group send"],
)
def test_replica_is_reported(replica: RedisServer, act: Callable[[RedisChannelLayer], Any]) -> None:
    """A layer that was pointed at one says so, whatever it was to do."""
    layer = RedisChannelLayer(hosts=[replica.url])
    with pytest.raises(LayerUnavailable, match=r"(?i)read.?only"):
        act(layer)
    layer.close()


def test_replica_that_becomes_master_is_used(replica: RedisServer) -> None:
    """Nobody has to be restarted."""
    layer = RedisChannelLayer(hosts=[replica.url])
    with pytest.raises(LayerUnavailable):
        layer.send("test", {"n": 1})
    with replica.client() as client:
        client.execute_command("REPLICAOF", "NO", "ONE")
    layer.send("test", {"n": 2})
    assert layer.receive(["test"]) == ("test", {"n": 2})
    layer.close()


# What is said once


@pytest.fixture
def single(redis_url: str) -> Iterator[RedisChannelLayer]:
    """A layer on one server."""
    layer = RedisChannelLayer(hosts=[redis_url], symmetric_encryption_keys=["secret"])
    yield layer
    layer.close()


def test_foreign_entries_are_logged_once_per_kind(single: RedisChannelLayer, caplog: pytest.LogCaptureFixture) -> None:
    """Each is counted; the log is not flooded."""
    before = counters.value("message.dropped.unreadable")
    plain = RedisChannelLayer(hosts=[single.shards[0].label])
    for number in range(3):
        single.connection(0).rpush("asgi:test", b"x" * 40)  # No entry.
        plain.send("test", {"n": number})  # Not encrypted.
    plain.close()
    assert single.receive(["test"]) == (None, None)
    assert counters.value("message.dropped.unreadable") == before + 6
    assert [record.levelname for record in caplog.records if "Skipped an entry" in record.message] == ["ERROR"] * 2


def test_full_server_keeps_what_it_has(own_redis: RedisServer) -> None:
    """What does not fit is an error that says why; what is there is received, which makes room."""
    layer = RedisChannelLayer(hosts=[own_redis.url])
    layer.send("test", {"n": 1})
    with own_redis.client() as client:
        client.config_set("maxmemory", 1)
    with pytest.raises(LayerUnavailable, match="maxmemory"):
        layer.send("test", {"n": 2})
    assert layer.receive(["test"], block=True) == ("test", {"n": 1})
    with own_redis.client() as client:
        client.config_set("maxmemory", 0)
    layer.send("test", {"n": 3})
    assert layer.receive(["test"]) == ("test", {"n": 3})
    layer.close()


# Rates


def test_rates_are_those_of_the_last_seconds(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred messages within a moment are ten a second for a while; refusals are told apart."""
    monkeypatch.setattr("channels.layers.redis.statistics.FLUSH_SECONDS", 0)
    layer = RedisChannelLayer(hosts=[redis_url], capacity=80)
    for _ in range(100):
        try:
            layer.send("test", {})
        except layer.ChannelFull:
            continue
    for found in (layer.global_statistics(), layer.channel_statistics("test")):
        assert (found["messages_count"], found["channel_full_count"]) == (80, 20)
        # Less by what they fell meanwhile.
        assert 1 < found["messages_count_per_second"] <= 8.0
        assert found["channel_full_count_per_second"] == pytest.approx(found["messages_count_per_second"] / 4, rel=0.9)
    layer.close()
