"""A site whose processes can be killed, stopped and replaced one by one: interfaces, workers, and servers."""

import json
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.faults.backends import ROLES, Backend
from tests.faults.checker import Verdict, judge
from tests.faults.crowd import Crowd
from tests.support.clock import Clock
from tests.support.diary import Entry
from tests.support.processes import Processes, answers, free_port, wait_for
from tests.support.proxy import Proxy
from tests.support.servers import CLEAN_EXITS, unexpected

SECONDS = 60
"""How long a thing may take that takes a second on a machine with nothing else to do."""

INTERFACES, WORKERS = 2, 2
CLIENTS = 24

REDELIVERY_SECONDS = 1.0

HOUR = 3600

LISTENING = "Listening on channels"
"""What a worker says when it does."""

QUIET_SECONDS = 5.5
"""When nothing has come for so long nothing will: longer than ordered messages wait for a lost one, and redelivery."""

AT_LEAST_ONCE = {"delivery": {"websocket.*": "at-least-once"}, "redelivery_after": REDELIVERY_SECONDS}


class Member:
    """One process of the site, or those that took its place.

    Args:
        directory: Where its log goes.
        command: Arguments of Python.
        site: What it is told.
        port: Where it listens, if it does.
    """

    def __init__(self, directory: Path, command: list[str], site: dict[str, Any], port: int | None = None) -> None:
        directory.mkdir()
        self.port = port
        self._clock = Clock(directory)
        environment = {"DJANGO_SETTINGS_MODULE": "tests.faults.site.settings", "FAULTS_SITE": json.dumps(site)}
        self._command = command
        self.processes = Processes(directory, environment)
        self.log_file = self.processes.log_file
        self.process: subprocess.Popen[bytes] = self.processes.start(command)

    @property
    def pid(self) -> int:
        """Of the process that runs now."""
        return self.process.pid

    def replace(self, log_file: Path | None = None) -> None:
        """Start another process in the place of one that has ended; its log may go elsewhere."""
        assert self.process.poll() is not None
        self.processes.log_file = log_file or self.log_file
        self.process = self.processes.start(self._command)

    @contextmanager
    def with_clock(self) -> Iterator[None]:
        """Run it with a clock of its own during a ``with`` block; it is started anew before and after."""
        usual = self.processes.environment
        self.processes.environment = {**usual, **self._clock.environment()}
        try:
            self.end()
            self.replace()
            yield
        finally:
            self.processes.environment = usual
            self.end()
            self.replace()

    def set_clock(self, seconds: int) -> None:
        """Let its own clock be off by ``seconds``."""
        self._clock.set(seconds)

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait(SECONDS)

    def end(self) -> int:
        """End it in order, and return its exit status."""
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        return self.process.wait(SECONDS)

    def log(self) -> str:
        """Return what all its processes have printed."""
        return self.log_file.read_text(errors="replace")

    def close(self) -> int:
        """End what runs, and return its exit status."""
        # Not by the helper of others: it repeats the signal, and a worker takes the second for haste.
        status = self.end() if self.process.poll() is None else self.process.returncode
        self.processes.stop()
        return status


def _serving(application: str, port: int) -> list[str]:
    command = ["-m", "uvicorn", application, "--port", str(port), "--log-level", "warning"]
    return [*command, "--ws-ping-interval", "2", "--ws-ping-timeout", "4"]


class Journal:
    """What all processes of a kind noted; reads only what is new.

    Args:
        directory: Where their diaries are.
    """

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True)
        self._directory = directory
        self._read: dict[Path, int] = {}
        self._entries: list[Entry] = []

    def entries(self) -> list[Entry]:
        """Return all entries in the order of time."""
        for diary in self._directory.iterdir():
            with diary.open("rb") as file:
                file.seek(self._read.get(diary, 0))
                lines = file.read()
            whole = lines[: lines.rfind(b"\n") + 1]
            self._read[diary] = self._read.get(diary, 0) + len(whole)
            self._entries += [Entry(int(at), int(n), int(diary.name)) for at, n in map(bytes.split, whole.splitlines())]
        self._entries.sort()
        return self._entries

    def clear(self) -> None:
        """Forget what was read so far."""
        self.entries()
        self._entries.clear()


