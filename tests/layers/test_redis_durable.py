"""Delivery at least once: nothing is lost with a killed worker, and what cannot be done becomes a dead letter."""

import asyncio
import threading
import time
import unittest
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from channels import counters
from channels.exceptions import ChannelFull, ConsumeLater, LayerUnavailable
from channels.layers.base import Delivery, Outgoing
from channels.layers.redis import RedisChannelLayer, RedisClusterChannelLayer, RedisLocalChannelLayer
from channels.layers.redis.durable import AT_LEAST_ONCE
from channels.layers.redis.inhand import InHand, Receipt
from channels.message import Message
from channels.registry import ChannelLayerWrapper
from channels.routing import route
from channels.test.conformance import ConformanceTestCase
from channels.worker import Worker
from tests.support.cluster import RedisCluster
from tests.support.layers import making
from tests.support.processes import wait_for
from tests.support.redis import RedisServer

DELIVERY = {"orders.*": AT_LEAST_ONCE}

PATIENCE = 60
"""Seconds that a message which is there may take to be received on a busy machine."""

Make = Callable[..., RedisChannelLayer]


class Plain(RedisChannelLayer):
    """The layer for tests that expect a message to be just as it was sent, and gone once it was received."""

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        deliveries = super().receive_batch(channels, limit, timeout)
        for delivery in deliveries:
            self.finish_deliveries([delivery.content], True)
            delivery.content.pop("__deliveries__", None)
        self.push(wait=True)
        return deliveries

    async def areceive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        deliveries = await super().areceive_batch(channels, limit, timeout)
        for delivery in deliveries:
            if self.is_in_hand(delivery.content):
                await asyncio.to_thread(self.finish, delivery.content)
            delivery.content.pop("__deliveries__", None)
        return deliveries

    def finish(self, content: Any) -> None:
        """Finish a message from another thread."""
        self.finish_deliveries([content], True)
        self.push(wait=True)


class PlainCluster(Plain, RedisClusterChannelLayer):
    """The same on a cluster."""


class DurableContract(ConformanceTestCase):
    """The contract, where all normal channels are delivered at least once."""

    expiry = 0.5
    hosts: list[str]
    test_expired_message_is_not_delivered = None  # Messages of these channels do not expire.

    def make_layer(self, **config: Any) -> RedisChannelLayer:
        return Plain(hosts=self.hosts, delivery={"*": AT_LEAST_ONCE}, **config)


class TestNewestRedis(DurableContract, unittest.TestCase):
    """On the Redis that is on PATH."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.hosts = [redis_server.url]


class TestOldestRedis(DurableContract, unittest.TestCase):
    """On Redis 6.2."""

    @pytest.fixture(autouse=True)
    def _server(self, old_redis_server: RedisServer) -> None:
        self.hosts = [old_redis_server.url]


class TestTwoShards(DurableContract, unittest.TestCase):
    """On two shards: such a channel is on one of them."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.hosts = [redis_server.url, f"{redis_server.url}?db=1"]


