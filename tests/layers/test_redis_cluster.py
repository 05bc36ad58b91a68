"""The layer on a Redis Cluster: the contract, its options, slots that move, and a master that is killed."""

import asyncio
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from channels import counters
from channels.exceptions import ChannelFull, LayerUnavailable
from channels.layers.base import Outgoing
from channels.layers.once import Marked, once_of
from channels.layers.redis import RedisClusterChannelLayer
from channels.layers.redis.cluster_map import TURN_TAGS
from channels.layers.turns import Early, Ended, NextStep, Verdict
from channels.test.conformance import ConformanceTestCase
from tests.support.cluster import RedisCluster
from tests.support.counting import Growth
from tests.support.processes import free_port
from tests.support.redis import RedisServer, find_newest, find_oldest


@pytest.fixture
def cluster(shared_cluster: RedisCluster) -> RedisCluster:
    """The same, empty."""
    shared_cluster.flush()
    return shared_cluster


@pytest.fixture
def layer(cluster: RedisCluster) -> Iterator[RedisClusterChannelLayer]:
    """A layer on an empty cluster that knows one of its nodes."""
    layer = RedisClusterChannelLayer(hosts=cluster.hosts[:1])
    yield layer
    layer.close()


class TestClusterContract(ConformanceTestCase, unittest.TestCase):
    """The contract on three masters."""

    expiry = 0.5

    @pytest.fixture(autouse=True)
    def _server(self, cluster: RedisCluster) -> None:
        self.hosts = cluster.hosts

    def make_layer(self, **config: Any) -> RedisClusterChannelLayer:
        return RedisClusterChannelLayer(hosts=self.hosts, **config)


@pytest.fixture(scope="module")
def oldest_cluster(oldest_redis: RedisServer) -> Iterator[RedisCluster]:
    """Three masters of the oldest Redis."""
    cluster = RedisCluster(find_oldest())
    try:
        yield cluster.start()
    finally:
        cluster.close()


@pytest.mark.slow
class TestOldestClusterContract(TestClusterContract):
    """The contract on three masters of Redis 6.2."""

    @pytest.fixture(autouse=True)
    def _server(self, oldest_cluster: RedisCluster) -> None:
        oldest_cluster.flush()
        self.hosts = oldest_cluster.hosts


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hosts": "redis://localhost"}, "must be specified as an iterable list of hosts."),
        ({"hosts": []}, "at least one host"),
        ({"hosts": ["unix:///run/redis.sock"]}, "without a database, not 'unix:///run/redis.sock'"),
        ({"hosts": ["redis://localhost:6379/3"]}, "without a database"),
        ({"delivery": {"orders": "at-last-once"}}, "must be 'at-least-once' or 'at-most-once'"),
    ],
)
def test_option_that_makes_no_sense_is_refused(config: dict[str, Any], message: str) -> None:
    """The error says which option and what it should be."""
    with pytest.raises(ValueError, match=message):
        RedisClusterChannelLayer(**config)


def test_all_nodes_are_found_from_one(layer: RedisClusterChannelLayer, cluster: RedisCluster) -> None:
    """Any node knows the others; keys spread over all of them."""
    for number in range(60):
        layer.send(f"test.{number}", {"n": number})
    counts = []
    for node in cluster.masters:
        with node.client() as client:
            counts.append(len(client.keys("asgi:{test.*}")))
    assert sum(counts) == 60
    assert min(counts) > 5
    assert [layer.receive([f"test.{number}"])[1] for number in range(60)] == [{"n": number} for number in range(60)]


def test_node_that_does_not_answer_is_passed_over(cluster: RedisCluster) -> None:
    """Any of the hosts will do."""
    layer = RedisClusterChannelLayer(hosts=[("127.0.0.1", free_port()), *cluster.hosts])
    layer.send("test", {"n": 1})
    assert layer.receive(["test"]) == ("test", {"n": 1})
    layer.close()


def test_cluster_that_is_not_there_is_reported() -> None:
    """The error names a node, to threads and to event loops."""
    port = free_port()
    layer = RedisClusterChannelLayer(hosts=[("127.0.0.1", port)])
    with pytest.raises(LayerUnavailable, match=f"127.0.0.1:{port}"):
        layer.send("test", {})
    with pytest.raises(LayerUnavailable):
        asyncio.run(layer.areceive(["test"]))


