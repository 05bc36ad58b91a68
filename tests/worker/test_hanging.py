"""Worker processes that hang: named, replaced, and never reported as well."""

import errno
import itertools
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from channels.supervision import children
from channels.supervision import supervisor as supervision
from channels.supervision.children import Child
from channels.supervision.options import read_options
from channels.supervision.status import Status, judge
from channels.supervision.supervisor import Supervisor
from channels.supervision.systemd import Systemd
from tests.support.counting import Growth
from tests.support.processes import free_port, wait_for
from tests.support.redis import RedisServer
from tests.support.systemd import ServiceManager
from tests.support.workers import SECONDS, Workers


@pytest.fixture
def workers(tmp_path: Path, redis_server: RedisServer) -> Iterator[Workers]:
    """A site whose workers the test starts."""
    site = Workers(tmp_path, redis_server.url)
    yield site
    site.close()


@pytest.mark.slow
def test_process_that_hangs_is_told_of_and_replaced(workers: Workers, tmp_path: Path) -> None:
    """The health port and systemd hear of it before; the watchdog is fed again when another has taken its place."""
    port = free_port()
    with ServiceManager(tmp_path / "notify") as systemd:
        workers.start(
            *("--processes", "2", "--hang-time", "14", "--health-port", str(port)),
            NOTIFY_SOCKET=str(systemd.path),
            WATCHDOG_USEC="200000",
        )
        workers.wait_until_ready(2)
        systemd.wait_for("WATCHDOG=1")
        stuck, other = workers.pids("is ready")
        os.kill(stuck, signal.SIGSTOP)
        text = systemd.wait_for("STATUS=.*has said nothing")
        assert f"process {stuck} has said nothing for 1" in text
        answer = httpx.get(f"http://127.0.0.1:{port}/live", timeout=60)
        assert answer.status_code == 503
        assert f"process {stuck} has said nothing" in answer.json()["text"]
        systemd.heard.clear()
        after = systemd.wait_for("STATUS=1 of 2")
        assert "WATCHDOG=1" not in systemd.heard[: systemd.heard.index(after)]
        workers.wait_for_log("it hangs. It is killed")
        workers.wait_for_log(f"Worker process {stuck} of place")
        workers.wait_until_ready(3)
        systemd.wait_for("WATCHDOG=1")
    wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/ready", timeout=60).status_code == 200, "Readiness", SECONDS)
    assert workers.pids("has said nothing") == [stuck]
    assert other in workers.pids("is ready")
    assert re.search(rf"{stuck} of place \d was killed by SIGKILL", workers.log())
    workers.send("work", n=1)
    assert workers.result()["pid"] != stuck


def test_silent_process_is_not_live() -> None:
    """Whatever it said last, and however well the others are."""
    well, silent = Status(pid=1, messages=3), Status(pid=2, messages=4, silent=12.0)
    health = judge([well, silent], expected=2, stall_time=300)
    assert not health.is_live
    assert not health.is_ready
    assert "process 2 has said nothing for 12 s" in health.text
    assert judge([well, Status(pid=2, silent=3.0)], expected=2, stall_time=300).is_ready


