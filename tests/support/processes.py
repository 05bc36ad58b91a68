"""Processes that tests start: on free ports, stopped by pid, with their output kept for when something fails."""

import itertools
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

PORTS = range(11_000, 15_000)
"""Below those that the kernel gives away by itself, so that no connection can have one of them."""

RUNNERS = 16
"""How many processes of one test run share the ports without getting in each other's way."""

_runner = int(os.environ.get("PYTEST_XDIST_WORKER", "gw15").removeprefix("gw")) % RUNNERS
_ports = itertools.cycle(PORTS[_runner::RUNNERS])
_ports = itertools.islice(_ports, random.randrange(len(PORTS) // RUNNERS), None)  # Another test run begins elsewhere.


def free_port() -> int:
    """Return a port of the loopback address that nothing listens on, and that is not given to anyone else soon."""
    for port in _ports:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise AssertionError("There is always another one to try.")


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 60) -> Any:
    """Return the first true value of ``condition``; for things of other programs that nothing announces.

    Raises:
        AssertionError: It was not true within the time.
    """
    deadline = time.monotonic() + seconds
    while True:
        if value := condition():
            return value
        assert time.monotonic() < deadline, f"{what}: not within {seconds:g} s"
        time.sleep(0.02)


def stop(process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGTERM) -> int:
    """Signal a process, wait for its end and return its exit status; one that does not end is killed."""
    if process.poll() is None:
        process.send_signal(number)
    try:
        return process.wait(60)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def answers(port: int) -> bool:
    """Return whether something listens on ``port``."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


class Processes:
    """Python processes with one environment and one log.

    Args:
        directory: Where the log goes.
        environment: What they see beside the environment of the tests.
        cwd: The directory they run in.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str], cwd: Path = ROOT) -> None:
        self.cwd = cwd
        self.log_file = directory / "log.txt"
        self.log_file.touch()
        inherited = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
        self.environment = {**inherited, "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT), **environment}
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, arguments: Sequence[str]) -> "subprocess.Popen[bytes]":
        """Start ``python`` with ``arguments``."""
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, *arguments],
                cwd=self.cwd,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.running.append(process)
        return process

    def wait_for_port(self, port: int) -> None:
        """Wait until one of the processes listens on ``port``."""

        def is_up() -> bool:
            for process in self.running:
                assert process.poll() in (None, 0), f"A process ended:\n{self.log()}"
            return answers(port)

        wait_for(is_up, f"Listening on port {port}\n{self.log()}")

    def wait_for_log(self, text: str, times: int = 1) -> None:
        """Wait until ``text`` stands in the log as often as ``times``."""
        wait_for(lambda: self.log().count(text) >= times, f"{text!r} in the log:\n{self.log()}")

    def log(self) -> str:
        """Return what the processes have printed."""
        return self.log_file.read_text(errors="replace")

    def stop(self) -> None:
        """Stop all of them."""
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.running:
            stop(process)