@pytest.mark.slow
class TestHiddenNames(DurableContract, unittest.TestCase):
    """Where names cannot be read on the server."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.hosts = [redis_server.url]

    def make_layer(self, **config: Any) -> RedisChannelLayer:
        return super().make_layer(symmetric_encryption_keys=["secret"], name_key="another", **config)


@pytest.mark.parametrize(("channel", "repeats"), [("orders.new", True), ("other", False), ("orders.p!x", False)])
def test_only_what_may_come_twice_may_be_sent_again(redis_server: RedisServer, channel: str, repeats: bool) -> None:
    """Whoever does not know whether a message was taken asks that."""
    layer = RedisChannelLayer(hosts=[redis_server.url], delivery={"orders.*": AT_LEAST_ONCE})
    assert layer.may_repeat(channel) is repeats


@pytest.mark.slow
class TestCluster(DurableContract, unittest.TestCase):
    """On a cluster."""

    @pytest.fixture(autouse=True)
    def _server(self, shared_cluster: RedisCluster) -> None:
        shared_cluster.flush()
        self.cluster = shared_cluster

    def make_layer(self, **config: Any) -> RedisChannelLayer:
        return PlainCluster(hosts=self.cluster.hosts, delivery={"*": AT_LEAST_ONCE}, **config)


@pytest.fixture(
    params=[
        "plain",
        pytest.param("hidden names", marks=pytest.mark.slow),
        pytest.param("cluster", marks=pytest.mark.slow),
    ]
)
def any_layer(request: pytest.FixtureRequest) -> Iterator[RedisChannelLayer]:
    """A layer that gives a message up after its first delivery."""
    config: dict[str, Any] = {"delivery": DELIVERY, "max_deliveries": 1, "redelivery_after": 0.1}
    if request.param == "cluster":
        cluster = request.getfixturevalue("shared_cluster")
        cluster.flush()
        layer: RedisChannelLayer = RedisClusterChannelLayer(hosts=cluster.hosts, **config)
    else:
        if request.param == "hidden names":
            config.update(symmetric_encryption_keys=["secret"], name_key="another")
        layer = RedisChannelLayer(hosts=[request.getfixturevalue("redis_url")], **config)
    yield layer
    layer.close()


@pytest.fixture
def make_layer(redis_url: str) -> Iterator[Make]:
    """A function that makes layers on one empty server."""
    with making(RedisChannelLayer, hosts=[redis_url], delivery=DELIVERY) as make:
        yield make


# Options


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"delivery": {"a": "exactly-once"}}, "delivery of 'a' must be 'at-least-once' or 'at-most-once'"),
        ({"redelivery_after": 0}, "redelivery_after must be more than 0"),
        ({"max_deliveries": 0}, "max_deliveries at least 1"),
    ],
)
def test_option_that_makes_no_sense_is_refused(config: dict[str, Any], message: str) -> None:
    """The error says which option and what it should be."""
    with pytest.raises(ValueError, match=message):
        RedisChannelLayer(**config)


def test_local_layer_does_not_promise_what_it_cannot() -> None:
    """Its normal channels are not in Redis."""
    with pytest.raises(ValueError, match="Only RedisChannelLayer delivers at least once"):
        RedisLocalChannelLayer(delivery=DELIVERY)


# Handing out


def test_only_matching_normal_channels_are_kept(make_layer: Make) -> None:
    """Others, and channels with one reader, are delivered at most once."""
    layer = make_layer()
    for channel in ("orders.new", "other", "orders.x?y", "orders.p!z"):
        layer.send(channel, {"n": 1})
    found = {
        name: layer.receive_batch([name])[0].content for name in ("orders.new", "other", "orders.x?y", "orders.p!")
    }
    assert found.pop("orders.new") == {"n": 1, "__deliveries__": 1}
    assert all(content == {"n": 1} for content in found.values())


def test_finished_message_is_gone(make_layer: Make, redis_server: RedisServer) -> None:
    """Nothing of it is left in the server, and nobody gets it again."""
    layer = make_layer(redelivery_after=0.05)
    layer.send("orders.new", {"n": 1})
    (delivery,) = layer.receive_batch(["orders.new"])
    layer.finish_deliveries([delivery.content], True)
    assert layer.receive_batch(["orders.new"], 1, 0.3) == []
    with redis_server.client() as client:
        assert client.xlen("asgi::stream:orders.new") == 0
        assert client.xpending("asgi::stream:orders.new", "workers")["pending"] == 0


def test_failed_message_comes_again(make_layer: Make) -> None:
    """With the count of its deliveries, after its time and not before."""
    layer = make_layer(redelivery_after=0.3)
    layer.send("orders.new", {"n": 1})
    taken = time.monotonic()
    (delivery,) = layer.receive_batch(["orders.new"])
    layer.finish_deliveries([delivery.content], False)
    (again,) = layer.receive_batch(["orders.new"], 1, PATIENCE)
    assert again.content == {"n": 1, "__deliveries__": 2}
    assert 0.25 < time.monotonic() - taken < PATIENCE


def test_message_in_hand_is_renewed(make_layer: Make) -> None:
    """A consumer may take far longer than the time after which a dead worker's messages are given to others."""
    layer, other = make_layer(redelivery_after=1.0), make_layer(redelivery_after=1.0)
    layer.send("orders.new", {"n": 1})
    (delivery,) = layer.receive_batch(["orders.new"])
    assert other.receive_batch(["orders.new"], 1, 2.5) == []
    layer.finish_deliveries([delivery.content], True)


