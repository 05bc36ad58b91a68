"""Workers replaced by new code under open sockets with traffic: nothing is dropped, lost, or answered by old code.

``CHANNELS_ROLLING_SOCKETS`` and ``CHANNELS_ROLLING_REPLACEMENTS`` set the size; 500 and 10 are the long form.
"""

import asyncio
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from websockets.asyncio.client import connect

from tests.support.processes import Processes, free_port, wait_for
from tests.support.redis import RedisServer
from tests.support.workers import SECONDS, Workers

pytestmark = pytest.mark.slow

SOCKETS = int(os.environ.get("CHANNELS_ROLLING_SOCKETS", "100"))
REPLACEMENTS = int(os.environ.get("CHANNELS_ROLLING_REPLACEMENTS", "4"))

AT_ONCE = 2
"""How many workers run at a time."""

PAUSE = 0.5
"""Seconds between an answer and the next question of a socket."""

CODE = """
import os

from channels.generic.websockets import JsonWebsocketConsumer
from channels.routing import route_class

VERSION = {version}


class Plain(JsonWebsocketConsumer):
    def receive(self, content, **kwargs):
        self.send({{"n": content["n"], "pid": os.getpid(), "version": VERSION}})


class Ordered(Plain):
    strict_ordering = True


routing = [route_class(Plain, path="/plain/"), route_class(Ordered, path="/ordered/")]
"""


class Answer(NamedTuple):
    """A question that was answered: when it was asked, who answered, and by which code."""

    asked_at: float
    pid: int
    version: int


class Crowd:
    """Sockets that ask and wait for the answer, over and over, in a thread of their own."""

    def __init__(self, port: int, count: int) -> None:
        self.answers: list[Answer] = []
        self.open = 0
        self.is_ending = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=[port, count])
        self._thread.start()

    def _run(self, port: int, count: int) -> None:
        async def run() -> None:
            await asyncio.gather(*(self._talk(port, number) for number in range(count)))

        try:
            asyncio.run(run())
        except BaseException as error:
            self.error = error

    async def _talk(self, port: int, number: int) -> None:
        await asyncio.sleep(number * 0.02)  # All at once would be another test.
        path = "ordered" if number % 2 else "plain"
        async with connect(f"ws://127.0.0.1:{port}/{path}/", open_timeout=SECONDS, proxy=None) as socket:
            self.open += 1
            asked = 0
            while not self.is_ending:
                asked += 1
                asked_at = time.monotonic()
                await socket.send(json.dumps({"n": asked}))
                answer: dict[str, Any] = json.loads(await asyncio.wait_for(socket.recv(), SECONDS))
                assert answer["n"] == asked, f"socket {number} asked {asked} and was answered {answer['n']}"
                self.answers.append(Answer(asked_at, answer["pid"], answer["version"]))
                await asyncio.sleep(PAUSE)

    def check(self) -> None:
        """Raise what ended a socket."""
        if self.error is not None:
            raise self.error

    def end(self) -> None:
        """Let each socket get its last answer and close."""
        self.is_ending = True
        self._thread.join()


class Site:
    """An interface, and workers that come and go."""

    def __init__(self, directory: Path, redis_url: str) -> None:
        self.directory = directory
        self.workers = Workers(directory, redis_url, "rolling_site.routing")
        self.environment = {**self.workers.processes.environment, "PYTHONDONTWRITEBYTECODE": "1"}
        self.started: list[Processes] = []
        self.port = free_port()

    def start(self, name: str, *arguments: str) -> Processes:
        """Start a process with a log of its own."""
        (self.directory / name).mkdir()
        processes = Processes(self.directory / name, self.environment)
        processes.environment["PYTHONPATH"] = self.environment["PYTHONPATH"]
        processes.start(arguments)
        self.started.append(processes)
        return processes

    def start_interface(self) -> None:
        """Start the server, and wait until it listens."""
        (self.directory / "rolling_asgi.py").write_text(
            "from channels.asgi import get_asgi_application\napplication = get_asgi_application()\n"
        )
        arguments = ["-m", "uvicorn", "rolling_asgi:application", "--port", str(self.port), "--log-level", "warning"]
        self.start("interface", *arguments).wait_for_port(self.port)

    def start_worker(self, version: int) -> Processes:
        """Write the code of ``version`` and start a worker of it."""
        (self.directory / "rolling_site.py").write_text(CODE.format(version=version))
        worker = self.start(f"worker-{version}", "-m", "django", "runworker", "--threads", "2")
        wait_for(lambda: worker.log().count("Listening on channels") == 2, f"A worker\n{worker.log()}", SECONDS)
        return worker

    def stop(self) -> None:
        """Stop everything."""
        for processes in self.started:
            processes.stop()
        self.workers.close()


@pytest.fixture
def site(tmp_path: Path, redis_server: RedisServer) -> Iterator[Site]:
    """A site with an interface and no workers yet."""
    site = Site(tmp_path, redis_server.url)
    site.start_interface()
    yield site
    site.stop()


def replace(site: Site, old: Processes, version: int) -> tuple[Processes, int, float]:
    """Start a worker of ``version`` and stop ``old``; return the new one, and whom was told to stop when."""
    new = site.start_worker(version)
    (process,) = old.running
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: "Shutdown signal received" in old.log(), f"That it heard\n{old.log()}", SECONDS)
    heard_at = time.monotonic()
    assert process.wait(SECONDS) == 0, old.log()
    return new, process.pid, heard_at


def test_nothing_is_lost_when_workers_are_replaced(site: Site) -> None:
    """Every socket stays, every question is answered once, and never by a worker that was told to stop before."""
    running = [site.start_worker(version) for version in range(1, AT_ONCE + 1)]
    crowd = Crowd(site.port, SOCKETS)
    told: dict[int, float] = {}
    try:
        wait_for(lambda: crowd.check() or crowd.open == SOCKETS, "All sockets open", 3 * SECONDS)
        for version in range(AT_ONCE + 1, AT_ONCE + REPLACEMENTS + 1):
            seen = len(crowd.answers)
            wait_for(lambda: crowd.check() or len(crowd.answers) > seen + SOCKETS, "Traffic", SECONDS)  # noqa: B023
            new, pid, heard_at = replace(site, running.pop(0), version)
            told[pid] = heard_at
            running.append(new)
        last = len(crowd.answers)
        wait_for(lambda: crowd.check() or len(crowd.answers) > last + SOCKETS, "Traffic at the end", SECONDS)
    finally:
        crowd.end()
    crowd.check()
    late = [answer for answer in crowd.answers if answer.asked_at > told.get(answer.pid, float("inf"))]
    assert late == []
    assert {answer.version for answer in crowd.answers} == set(range(1, AT_ONCE + REPLACEMENTS + 1))
    print(f"{SOCKETS} sockets, {REPLACEMENTS} replacements, {len(crowd.answers)} answers, none lost or late")