def test_server_that_is_no_cluster_is_reported(redis_server: Any) -> None:
    """Somebody pointed the layer at a server of another kind."""
    layer = RedisClusterChannelLayer(hosts=[("127.0.0.1", redis_server.port)])
    with pytest.raises(LayerUnavailable, match="cluster support disabled"):
        layer.send("test", {})
    layer.close()


def test_all_keys_have_hash_tags_and_expire(layer: RedisClusterChannelLayer, cluster: RedisCluster) -> None:
    """What one script touches is in one slot."""
    layer.send("test", {})
    layer.receive(["test.p!"])
    layer.group_add("group", "test.p!one")
    layer.send_group("group", {})
    layer.channel_statistics("test")
    keys = []
    for node in cluster.masters:
        with node.client() as client:
            found = client.keys("*")
            keys += found
            assert [key for key in found if client.pttl(key) <= 0] == []
    assert sorted(keys) == [
        b"asgi-meta:{#global#}",
        b"asgi-meta:{test.p!}",
        b"asgi-meta:{test}",
        b"asgi::alive:{test.p!}",
        b"asgi::group:{group}",
        b"asgi:{test.p!}",
        b"asgi:{test}",
    ]


def test_flush_empties_all_nodes(layer: RedisClusterChannelLayer, cluster: RedisCluster) -> None:
    """Whatever this layer made is gone."""
    for number in range(30):
        layer.send(f"test.{number}", {})
        layer.group_add(f"group.{number}", "test")
    layer.flush()
    for node in cluster.masters:
        with node.client() as client:
            assert client.dbsize() == 0


def test_dead_process_leaves_its_groups(layer: RedisClusterChannelLayer, cluster: RedisCluster) -> None:
    """The sign of life is in the slot of the queue, the membership in that of the group."""
    for channel in ("test.dead!one", "test.dead!two", "test.live!one"):
        layer.group_add("group", channel)
    with cluster.holder_of("test.dead!").client() as client:
        client.delete("asgi::alive:{test.dead!}")
    before = counters.value("group.discarded.gone")
    layer.send_group("group", {"n": 1})
    assert layer.group_channels("group") == ["test.live!one"]
    assert layer.receive(["test.live!"]) == ("test.live!one", {"n": 1})
    assert counters.value("group.discarded.gone") == before + 2
    epoch = layer.upkeep.epoch()
    assert layer.receive(["test.dead!"]) == (None, None)
    assert layer.upkeep.epoch() != epoch  # Whoever reads this was taken for dead.


def test_statistics_count_all_slots(layer: RedisClusterChannelLayer) -> None:
    """Totals are kept in one place."""
    for number in range(10):
        layer.send(f"test.{number}", {})
    assert layer.global_statistics()["messages_count"] == 10
    assert layer.channel_statistics("test.3")["messages_pending"] == 1


def test_names_may_be_hidden_in_a_cluster(cluster: RedisCluster) -> None:
    """Hash tags are of what stands for the names."""
    layer = RedisClusterChannelLayer(
        hosts=cluster.hosts, symmetric_encryption_keys=["a"], name_key="b", prefix="hidden:"
    )
    layer.group_add("group", "test.p!one")
    layer.send_group("group", {"n": 1})
    assert layer.receive(["test.p!"]) == ("test.p!one", {"n": 1})
    assert layer.group_channels("group") == ["test.p!one"]
    layer.close()


def test_turns_spread_over_the_nodes(layer: RedisClusterChannelLayer, cluster: RedisCluster) -> None:
    """What is waited for is found in every slot that turns are in."""
    places = layer._parts.ring.turn_places()
    assert len({slot for slot, _ in places}) == TURN_TAGS
    layer.send("test", {})
    assert {layer._parts.routes.server_of(slot) for slot, _ in places} == set(layer._map.holders())
    assert list(layer.turns.stalled(1.0)) == []