def test_message_of_a_layer_that_went_away_comes_again(make_layer: Make) -> None:
    """Closing without finishing is like dying."""
    layer, other = make_layer(redelivery_after=1.0), make_layer(redelivery_after=1.0)
    layer.send_batch([Outgoing("orders.new", {"n": n}) for n in range(3)])
    assert len(layer.receive_batch(["orders.new"], 2)) == 2
    layer.close()
    found: list[tuple[int, int]] = []
    while len(found) < 3:
        batch = other.receive_batch(["orders.new"], 10, PATIENCE)
        assert batch
        found += [(d.content["n"], d.content["__deliveries__"]) for d in batch]
    assert sorted(found) == [(0, 2), (1, 2), (2, 1)]


def test_lost_ticket_loses_no_message(make_layer: Make, redis_server: RedisServer) -> None:
    """A worker that was killed between the two steps of a receive took only the wake-up with it."""
    layer = make_layer(redelivery_after=0.2)
    layer.send("orders.new", {"n": 1})
    with redis_server.client() as client:
        assert client.lpop("asgi:orders.new") is not None
    assert layer.receive_batch(["orders.new"], 1, 5)[0].content["n"] == 1


def test_capacity_counts_what_is_in_hand(make_layer: Make) -> None:
    """Room is made by finishing, not by taking."""
    layer = make_layer(capacity=2)
    layer.send("orders.new", {})
    layer.send("orders.new", {})
    (delivery,) = layer.receive_batch(["orders.new"])
    with pytest.raises(ChannelFull):
        layer.send("orders.new", {})
    assert layer.channel_statistics("orders.new")["messages_pending"] == 2
    layer.finish_deliveries([delivery.content], True)
    layer.push(wait=True)
    layer.send("orders.new", {})


def test_unreadable_message_is_removed(make_layer: Make, redis_server: RedisServer) -> None:
    """What is no message is not delivered again and again."""
    layer = make_layer()
    before = counters.value("message.dropped.unreadable")
    with redis_server.client() as client:
        client.xadd("asgi::stream:orders.new", {"entry": b"\x07nonsense"})
    layer.send("orders.new", {"n": 1})
    assert [d.content["n"] for d in layer.receive_batch(["orders.new"], 10, 5)] == [1]
    assert counters.value("message.dropped.unreadable") == before + 1
    with redis_server.client() as client:
        assert client.xlen("asgi::stream:orders.new") == 1


def test_event_loop_finishes_what_it_receives_alone(make_layer: Make) -> None:
    """``areceive`` hands out a message for good, as ``receive`` does."""
    layer = make_layer(redelivery_after=0.1)

    async def main() -> None:
        await layer.asend("orders.new", {"n": 1})
        assert (await layer.areceive(["orders.new"]))[0] == "orders.new"
        assert await layer.areceive_batch(["orders.new"], 1, 0.5) == []
        await layer.aclose()

    asyncio.run(main())


# Handing back


