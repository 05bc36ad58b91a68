"""A private Redis with replicas and Sentinels that watch it, stopped by process id."""

import subprocess
from pathlib import Path
from typing import Any

import redis

from tests.support.processes import free_port, wait_for
from tests.support.redis import RedisServer, make_directory

SERVICE = "mymaster"

DOWN_AFTER_MS = 500
"""How long a master must be silent before a Sentinel gives it up."""

FAILOVER_MS = 2000
"""How long an attempt at a failover may take; the next one begins after twice that time."""


class Cluster:
    """A master, its replicas, and Sentinels, of which more than half must agree.

    Args:
        binary: Path of redis-server.
        replicas: How many replicas.
        service: Name of the master.
        sentinels: How many Sentinels.
    """

    def __init__(self, binary: str, replicas: int = 1, service: str = SERVICE, sentinels: int = 1) -> None:
        self._binary = binary
        self._service = service
        self._directory = make_directory("sentinel-")
        self._sentinels: dict[int, subprocess.Popen[str]] = {}
        self._quorum = sentinels // 2 + 1
        self.master = RedisServer(binary, "--repl-diskless-sync-delay", "0")
        self.replicas = [
            RedisServer(
                *(binary, "--replicaof", "127.0.0.1", str(self.master.port)), *("--repl-diskless-sync-delay", "0")
            )
            for _ in range(replicas)
        ]
        self._lost: list[RedisServer] = []
        self.ports = [free_port() for _ in range(sentinels)]

    @property
    def port(self) -> int:
        """Where the first of the Sentinels listens that run."""
        return next(port for port in self.ports if not self._sentinels or port in self._sentinels)

    @property
    def address(self) -> tuple[str, int]:
        """Address of that Sentinel."""
        return ("127.0.0.1", self.port)

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Addresses of all Sentinels, running or not."""
        return [("127.0.0.1", port) for port in self.ports]

    def start(self) -> "Cluster":
        """Start everything; return once the Sentinels know each other and the replicas, which follow the master."""
        for server in (self.master, *self.replicas):
            server.start()
        for port in self.ports:
            self._start_sentinel(port)
        wait_for(self._is_complete, "the Sentinels know each other and the replicas", 30)
        return self

    def _start_sentinel(self, port: int) -> None:
        directory = Path(self._directory.name) / str(port)
        directory.mkdir()
        configuration = directory / "sentinel.conf"
        configuration.write_text(
            f"port {port}\nbind 127.0.0.1\ndir {directory}\n"
            f"sentinel monitor {self._service} 127.0.0.1 {self.master.port} {self._quorum}\n"
            f"sentinel down-after-milliseconds {self._service} {DOWN_AFTER_MS}\n"
            f"sentinel failover-timeout {self._service} {FAILOVER_MS}\n"
        )
        with (directory / "log.txt").open("w") as log:
            self._sentinels[port] = subprocess.Popen(
                [self._binary, str(configuration), "--sentinel"], stdout=log, stderr=log, text=True
            )

    def _is_complete(self) -> bool:
        try:
            known = [self._ask(port, "REPLICAS") for port in self.ports]
            others = [self._ask(port, "SENTINELS") for port in self.ports]
        except redis.ConnectionError:
            return False
        if {*map(len, known)} != {len(self.replicas)} or {*map(len, others)} != {len(self.ports) - 1}:
            return False
        return all(self.follows(server) for server in self.replicas)

    def _ask(self, port: int, word: str) -> Any:
        with redis.Redis("127.0.0.1", port, decode_responses=True, protocol=2) as client:
            return client.execute_command(f"SENTINEL {word}", self._service)

    def follows(self, replica: RedisServer) -> bool:
        """Return whether ``replica`` has what its master has."""
        with replica.client() as client:
            return client.info("replication").get("master_link_status") == "up"

    def kill_sentinel(self) -> None:
        """SIGKILL the first of the Sentinels that run."""
        sentinel = self._sentinels.pop(self.port)
        sentinel.kill()
        sentinel.wait()

    def wait_for_failover(self) -> None:
        """Return once a Sentinel names another master than ``master``."""
        try:
            wait_for(lambda: self._named() != self.master.port, "another master", 60)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self._log()}") from None

    def _log(self) -> str:
        """Return what the Sentinels printed."""
        return "\n".join(path.read_text() for path in sorted(Path(self._directory.name).glob("*/log.txt")))

    def _named(self) -> int:
        return int(self._ask(self.port, "GET-MASTER-ADDR-BY-NAME")[1])

    def fail_over(self) -> None:
        """SIGKILL the master; return once a Sentinel names another, which is ``master`` from then on."""
        servers = [self.master, *self.replicas]
        self.master = next(server for server in servers if server.port == self._named())
        heirs = [server for server in servers if server is not self.master]
        wait_for(lambda: all(self.follows(server) for server in heirs), "the replicas follow", 60)
        self._lost.append(self.master)
        self.master.stop()
        self.wait_for_failover()
        self.master = next(server for server in heirs if server.port == self._named())
        self.replicas = [server for server in heirs if server is not self.master]

    def stop(self) -> None:
        """Stop everything."""
        for sentinel in self._sentinels.values():
            sentinel.kill()
            sentinel.wait()
        for server in (self.master, *self.replicas, *self._lost):
            server.close()
        self._directory.cleanup()