def test_turn_ends_when_the_replies_of_its_consumer_have_arrived(
    layer: RedisClusterChannelLayer, cluster: RedisCluster
) -> None:
    """They may be on other nodes than the turn: whoever runs the next message must not be faster than they are."""
    other = RedisClusterChannelLayer(hosts=cluster.hosts)
    first = Early("websocket.receive", {"reply_channel": "test.p!one", "order": 0})
    assert layer.turns.take("test.p!one", first, 60, 10).verdict is Verdict.RUN
    outcomes: list[Any] = []
    layer.post_batch([Outgoing("test.p!one", {"n": 0})], outcomes.extend)
    layer.turns.post_end("test.p!one", first, 60, NextStep.LET_GO, 0, outcomes.append)
    assert outcomes == [None]
    assert other.receive(["test.p!"]) == ("test.p!one", {"n": 0})
    layer.push(wait=True)
    assert outcomes[1:] == [Ended([])]
    other.close()


# Moves of slots


@pytest.fixture
def own_cluster() -> Iterator[RedisCluster]:
    """Three masters, the first with a replica, that the test may change."""
    cluster = RedisCluster(find_newest(), replicas=1)
    try:
        yield cluster.start()
    finally:
        cluster.close()


class Traffic:
    """Two threads that send and receive all the time.

    Args:
        layer: The layer to do it on.
        channels: Where the messages go, in turn.
    """

    def __init__(self, layer: RedisClusterChannelLayer, channels: list[str]) -> None:
        self.layer = layer
        self.channels = channels
        self.sent = 0
        self.refused: list[int] = []
        self.received: list[int] = []
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.receive)]

    def __enter__(self) -> "Traffic":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()
        misses = 0
        # On a busy machine one look in vain does not mean that nothing is left.
        while misses < (20 if len(self.received) < self.sent - len(self.refused) else 1):
            misses = 0 if self.take(0.5) else misses + 1

    def send(self) -> None:
        while not self.stop.is_set():
            self.sent += 1
            try:
                self.layer.send(self.channels[self.sent % len(self.channels)], {"n": self.sent})
            except LayerUnavailable:
                self.refused.append(self.sent)
            self.stop.wait(0.001)

    def receive(self) -> None:
        while not self.stop.is_set():
            self.take(0.5)

    def take(self, timeout: float) -> int:
        """Receive what is there, and return how much that was."""
        try:
            deliveries = self.layer.receive_batch(self.channels, 16, timeout)
            self.received += [delivery.content["n"] for delivery in deliveries]
            self.layer.finish_deliveries([delivery.content for delivery in deliveries], True)
            self.layer.push(wait=True)
            return len(deliveries)
        except LayerUnavailable:
            time.sleep(0.02)
            return 0

    def wait_for_more(self, count: int = 50) -> None:
        """Return once that many more messages have arrived."""
        goal, deadline = len(self.received) + count, time.monotonic() + 60
        while len(self.received) < goal:
            assert time.monotonic() < deadline, f"{len(self.received)} of {goal} arrived"
            time.sleep(0.01)


def test_slot_that_moves_under_traffic_loses_nothing(own_cluster: RedisCluster) -> None:
    """Messages are neither lost nor doubled, and their order is kept, before, during and after the move."""
    layer = RedisClusterChannelLayer(hosts=own_cluster.hosts, capacity=100_000)
    source = own_cluster.holder_of("test.p!")
    target = next(node for node in own_cluster.masters if node is not source)
    followed = Growth("cluster.followed.moved")
    with Traffic(layer, ["test.p!"]) as traffic:
        traffic.channels = ["test.p!"]
        traffic.wait_for_more()
        own_cluster.begin_move("test.p!", target)
        traffic.wait_for_more()
        own_cluster.end_move("test.p!", target)
        traffic.wait_for_more()
    assert traffic.refused == []
    assert traffic.received == list(range(1, traffic.sent + 1))
    assert own_cluster.holder_of("test.p!") is target
    assert followed.amount >= 1
    layer.close()