def test_handed_back_message_comes_at_once_and_first(make_layer: Make) -> None:
    """Not after its time, and as if it had not been handed out: its count stays."""
    layer, other = make_layer(), make_layer()
    layer.send_batch([Outgoing("orders.new", {"n": n}) for n in range(5)])
    taken = layer.receive_batch(["orders.new"], 3)
    assert layer.hand_back(taken[1:]) == []
    assert not any(layer.is_in_hand(delivery.content) for delivery in taken[1:])
    again = other.receive_batch(["orders.new"], 10, 5)
    assert [delivery.content for delivery in again] == [{"n": n, "__deliveries__": 1} for n in range(1, 5)]
    other.finish_deliveries([delivery.content for delivery in again], True)
    layer.finish_deliveries([taken[0].content], True)
    assert layer.receive_batch(["orders.new"], 10, 0.1) == []


def test_message_that_could_not_be_handed_back_is_still_in_hand(own_redis: RedisServer) -> None:
    """Whoever has it runs it, and finishes it."""
    layer = RedisChannelLayer(hosts=[own_redis.url], delivery=DELIVERY)
    layer.send("orders.new", {"n": 1})
    taken = layer.receive_batch(["orders.new"])
    own_redis.stop()
    with pytest.raises(LayerUnavailable):
        layer.hand_back(taken)
    assert layer.is_in_hand(taken[0].content)
    layer.close()


def test_age_of_the_oldest_message_is_known(make_layer: Make, redis_server: RedisServer) -> None:
    """Whether it waits or is in hand; 0 where there is none."""
    layer = make_layer()
    assert layer.channel_statistics("orders.new")["messages_max_age"] == 0
    layer.send("orders.new", {"n": 1})
    with redis_server.client() as client:
        (key,) = client.keys("*:stream:*")
        ((_, fields),) = client.xrange(key)
        client.xtrim(key, maxlen=0)
        seconds, _ = client.time()
        client.delete(key)
        client.xadd(key, fields, id=f"{(seconds - 90) * 1000}-0")
    assert 89 < layer.channel_statistics("orders.new")["messages_max_age"] < 180
    assert layer.receive_batch(["orders.new"])
    assert layer.channel_statistics("orders.new")["messages_max_age"] > 89


def test_renewal_goes_on_after_an_error_that_nobody_expected() -> None:
    """What is in hand is not handed out to others because of it."""
    renewed = threading.Event()
    errors = [RuntimeError("once")]

    def renew(receipts: Sequence[Receipt]) -> None:
        if errors:
            raise errors.pop()
        renewed.set()

    in_hand = InHand(renew, 0.01)
    in_hand.add([({}, Receipt(0, "orders.new", b"1-0"))])
    assert renewed.wait(20)
    in_hand.close()


def test_handed_back_message_is_taken_in_parts(make_layer: Make) -> None:
    """Each take gets as many as it asked for, those of before first, and none twice."""
    layer = make_layer(redelivery_after=0.5)
    layer.send_batch([Outgoing("orders.new", {"n": n}) for n in range(6)])
    layer.hand_back(layer.receive_batch(["orders.new"], 4))
    found = []
    while batch := layer.receive_batch(["orders.new"], 3, 0.1):
        found += [delivery.content["n"] for delivery in batch]
    assert found == [0, 1, 2, 3, 4, 5]


def test_handed_back_message_of_which_nobody_heard_comes_late(make_layer: Make, redis_server: RedisServer) -> None:
    """Its worker was killed in between: then it is one of the dead, and is delivered once."""
    layer = make_layer(redelivery_after=0.2)
    layer.send("orders.new", {"n": 1})
    layer.hand_back(layer.receive_batch(["orders.new"]))
    with redis_server.client() as client:
        client.delete("asgi::returned:orders.new", "asgi:orders.new")
    (again,) = layer.receive_batch(["orders.new"], 10, 5)
    assert again.content == {"n": 1, "__deliveries__": 2}


