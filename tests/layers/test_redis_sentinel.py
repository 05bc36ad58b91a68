"""The layer over Sentinels: the contract, its options, and what happens when the master is killed."""

import asyncio
import time
import unittest
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from channels.exceptions import LayerUnavailable
from channels.layers.redis import RedisSentinelChannelLayer
from channels.test.conformance import ConformanceTestCase
from tests.support.processes import free_port
from tests.support.redis import find_newest, find_oldest
from tests.support.sentinel import SERVICE, Cluster


@pytest.fixture(scope="module")
def shared_cluster() -> Iterator[Cluster]:
    """A master with two replicas that the tests leave alone."""
    cluster = Cluster(find_newest(), replicas=2)
    try:
        yield cluster.start()
    finally:
        cluster.stop()


@pytest.fixture
def own_cluster(request: pytest.FixtureRequest) -> Iterator[Cluster]:
    """A master with a replica, whose master the test may kill; of the oldest Redis if that is the parameter."""
    is_oldest = getattr(request, "param", None) == "oldest"
    if is_oldest:
        request.getfixturevalue("oldest_redis")
    cluster = Cluster(find_oldest() if is_oldest else find_newest())
    try:
        yield cluster.start()
    finally:
        cluster.stop()


class TestSentinelContract(ConformanceTestCase, unittest.TestCase):
    """The contract on a master with two replicas."""

    expiry = 0.5

    @pytest.fixture(autouse=True)
    def _server(self, shared_cluster: Cluster) -> None:
        shared_cluster.master.flush()
        self.hosts = [shared_cluster.address]

    def make_layer(self, **config: Any) -> RedisSentinelChannelLayer:
        return RedisSentinelChannelLayer(hosts=self.hosts, **config)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hosts": "localhost"}, "must be specified as an iterable list of hosts."),
        ({"hosts": ["redis://localhost"]}, "Sentinel Redis host entries must be specified as tuples, not strings."),
        ({"hosts": [7]}, "a pair of host and port, not int"),
        ({"hosts": []}, "at least one host"),
        ({"services": "mymaster"}, "a list of the names of masters"),
        ({"services": [1]}, "a list of the names of masters"),
        ({"services": ["a"], "connection_kwargs": {"socket_timeout": 1}}, "at least 5 seconds"),
    ],
)
def test_option_that_makes_no_sense_is_refused(config: dict[str, Any], message: str) -> None:
    """The error says which option and what it should be."""
    with pytest.raises(ValueError, match=message):
        RedisSentinelChannelLayer(**config)


def test_services_are_asked_for(shared_cluster: Cluster) -> None:
    """Without names all masters that the Sentinels watch are shards."""
    layer = RedisSentinelChannelLayer(hosts=[shared_cluster.address])
    assert str(layer) == f"RedisSentinelChannelLayer(hosts=['sentinel://{SERVICE}'])"


def test_sentinels_that_do_not_answer_are_named() -> None:
    """Without services and Sentinels there is nothing to be a layer on."""
    port = free_port()
    with pytest.raises(redis.ConnectionError, match=f"Could not get master info from sentinel: 127.0.0.1:{port}"):
        RedisSentinelChannelLayer(hosts=[("127.0.0.1", port)])


def test_dead_sentinel_is_passed_over(shared_cluster: Cluster) -> None:
    """Any Sentinel that answers will do, for threads and for event loops."""
    hosts = [("127.0.0.1", free_port()), shared_cluster.address]
    layer = RedisSentinelChannelLayer(hosts=hosts, services=[SERVICE])

    async def main() -> Any:
        try:
            return await layer.areceive(["test.in"])
        finally:
            await layer.aclose()

    layer.send("test.in", {})
    fresh = RedisSentinelChannelLayer(hosts=hosts, services=[SERVICE])
    layer.close()
    layer = fresh
    assert asyncio.run(main()) == ("test.in", {})
    layer.close()


def test_unknown_service_is_reported(shared_cluster: Cluster) -> None:
    """A name that no Sentinel knows is said to be unknown."""
    layer = RedisSentinelChannelLayer(hosts=[shared_cluster.address], services=["other"])
    with pytest.raises(LayerUnavailable, match="it knows nothing of other"):
        layer.send("test.in", {})


@pytest.mark.parametrize("refresh_interval", [0, 5])
def test_layer_follows_the_master(own_cluster: Cluster, refresh_interval: float) -> None:
    """After the failover the same layer works, in threads and event loops; groups were replicated."""
    layer = RedisSentinelChannelLayer(
        hosts=[own_cluster.address], services=[SERVICE], sentinel_refresh_interval=refresh_interval
    )
    layer.group_add("group", "test.p!one")
    with own_cluster.master.client() as client:
        assert client.wait(1, 5000) == 1

    async def main() -> None:
        await layer.asend("test.in", {"n": 1})
        assert await layer.areceive(["test.in"]) == ("test.in", {"n": 1})
        own_cluster.master.stop()
        with pytest.raises(LayerUnavailable, match=f"sentinel://{SERVICE}"):
            await layer.asend("test.in", {"n": 2})
        await asyncio.to_thread(own_cluster.wait_for_failover)
        await asend_until_it_works(layer)
        assert (await layer.areceive(["test.in"]))[0] == "test.in"
        await layer.aclose()

    asyncio.run(main())
    send_until_it_works(layer)
    layer.send_group("group", {"n": 3})
    assert layer.receive(["test.p!"]) == ("test.p!one", {"n": 3})
    layer.close()


def demote(cluster: Cluster) -> None:
    """Make the master a replica of its replica, whose connections stay open."""
    (heir,) = cluster.replicas
    with cluster.master.client() as client, heir.client() as other:
        other.replicaof("NO", "ONE")
        client.execute_command("REPLICAOF", "127.0.0.1", heir.port)


@pytest.mark.parametrize("own_cluster", ["newest", "oldest"], indirect=True)
def test_demoted_master_is_left(own_cluster: Cluster) -> None:
    """A server that became a replica while we were connected is recognised, and its master found."""
    layer = RedisSentinelChannelLayer(hosts=[own_cluster.address], services=[SERVICE], sentinel_refresh_interval=3600)
    layer.send("test.in", {"n": 1})
    demote(own_cluster)
    with pytest.raises(LayerUnavailable, match="not the master any more"):
        layer.send("test.in", {"n": 2})
    layer.close()


@pytest.mark.parametrize("own_cluster", ["newest", "oldest"], indirect=True)
def test_event_loop_leaves_a_demoted_master(own_cluster: Cluster) -> None:
    """As threads do."""

    async def main() -> None:
        layer = RedisSentinelChannelLayer(
            hosts=[own_cluster.address], services=[SERVICE], sentinel_refresh_interval=3600
        )
        await layer.asend("test.in", {"n": 1})
        await asyncio.to_thread(demote, own_cluster)
        with pytest.raises(LayerUnavailable, match="not the master any more"):
            await layer.asend("test.in", {"n": 2})
        await layer.aclose()

    asyncio.run(main())


def send_until_it_works(layer: RedisSentinelChannelLayer) -> None:
    """Send; the new master may still be taking over."""
    deadline = time.monotonic() + 10
    while True:
        try:
            layer.send("test.in", {})
            return
        except LayerUnavailable:
            assert time.monotonic() < deadline
            time.sleep(0.05)


async def asend_until_it_works(layer: RedisSentinelChannelLayer) -> None:
    """The same for an event loop."""
    deadline = time.monotonic() + 10
    while True:
        try:
            await layer.asend("test.in", {})
            return
        except LayerUnavailable:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