def test_process_that_never_becomes_ready_is_replaced(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its start has a longest time, too."""
    monkeypatch.setattr(supervision, "START_SECONDS", 0.5)
    caplog.set_level("INFO", "django.channels")
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    supervisor = Supervisor(command, 1, 0, Systemd({}))

    def stop_after_the_second() -> None:
        wait_for(lambda: caplog.text.count("has not become ready") >= 2, "Two that hang", SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    helper = threading.Thread(target=stop_after_the_second)
    helper.start()
    replaced = Growth("worker.replaced.hang")
    supervisor.run()
    helper.join()
    assert replaced.amount >= 2
    assert "another is started" in caplog.text


def test_pause_of_supervisor_and_processes_is_no_silence(tmp_path: Path) -> None:
    """A container that is paused, or a job of a terminal that is stopped, goes on as it was."""
    child = Child([sys.executable, "-c", "import time; time.sleep(600)"], 0)
    supervisor = Supervisor(["true"], 1, 0, Systemd({}), hang_time=30)
    supervisor._places[0].child, child.is_ready = child, True
    try:
        child.heard_at -= 100
        child.stop()
        assert child.told_at is not None
        child.told_at -= 100
        supervisor._passed_at -= 100
        supervisor._excuse_absence()
        assert child.silence < 10
        assert time.monotonic() - child.told_at < 10
    finally:
        child.kill()
        child.close()


@pytest.mark.slow
def test_pause_of_all_processes_kills_none(workers: Workers) -> None:
    """They are stopped for longer than one may be silent."""
    supervisor = workers.start("--processes", "2", "--hang-time", "5")
    workers.wait_until_ready(2)
    workers.wait_for_log("is ready", 2)
    pids = [supervisor.pid, *workers.pids("is ready")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(7)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    workers.send("work", n=1)
    assert workers.result()["pid"] in pids
    assert workers.stop(supervisor) == 0
    assert workers.pids("has said nothing") == []


def test_system_that_starts_no_process_for_a_while_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The other processes go on, and it is tried again."""
    caplog.set_level("INFO", "django.channels")
    supervisor = Supervisor([sys.executable, "-c", "import time; time.sleep(600)"], 2, 0, Systemd({}))
    popen, tries = children.subprocess.Popen, itertools.count(1)

    def second_fails(*args: Any, **kwargs: Any) -> Any:
        if next(tries) == 2:
            raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")
        return popen(*args, **kwargs)

    monkeypatch.setattr(children.subprocess, "Popen", second_fails)

    def stop_when_both_run() -> None:
        wait_for(lambda: all(place.child for place in supervisor._places), "Two processes", SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    helper = threading.Thread(target=stop_when_both_run)
    helper.start()
    supervisor.run()
    helper.join()
    assert "Cannot start a process in place 2" in caplog.text


@pytest.mark.slow
def test_consumer_that_takes_too_long_is_named_once(workers: Workers, tmp_path: Path) -> None:
    """Its process may be the only one that could finish it, so it is not replaced."""
    settings = tmp_path / "supervised_settings.py"
    settings.write_text(settings.read_text() + "\nCHANNELS_STALL_TIME = 1\n")
    workers.start("--processes", "1", "--hang-time", "2")
    workers.wait_until_ready()
    workers.send("hold", n=1, until=str(tmp_path / "go"))
    child = workers.result()["pid"]
    workers.wait_for_log("s with hold.")
    (tmp_path / "go").touch()
    assert workers.result() == {"n": 1, "pid": child}
    assert workers.pids("is busy for") == [child]


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"hang_time": 1.0}, "--hang-time must be 2 or more"),
        ({"autoreload": True, "processes": 2}, "--autoreload does not go with --processes"),
        ({"autoreload": True, "health_port": "9400"}, "--autoreload does not go with --health-port"),
        ({"metrics_port": "here"}, "--metrics-port must be a port, or HOST:PORT, not 'here'"),
    ],
)
def test_options_that_cannot_be_are_refused(options: Any, error: str) -> None:
    """Before anything starts."""
    with pytest.raises(CommandError, match=error):
        call_command("runworker", **options)


@pytest.mark.parametrize(("place", "reason"), [("missing/health", "No such file"), (".", "Is a directory")])
def test_health_file_that_cannot_be_written_is_refused(tmp_path: Path, place: str, reason: str) -> None:
    """Whoever waits for it would take the workers for dead."""
    limits = read_options({"health_file": str(tmp_path / place)})
    with pytest.raises(CommandError, match=f"--health-file: cannot write .*{reason}"):
        limits.make_reporters()
    assert list(tmp_path.iterdir()) == []


def test_service_manager_that_does_not_listen_stops_nothing(tmp_path: Path) -> None:
    """What is told again and again does not wait for it."""
    with ServiceManager(tmp_path / "notify") as systemd:
        teller = Systemd({"NOTIFY_SOCKET": str(systemd.path), "WATCHDOG_USEC": "0"})
        for number in range(1000):
            teller.report(judge([Status(pid=1, messages=number)], expected=1, stall_time=300))
        assert systemd.wait_for("STATUS=.* 0 messages")