class Stage:
    """A running site.

    Args:
        directory: For logs, diaries and sessions.
        backend: The servers of its layer.
        config: What is added to the layer's ``CONFIG``.
    """

    def __init__(self, directory: Path, backend: Backend, config: dict[str, Any]) -> None:
        self.backend: Any = backend
        self.directory = directory
        self.put, self.ran = (Journal(directory / "diaries" / kind) for kind in ("put", "ran"))
        (directory / "sessions").mkdir()
        shared = {"diaries": str(directory / "diaries"), "sessions": str(directory / "sessions")}
        sites = {role: {**shared, "layer": backend.layer, "config": backend.config(role) | config} for role in ROLES}
        self.interfaces = [self._interface(n, sites["interface"]) for n in range(INTERFACES)]
        self.workers = [
            Member(directory / f"worker-{n}", ["-m", "django", "runworker"], sites["worker"]) for n in range(WORKERS)
        ]
        self.doors = [Proxy(member.port) for member in self.interfaces if member.port]
        try:
            self.wait_for(lambda: all(answers(member.port or 0) for member in self.interfaces), "Interfaces listen")
            self.wait_for(lambda: all(LISTENING in member.log() for member in self.workers), "Workers listen")
        except BaseException:
            self.close()
            raise

    def _interface(self, number: int, site: dict[str, Any]) -> Member:
        port = free_port()
        command = _serving("tests.faults.site.asgi:application", port)
        return Member(self.directory / f"interface-{number}", command, site, port)

    def serve(self, application: str) -> Member:
        """Return another server, of ``application``, that listens; it is no member of the site."""
        port = free_port()
        server = Member(self.directory / "server", _serving(application, port), {}, port)
        server.processes.wait_for_port(port)
        return server

    @property
    def members(self) -> list[Member]:
        """All processes of the site."""
        return [*self.interfaces, *self.workers]

    @property
    def ports(self) -> list[int]:
        """Where clients connect."""
        return [door.port for door in self.doors]

    def crowd(self, **options: Any) -> Crowd:
        """Return clients that have begun, all of which are served by now."""
        began = time.monotonic_ns()
        crowd = Crowd(self.ports, CLIENTS, **options)
        try:
            self.wait_until_served(crowd, began)
        except BaseException:
            crowd.end()
            raise
        return crowd

    def wait_until_served(self, crowd: Crowd, moment: int) -> tuple[float, float]:
        """Wait until every process serves again, and every client is answered what it sent since ``moment``.

        Returns:
            After how many seconds each of the two was so.
        """
        serving: float | None = None

        def is_served() -> bool:
            nonlocal serving
            if serving is None and self._all_serve(crowd, moment):
                serving = (time.monotonic_ns() - moment) / 1e9
            return serving is not None and crowd.is_served_since(moment, CLIENTS)

        self.wait_for(is_served, "Every client and every process is served")
        assert serving is not None
        return serving, (time.monotonic_ns() - moment) / 1e9

    def wait_until_told(self, crowd: Crowd, moment: int) -> None:
        """Wait until every client has got something for its room since ``moment``."""
        self.wait_for(lambda: crowd.is_told_since(moment), "Every client is in its room")

    def _all_serve(self, crowd: Crowd, moment: int) -> bool:
        sockets = crowd.open_sockets()
        fresh = {number for socket in sockets for number, at in list(socket.sent.items()) if at > moment}
        ports = {socket.port for socket in sockets if not fresh.isdisjoint(list(socket.answered))}
        busy = {entry.pid for entry in self.ran.entries() if entry.number in fresh}
        return ports == set(self.ports) and busy >= {worker.pid for worker in self.workers}

    def settle(self, crowd: Crowd) -> None:
        """Let what is under way arrive: until nothing is missing, or nothing has come for a while."""
        crowd.pause()
        seen, since = -1, time.monotonic()
        while not (crowd.is_answered() and not self.missing(crowd)) and time.monotonic() < since + QUIET_SECONDS:
            done = len(crowd.arrivals) + len(self.ran.entries())
            if done != seen:
                seen, since = done, time.monotonic()
            time.sleep(0.05)

    def missing(self, crowd: Crowd) -> set[int]:
        """Return what the layer took of the crowd's messages and no consumer got."""
        sent = {number for socket in crowd.sockets for number in socket.sent}
        return ({entry.number for entry in self.put.entries()} & sent) - {entry.number for entry in self.ran.entries()}

    def judge(self, crowd: Crowd) -> Verdict:
        """Return what became of the crowd's messages."""
        return judge(crowd.sockets, crowd.arrivals, self.put.entries(), self.ran.entries())

    def wait_for(self, condition: Callable[[], Any], what: str) -> None:
        """Wait until ``condition`` is true."""
        try:
            wait_for(condition, what, SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.log()}") from None

    def forget(self) -> None:
        """Forget what was noted so far."""
        self.put.clear()
        self.ran.clear()

    def check_alive(self) -> None:
        """Assert that every process runs, and that none has met with something unforeseen."""
        for member in self.members:
            status = member.process.poll()
            assert status is None, f"{member.log()}\nA process ended by itself, with {status}."
        self.check_logs()

    def check_logs(self) -> None:
        """Assert that no process has ever printed a traceback, whatever the fault was."""
        for member in self.members:
            log = unexpected(member.log())
            at = log.find("Traceback")
            assert at < 0, f"{member.log_file.parent.name}:\n{log[max(0, at - 1000) : at + 5000]}"

    def log(self) -> str:
        """Return what all processes have printed."""
        return "\n".join(f"--- {member.log_file.parent.name}\n{member.log()[-4000:]}" for member in self.members)

    def close(self) -> None:
        """Stop everything, which must succeed."""
        try:
            statuses = [member.close() for member in self.members]
            assert set(statuses) <= CLEAN_EXITS, f"Processes ended with {statuses}\n{self.log()}"
            self.check_logs()
        finally:
            for door in self.doors:
                door.close()
            self.backend.close()