def test_group_whose_slots_move_gets_its_messages(own_cluster: RedisCluster) -> None:
    """Event loops follow, too: those who wait, those who send, and memberships."""
    layer = RedisClusterChannelLayer(hosts=own_cluster.hosts)
    target = next(node for node in own_cluster.masters if node is not own_cluster.holder_of("test.p!"))

    async def take_next(number: int) -> None:
        waiting = asyncio.create_task(layer.areceive_batch(["test.p!", "test.q!"], 1, 20))
        await asyncio.sleep(0.05)
        await layer.asend_group("group", {"n": number})
        assert [(d.channels, d.content) for d in await waiting] == [(("test.p!one",), {"n": number})]

    async def main() -> None:
        await layer.agroup_add("group", "test.p!one")
        await take_next(1)
        await asyncio.to_thread(own_cluster.begin_move, "test.p!", target)
        await take_next(2)
        waiting = asyncio.create_task(layer.areceive_batch(["test.p!"], 1, 20))
        await asyncio.sleep(0.05)
        await asyncio.to_thread(own_cluster.end_move, "test.p!", target)
        await layer.asend("test.p!one", {"n": 3})
        assert [d.content for d in await waiting] == [{"n": 3}]
        await take_next(4)
        await layer.aclose()

    asyncio.run(main())
    layer.close()


@pytest.mark.slow
def test_slot_of_a_channel_delivered_at_least_once_moves(own_cluster: RedisCluster) -> None:
    """Nobody waits for the end of the move; no message is lost, and none comes twice."""
    layer = RedisClusterChannelLayer(hosts=own_cluster.hosts, delivery={"orders": "at-least-once"}, capacity=100_000)
    target = next(node for node in own_cluster.masters if node is not own_cluster.holder_of("orders"))
    with Traffic(layer, ["orders"]) as traffic:
        traffic.wait_for_more()
        own_cluster.begin_move("orders", target)
        traffic.wait_for_more()
        own_cluster.end_move("orders", target)
        traffic.wait_for_more()
    assert traffic.refused == []
    assert sorted(traffic.received) == list(range(1, traffic.sent + 1))
    assert layer.channel_statistics("orders")["messages_pending"] == 0
    layer.close()


@pytest.fixture
def moving(own_cluster: RedisCluster) -> Callable[..., RedisClusterChannelLayer]:
    """Return a function that makes a layer, keeps a message on "orders" and lets the slot of that begin to move.

    Of its keys only one is there: whoever needs two of them is refused.
    """

    def begin(**options: Any) -> RedisClusterChannelLayer:
        options["delivery"] = {"orders": "at-least-once"}
        layer = RedisClusterChannelLayer(hosts=own_cluster.hosts, **options)
        layer.send("orders", {"n": 1})
        with own_cluster.holder_of("orders").client() as client:
            client.delete("asgi:{orders}")
        own_cluster.begin_move(
            "orders", next(n for n in own_cluster.masters if n is not own_cluster.holder_of("orders"))
        )
        return layer

    return begin


def test_full_channel_is_refused_while_its_slot_moves(moving: Callable[..., RedisClusterChannelLayer]) -> None:
    """A batch is refused from the first message on that does not fit."""
    layer = moving(capacity=3)
    outcomes = layer.send_batch([Outgoing("orders", {"n": n}) for n in range(2, 6)])
    assert [type(outcome) for outcome in outcomes] == [type(None), type(None), ChannelFull, ChannelFull]
    assert [d.content["n"] for d in layer.receive_batch(["orders"], 9, 5)] == [1, 2, 3]
    layer.close()


def test_message_that_is_handed_back_while_its_slot_moves_comes_once(
    moving: Callable[..., RedisClusterChannelLayer],
) -> None:
    """It is first again, and does not come a second time when it would have been given up."""
    layer = moving(redelivery_after=0.5)
    layer.send("orders", {"n": 2})
    taken = layer.receive_batch(["orders"], 1, 5)
    layer.hand_back(taken)
    again = [layer.receive_batch(["orders"], 1, 5)[0] for _ in range(2)]
    assert [d.content["n"] for d in again] == [1, 2]
    layer.finish_deliveries([d.content for d in again], True)
    layer.push(wait=True)
    assert layer.receive_batch(["orders"], 1, 1) == []
    layer.close()


