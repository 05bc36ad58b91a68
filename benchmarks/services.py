"""Start what is measured on free ports of this machine, and stop it by process id."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from tests.support.processes import free_port
from tests.support.redis import RedisServer, find_newest

ROOT = Path(__file__).resolve().parent.parent
STARTING = 20.0
"""Seconds that a process has to come up."""


def wait_for_port(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return when something listens on ``port``.

    Raises:
        SystemExit: ``process`` ended, or the time is up.
    """
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"{process.args!r} does not listen on port {port}.")


@contextmanager
def running(command: list[str], directory: Path = ROOT, **env: str) -> Iterator["subprocess.Popen[bytes]"]:
    """Run ``command`` in ``directory`` while the context lasts; SIGTERM ends it."""
    process = subprocess.Popen(command, cwd=directory, env={**os.environ, **env}, stdin=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@dataclass
class Process:
    """A process that is measured."""

    name: str
    pid: int


class Services:
    """A private Redis and whatever was asked for, until the context ends."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self.processes: list[Process] = []
        self.redis_url = ""

    def __enter__(self) -> "Services":
        redis = RedisServer(find_newest()).start()
        self._stack.callback(redis.close)
        self.processes.append(Process("redis", redis.pid))
        self.redis_url = f"redis://127.0.0.1:{redis.port}/0"
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._stack.close()

    def start(self, name: str, command: list[str], directory: Path = ROOT, **env: str) -> "subprocess.Popen[bytes]":
        """Start a process that is measured, with ``BENCH_REDIS_URL`` in its environment."""
        env["BENCH_REDIS_URL"] = self.redis_url
        process = self._stack.enter_context(running(command, directory, **env))
        self.processes.append(Process(name, process.pid))
        return process

    def serve(
        self, name: str, application: str, python: str = sys.executable, directory: Path = ROOT, **env: str
    ) -> int:
        """Start uvicorn with ``application`` and return its port."""
        port = free_port()
        command = [python, "-m", "uvicorn", application, "--port", str(port), "--log-level", "warning"]
        process = self.start(name, [*command, "--no-access-log"], directory, **env)
        wait_for_port(port, process)
        return port

    def work(self, count: int = 1) -> None:
        """Start ``count`` worker processes."""
        command = [sys.executable, "-m", "django", "runworker", "-v", "0", "--settings", "benchmarks.site.settings"]
        for number in range(count):
            self.start(f"worker {number + 1}", command)