def test_handed_back_message_is_no_longer_renewed_or_finished(make_layer: Make, redis_server: RedisServer) -> None:
    """Whoever handed it back has no say in it any more."""
    layer = make_layer()
    layer.send("orders.new", {"n": 1})
    taken = layer.receive_batch(["orders.new"])
    layer.hand_back(taken)
    layer.finish_deliveries([taken[0].content], True)
    layer.push(wait=True)
    with redis_server.client() as client:
        assert client.xlen("asgi::stream:orders.new") == 1


def test_messages_from_before_are_not_taken_for_tickets(make_layer: Make) -> None:
    """A channel that was delivered at most once until now still holds messages of that time."""
    make_layer(delivery={}).send("orders.new", {"n": 0})
    layer = make_layer()
    assert layer.receive_batch(["orders.new"], 10)[0].content == {"n": 0}
    make_layer(delivery={}).send("orders.new", {"n": 0})
    layer.send_batch([Outgoing("orders.new", {"n": n}) for n in range(1, 4)])
    found = set()
    while batch := layer.receive_batch(["orders.new"], 10, 0.1):
        found |= {delivery.content["n"] for delivery in batch}
    assert found == {0, 1, 2, 3}


# Dead letters


def test_message_that_never_succeeds_becomes_a_dead_letter(make_layer: Make) -> None:
    """After its last delivery it is kept apart, and can be sent again."""
    layer = make_layer(redelivery_after=0.05, max_deliveries=2)
    layer.send("orders.new", {"n": 1})
    for number in (1, 2):
        (delivery,) = layer.receive_batch(["orders.new"], 1, 5)
        assert delivery.content["__deliveries__"] == number
        layer.finish_deliveries([delivery.content], False)
    assert layer.receive_batch(["orders.new"], 1, 0.5) == []
    (letter,) = layer.dead_letters("orders.new")
    assert (letter.content, letter.deliveries) == ({"n": 1}, 2)
    assert layer.replay_dead_letters("orders.new") == 1
    assert layer.dead_letters("orders.new") == []
    assert layer.receive_batch(["orders.new"], 1, 5)[0].content == {"n": 1, "__deliveries__": 1}


@pytest.fixture
def letters(make_layer: Make) -> RedisChannelLayer:
    """A layer with three dead letters on ``orders.new``, numbered from 0."""
    layer = make_layer(redelivery_after=0.05, max_deliveries=1)
    layer.send_batch([Outgoing("orders.new", {"n": n}) for n in range(3)])
    layer.finish_deliveries([delivery.content for delivery in layer.receive_batch(["orders.new"], 3, 5)], False)
    while len(layer.dead_letters("orders.new")) < 3:
        assert layer.receive_batch(["orders.new"], 3, 0.1) == []
    return layer


def numbers(layer: RedisChannelLayer) -> list[int]:
    """Return which dead letters there are."""
    return [letter.content["n"] for letter in layer.dead_letters("orders.new")]


def test_dead_letters_are_found_by_channel(letters: RedisChannelLayer) -> None:
    """Those who look after them need not know where to look."""
    assert letters.dead_letter_channels() == {"orders.new": 3}
    assert letters.dead_letters("orders.old") == []


def test_dead_letters_are_chosen_by_id_or_number(letters: RedisChannelLayer) -> None:
    """The oldest, or those that are named."""
    _, second, third = letters.dead_letters("orders.new")
    assert [letter.content["n"] for letter in letters.dead_letters("orders.new", 2)] == [0, 1]
    assert letters.dead_letters("orders.new", ids=[third.id, "1-0", second.id]) == [third, second]
    assert letters.dead_letters("orders.new", ids=[]) == []


def test_one_dead_letter_is_replayed(letters: RedisChannelLayer) -> None:
    """The others stay."""
    second = letters.dead_letters("orders.new")[1]
    assert letters.replay_dead_letters("orders.new", ids=[second.id]) == 1
    assert numbers(letters) == [0, 2]
    assert letters.receive_batch(["orders.new"], 5, 5)[0].content == {"n": 1, "__deliveries__": 1}


