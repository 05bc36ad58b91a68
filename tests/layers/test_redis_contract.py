"""The Redis layer keeps the contract: on the newest and the oldest server, on one shard and on three."""

import tempfile
import unittest
from typing import Any

import pytest

from channels.layers.redis import RedisChannelLayer, RedisLocalChannelLayer
from channels.test.conformance import ConformanceTestCase
from tests.support.redis import RedisServer


class RedisContract(ConformanceTestCase):
    """Every promise of a layer, by the Redis layer."""

    expiry = 0.5
    hosts: list[str]

    def make_layer(self, **config: Any) -> RedisChannelLayer:
        return RedisChannelLayer(hosts=self.hosts, **config)


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
