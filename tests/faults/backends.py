"""The Redis servers of a stage: one, several, found by Sentinels, or a Cluster; and the network before them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from tests.support.clock import Clock
from tests.support.cluster import RedisCluster
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer, find_newest
from tests.support.sentinel import SERVICE
from tests.support.sentinel import Cluster as SentinelCluster

ROLES = ("interface", "worker")

SOCKET_TIMEOUT = 5.0
"""Seconds that a server may be silent; the least that the layer allows, so that tests need not wait longer."""


class Backend(Protocol):
    """Redis servers that a site uses."""

    layer: str
    """Name of the class in ``tests.faults.site.layers``."""

    def config(self, role: str) -> dict[str, Any]:
        """Return the ``CONFIG`` of processes of this role."""

    def close(self) -> None:
        """Stop everything."""


class Servers:
    """Servers that write down what they hold, each behind two networks: that of interfaces and that of workers."""

    layer = "RedisLayer"

    def __init__(self, count: int = 1) -> None:
        options = ("--appendonly", "yes", "--appendfsync", "no")
        self.servers = [RedisServer(find_newest(), *options).start() for _ in range(count)]
        self.networks = {role: [Proxy(server.port) for server in self.servers] for role in ROLES}

    @property
    def server(self) -> RedisServer:
        """The first server."""
        return self.servers[0]

    @contextmanager
    def with_clock(self) -> Iterator[None]:
        """Run the first server with a clock of its own during a ``with`` block; started anew before and after."""
        with TemporaryDirectory(prefix="clock-") as directory:
            self._clock = Clock(Path(directory))
            environment = self._clock.environment()
            self.server.stop()
            self.server.start(environment)
            try:
                yield
            finally:
                self.server.stop()
                self.server.start()

    def set_clock(self, seconds: int) -> None:
        """Let the clock of the first server be off by ``seconds``."""
        self._clock.set(seconds)

    def config(self, role: str) -> dict[str, Any]:
        """Return the ``CONFIG`` of processes of this role."""
        hosts = [f"redis://127.0.0.1:{proxy.port}/0" for proxy in self.networks[role]]
        return {"hosts": hosts, "connection_kwargs": {"socket_timeout": SOCKET_TIMEOUT}}

    def close(self) -> None:
        """Stop everything."""
        for proxies in self.networks.values():
            for proxy in proxies:
                proxy.close()
        for server in self.servers:
            server.close()


class Sentinels:
    """A master with two replicas, and three Sentinels, two of which must agree."""

    layer = "SentinelLayer"

    def __init__(self) -> None:
        self.cluster = SentinelCluster(find_newest(), replicas=2, sentinels=3).start()

    def config(self, role: str) -> dict[str, Any]:
        """Return the ``CONFIG`` of all processes."""
        return {"hosts": self.cluster.addresses, "services": [SERVICE]}

    def close(self) -> None:
        """Stop everything."""
        self.cluster.stop()


class Cluster:
    """Three masters that share the slots, and a replica of each."""

    layer = "ClusterLayer"

    def __init__(self) -> None:
        self.cluster = RedisCluster(find_newest(), replicas=3).start()

    def config(self, role: str) -> dict[str, Any]:
        """Return the ``CONFIG`` of all processes."""
        return {"hosts": [f"redis://{host}:{port}" for host, port in self.cluster.hosts]}

    def close(self) -> None:
        """Stop everything."""
        self.cluster.close()
