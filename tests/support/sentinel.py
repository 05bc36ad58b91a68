"""A private Redis with replicas and a Sentinel that watches it, stopped by process id."""

import subprocess
import tempfile
from pathlib import Path

import redis

from tests.support.processes import free_port, wait_for
from tests.support.redis import RedisServer

SERVICE = "mymaster"

DOWN_AFTER_MS = 500
"""How long a master must be silent before the Sentinel gives it up."""


class Cluster:
    """A master, its replicas, and one Sentinel.

    Args:
        binary: Path of redis-server.
        replicas: How many replicas.
        service: Name of the master.
    """

    def __init__(self, binary: str, replicas: int = 1, service: str = SERVICE) -> None:
        self._binary = binary
        self._service = service
        self._directory = tempfile.TemporaryDirectory(prefix="sentinel-")
        self._sentinel: subprocess.Popen[str] | None = None
        self.master = RedisServer(binary, "--repl-diskless-sync-delay", "0")
        self.replicas = [
            RedisServer(binary, "--replicaof", "127.0.0.1", str(self.master.port)) for _ in range(replicas)
        ]
        self.port = free_port()

    @property
    def address(self) -> tuple[str, int]:
        """Address of the Sentinel."""
        return ("127.0.0.1", self.port)

    def start(self) -> "Cluster":
        """Start everything; return once the Sentinel knows the replicas and they follow the master."""
        for server in (self.master, *self.replicas):
            server.start()
        configuration = Path(self._directory.name) / "sentinel.conf"
        configuration.write_text(
            f"port {self.port}\nbind 127.0.0.1\ndir {self._directory.name}\n"
            f"sentinel monitor {self._service} 127.0.0.1 {self.master.port} 1\n"
            f"sentinel down-after-milliseconds {self._service} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {self._service} 5000\n"
        )
        self._sentinel = subprocess.Popen(
            [self._binary, str(configuration), "--sentinel"], stdout=subprocess.DEVNULL, text=True
        )
        wait_for(self._is_complete, "the Sentinel knows the replicas", 30)
        return self

    def _is_complete(self) -> bool:
        try:
            with redis.Redis(*self.address, decode_responses=True, protocol=2) as client:
                known = client.execute_command("SENTINEL REPLICAS", self._service)
        except redis.ConnectionError:
            return False
        if len(known) != len(self.replicas):
            return False
        for server in self.replicas:
            with server.client() as client:
                if client.info("replication")["master_link_status"] != "up":
                    return False
        return True

    def wait_for_failover(self) -> None:
        """Return once the Sentinel names another master than the first."""

        def is_over() -> bool:
            with redis.Redis(*self.address, decode_responses=True, protocol=2) as client:
                address = client.execute_command("SENTINEL GET-MASTER-ADDR-BY-NAME", self._service)
            return int(address[1]) != self.master.port

        wait_for(is_over, "another master", 30)

    def stop(self) -> None:
        """Stop everything."""
        if self._sentinel is not None:
            self._sentinel.kill()
            self._sentinel.wait()
        for server in (self.master, *self.replicas):
            server.close()
        self._directory.cleanup()