def test_dead_letters_are_deleted(letters: RedisChannelLayer) -> None:
    """One, or all."""
    first = letters.dead_letters("orders.new")[0]
    assert letters.delete_dead_letters("orders.new", [first.id, "1-0"]) == 1
    assert letters.delete_dead_letters("orders.new", []) == 0
    assert numbers(letters) == [1, 2]
    assert letters.delete_dead_letters("orders.new") == 2
    assert letters.dead_letter_channels() == {}


@pytest.mark.parametrize("ids", [["x"], ["5"], [5], "5-0"])
def test_id_that_is_none_is_refused(letters: RedisChannelLayer, ids: Any) -> None:
    """The error says what ids look like, or that they come as a list."""
    for method in (letters.dead_letters, letters.replay_dead_letters, letters.delete_dead_letters):
        with pytest.raises(ValueError, match=r"they look like|as a list"):
            method("orders.new", ids=ids)


# Workers


class Site:
    """A worker in a thread with one consumer on ``orders.new``."""

    def __init__(self, layer: RedisChannelLayer, consumer: Callable[[Message], None]) -> None:
        wrapper = ChannelLayerWrapper(layer, "default", [route("orders.new", consumer)])
        self.worker = Worker(wrapper, signal_handlers=False)
        self.thread = threading.Thread(target=self.worker.run)

    def __enter__(self) -> "Site":
        self.thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.worker.termed = True
        self.thread.join()


def test_worker_finishes_what_succeeded(make_layer: Make) -> None:
    """A consumer that ends, and whose sends left, has done its work."""
    layer, seen = make_layer(), []
    layer.send("orders.new", {"n": 1})

    def consumer(message: Message) -> None:
        seen.append(message.content["n"])
        message.channel_layer.send("done?x", {"n": 1})

    with Site(layer, consumer):
        wait_for(lambda: seen and not layer.channel_statistics("orders.new")["messages_pending"], "finished")
    assert layer.receive(["done?x"]) == ("done?x", {"n": 1})


@pytest.mark.parametrize("error", [ValueError("broken"), ConsumeLater()])
def test_worker_gets_again_what_failed(make_layer: Make, error: Exception) -> None:
    """Until it succeeds, one delivery at a time."""
    layer, seen = make_layer(redelivery_after=0.1), []
    layer.send("orders.new", {})

    def consumer(message: Message) -> None:
        seen.append(message.content["__deliveries__"])
        if len(seen) < 3:
            raise error

    with Site(layer, consumer):
        wait_for(lambda: len(seen) == 3 and not layer.channel_statistics("orders.new")["messages_pending"], "finished")
    assert seen == [1, 2, 3]


