"""The Redis layer keeps the contract: on the newest and oldest Redis and on Valkey, on one shard and on several."""

import tempfile
import unittest
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

from channels.layers.redis import RedisChannelLayer, RedisLocalChannelLayer
from channels.test.conformance import ConformanceTestCase
from tests.support.redis import RedisServer, find_newest


class RedisContract(ConformanceTestCase):
    """Every promise of a layer, by the Redis layer."""

    expiry = 0.5
    hosts: list[str]
    layer_options: ClassVar[dict[str, Any]] = {}

    def make_layer(self, **config: Any) -> RedisChannelLayer:
        return RedisChannelLayer(hosts=self.hosts, **self.layer_options, **config)


@pytest.fixture(scope="module")
def second_server() -> Iterator[RedisServer]:
    """Another server of the newest kind."""
    server = RedisServer(find_newest())
    try:
        yield server.start()
    finally:
        server.close()


class TestLocal(RedisContract, unittest.TestCase):
    """The contract on the layer whose normal channels stay on the machine."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.hosts = [redis_server.url]

    def make_layer(self, **config: Any) -> RedisLocalChannelLayer:
        directory = tempfile.TemporaryDirectory(prefix="ipc-")
        self.addCleanup(directory.cleanup)
        return RedisLocalChannelLayer(hosts=self.hosts, directory=f"{directory.name}/place", **config)


class TestNewestRedis(RedisContract, unittest.TestCase):
    """The contract on the Redis that is on PATH."""

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.hosts = [redis_server.url]


class TestOldestRedis(RedisContract, unittest.TestCase):
    """The contract on Redis 6.2, which has no BLMPOP."""

    @pytest.fixture(autouse=True)
    def _server(self, old_redis_server: RedisServer) -> None:
        self.hosts = [old_redis_server.url]


class TestThreeShards(RedisContract, unittest.TestCase):
    """The contract on three shards: three databases of one server."""

    bounded_channels = ("test.single?reader",)  # A normal channel has its capacity on each shard.

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.hosts = [redis_server.url, f"{redis_server.url}?db=1", f"{redis_server.url}?db=2"]


@pytest.mark.slow
class TestTwoHosts(RedisContract, unittest.TestCase):
    """The contract on two servers that know nothing of each other, with hidden names."""

    bounded_channels = ("test.single?reader",)
    layer_options: ClassVar[dict[str, Any]] = {"symmetric_encryption_keys": ["secret"], "name_key": "another"}

    @pytest.fixture(autouse=True)
    def _servers(self, redis_server: RedisServer, second_server: RedisServer) -> None:
        second_server.flush()
        self.hosts = [redis_server.url, second_server.url]


@pytest.mark.slow
class TestHiddenNames(RedisContract, unittest.TestCase):
    """The contract where nobody who sees the server can read the names of channels and groups."""

    layer_options: ClassVar[dict[str, Any]] = {"symmetric_encryption_keys": ["secret"], "name_key": "another"}

    @pytest.fixture(autouse=True)
    def _server(self, redis_server: RedisServer) -> None:
        self.hosts = [redis_server.url]


@pytest.mark.slow
class TestValkey(RedisContract, unittest.TestCase):
    """The contract on the server that Redis was forked into."""

    @pytest.fixture(autouse=True)
    def _server(self, valkey_server: RedisServer) -> None:
        valkey_server.flush()
        self.hosts = [valkey_server.url]