def test_message_of_the_dead_comes_again_while_its_slot_moves(
    moving: Callable[..., RedisClusterChannelLayer],
) -> None:
    """Another process takes what was never finished; it becomes no dead letter until the move is over."""
    layer = moving(redelivery_after=0.3, max_deliveries=2)
    for count in (1, 2):
        (delivery,) = layer.receive_batch(["orders"], 1, 10)
        assert delivery.content["__deliveries__"] == count
        layer.finish_deliveries([delivery.content], False)
        layer.push(wait=True)
    assert layer.receive_batch(["orders"], 1, 1) == []
    assert layer.dead_letter_channels() == {}
    layer.close()


def test_upkeep_of_a_group_whose_slot_moves(own_cluster: RedisCluster) -> None:
    """Memberships are renewed before and after; the epoch stays the same."""
    layer = RedisClusterChannelLayer(hosts=own_cluster.hosts, group_expiry=2)
    layer.group_add("group", "test.p!one")
    epoch = layer.upkeep.epoch()
    target = next(node for node in own_cluster.masters if node is not own_cluster.holder_of("group"))
    own_cluster.begin_move("group", target)
    time.sleep(1)
    layer.upkeep.renew({"test.p!one"})
    own_cluster.end_move("group", target)
    time.sleep(0.7)
    layer.upkeep.renew({"test.p!one"})
    time.sleep(0.7)
    assert layer.group_channels("group") == ["test.p!one"]
    assert layer.upkeep.epoch() == epoch
    own_cluster.holder_of("test").flush()
    assert layer.upkeep.epoch() != epoch
    layer.close()


def test_posted_messages_follow_the_slot(own_cluster: RedisCluster) -> None:
    """What a worker posts is repeated where the slot is now."""
    layer = RedisClusterChannelLayer(hosts=own_cluster.hosts)
    layer.send("test", {"n": 0})
    target = next(node for node in own_cluster.masters if node is not own_cluster.holder_of("test"))
    own_cluster.begin_move("test", target)
    own_cluster.end_move("test", target)
    outcomes: list[Any] = []
    layer.post_batch([Outgoing("test", {"n": 1}), Outgoing("test.other", {"n": 2})], outcomes.extend)
    layer.push(wait=True)
    assert outcomes == [None, None]
    assert [d.content["n"] for d in layer.receive_batch(["test"], 5)] == [0, 1]
    layer.close()


@pytest.mark.slow
def test_layer_follows_a_failover(own_cluster: RedisCluster) -> None:
    """A master is killed: its slots fail until the replica takes over, those of the others go on."""
    layer = RedisClusterChannelLayer(hosts=own_cluster.hosts, capacity=100_000)
    lost, (heir,) = own_cluster.masters[0], own_cluster.replicas
    theirs = next(f"test.{n}!" for n in range(99) if own_cluster.holder_of(f"test.{n}!") is lost)
    others = next(f"test.{n}!" for n in range(99) if own_cluster.holder_of(f"test.{n}!") is not lost)
    with Traffic(layer, [others, theirs]) as traffic:
        traffic.wait_for_more()
        lost.stop()
        traffic.wait_for_more()
        deadline = time.monotonic() + 30
        while True:
            with heir.client() as client:
                if client.info("replication")["role"] == "master":
                    break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        while traffic.refused and traffic.refused[-1] > traffic.sent - 20:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        traffic.wait_for_more()
    numbers = traffic.received
    assert len(set(numbers)) == len(numbers)
    missing = set(range(1, traffic.sent + 1)) - set(numbers) - set(traffic.refused)
    assert len(missing) < 50
    assert traffic.refused
    layer.close()


# Sends that may be tried again


def test_marked_message_is_sent_once(layer: RedisClusterChannelLayer, cluster: RedisCluster) -> None:
    """A mark is in the slot of its channel, on whatever node that is."""
    batch = [Marked(Outgoing(f"a{number}", {"n": number}), f"m{number}") for number in range(60)]
    other = RedisClusterChannelLayer(hosts=cluster.hosts[1:])
    for sender in (layer, other, layer):
        assert once_of(sender) is not None
        assert sender.once.send(batch, 60) == [None] * 60
    layer.once.keep(batch, 30)
    contents = [layer.receive([outgoing.name])[1] for outgoing, _ in batch * 2]
    other.close()
    assert contents == [{"n": number} for number in range(60)] + [None] * 60