def test_worker_gets_again_what_could_not_send(make_layer: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer whose message found its channel full has not done its work."""
    monkeypatch.setattr("channels.pending.PendingMessageStore.retry_time", 0.0)
    layer, seen = make_layer(redelivery_after=0.1, channel_capacity={"next": 1}), []
    layer.send("next", {})
    layer.send("orders.new", {})

    def consumer(message: Message) -> None:
        from channels.channel import Channel

        seen.append(message.content["__deliveries__"])
        if len(seen) == 2:
            layer.receive(["next"])
        Channel("next", channel_layer=message.channel_layer).send({"n": len(seen)})

    with Site(layer, consumer):
        wait_for(lambda: len(seen) == 2 and not layer.channel_statistics("orders.new")["messages_pending"], "finished")
    assert layer.receive(["next"]) == ("next", {"n": 2})


# Messages that are asked for before their ticket has come


HOURS = 36_000
"""Of redelivery: nobody looks for messages of the dead in between, however slow the machine is."""


def led_there(layer: RedisChannelLayer, channel: str) -> None:
    """Let ``layer`` expect the next message on ``channel``."""
    layer.receive_batch([channel])  # Looks for messages of the dead.
    layer.send(channel, {"n": 0})
    (delivery,) = layer.receive_batch([channel], 5, PATIENCE)  # Less than was asked for: there is no more.
    layer.finish_deliveries([delivery.content], True)
    layer.push(wait=True)


def test_message_of_another_channel_comes_alone(make_layer: Make) -> None:
    """Its ticket is left to others where the receiver got something else."""
    layer, other = make_layer(redelivery_after=HOURS), make_layer(redelivery_after=HOURS)
    channels = ["orders.new", "other"]
    led_there(layer, "orders.new")
    layer.send("other", {"n": 1})
    assert [d.content for d in layer.receive_batch(channels, 5, PATIENCE)] == [{"n": 1}]
    layer.send("orders.new", {"n": 2})
    assert other.receive_batch(["orders.new"], 5, PATIENCE)[0].content["n"] == 2


def test_message_that_comes_with_another_is_handed_back(make_layer: Make, redis_server: RedisServer) -> None:
    """One whose ticket somebody else has taken, and not used yet: it does not count as delivered."""
    layer, other = make_layer(redelivery_after=HOURS), make_layer(redelivery_after=HOURS)
    led_there(layer, "orders.new")
    layer.send("orders.new", {"n": 1})
    with redis_server.client() as client:
        assert client.lpop("asgi:orders.new") is not None
    layer.send("other", {"n": 2})
    assert [d.content for d in layer.receive_batch(["orders.new", "other"], 5, PATIENCE)] == [{"n": 2}]
    assert other.receive_batch(["orders.new"], 5, PATIENCE)[0].content == {"n": 1, "__deliveries__": 1}


def test_ticket_of_another_channel_is_followed(make_layer: Make) -> None:
    """What was expected on one comes on the other."""
    layer = make_layer(redelivery_after=HOURS)
    channels = ["orders.new", "orders.old"]
    led_there(layer, "orders.new")
    for number in range(3):
        layer.send(channels[number % 2], {"n": number})
        (delivery,) = layer.receive_batch(channels, 5, PATIENCE)
        assert (delivery.channels[0], delivery.content["n"]) == (channels[number % 2], number)
        layer.finish_deliveries([delivery.content], True)


# Everywhere


def test_dead_letters_are_listed_and_replayed(any_layer: RedisChannelLayer) -> None:
    """On each form of Redis, and where names are hidden, too."""
    for channel in ("orders.a", "orders.b"):
        any_layer.send(channel, {"of": channel})
        (delivery,) = any_layer.receive_batch([channel])
        any_layer.finish_deliveries([delivery.content], False)
    assert any_layer.receive_batch(["orders.a", "orders.b"], 1, 0.5) == []
    assert any_layer.dead_letter_channels() == {"orders.a": 1, "orders.b": 1}
    assert any_layer.replay_dead_letters("orders.a") == 1
    assert any_layer.receive_batch(["orders.a"], 1, 5)[0].content == {"of": "orders.a", "__deliveries__": 1}
    assert any_layer.delete_dead_letters("orders.b") == 1
    assert any_layer.dead_letter_channels() == {}


def test_group_reaches_channels_delivered_at_least_once(any_layer: RedisChannelLayer) -> None:
    """Members keep the message until it is finished, beside others who get it once."""
    for channel in ("orders.a", "other", "test.p!one"):
        any_layer.group_add("group", channel)
    any_layer.send_group("group", {"n": 1})
    assert any_layer.receive(["test.p!"]) == ("test.p!one", {"n": 1})
    assert any_layer.receive(["other"]) == ("other", {"n": 1})
    (delivery,) = any_layer.receive_batch(["orders.a"], 1, 5)
    assert any_layer.channel_statistics("orders.a")["messages_pending"] == 1
    any_layer.finish_deliveries([delivery.content], True)
    any_layer.push(wait=True)
    assert any_layer.channel_statistics("orders.a")["messages_pending"] == 0
