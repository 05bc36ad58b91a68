"""Worker processes under a supervisor, and how workers stop: real processes, real signals, a real Redis."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.processes import free_port, wait_for
from tests.support.redis import RedisServer
from tests.support.systemd import ServiceManager
from tests.support.workers import SECONDS, Workers

pytestmark = pytest.mark.slow


@pytest.fixture
def workers(tmp_path: Path, redis_server: RedisServer) -> Iterator[Workers]:
    """A site whose workers the test starts."""
    site = Workers(tmp_path, redis_server.url)
    yield site
    site.close()


def is_alive(pid: int) -> bool:
    """Return whether there is such a process that has not ended."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


# Stopping


@pytest.mark.parametrize("options", [(), ("--threads", "2"), ("--processes", "1")])
def test_stop_finishes_what_runs(workers: Workers, tmp_path: Path, options: tuple[str, ...]) -> None:
    """Its sends leave, the exit status is 0, and what came later waits on the layer."""
    worker = workers.start(*options)
    workers.wait_until_ready(2 if "2" in options else 1)
    workers.send("hold", n=1, until=str(tmp_path / "go"))
    assert workers.result()["held"] == 1
    worker.send_signal(signal.SIGTERM)
    workers.wait_for_log("Shutdown signal received")
    time.sleep(0.5)  # Longer than a worker waits for messages: whoever still listens now is a mistake.
    workers.send("work", n=2)
    (tmp_path / "go").touch()
    assert workers.result()["n"] == 1
    assert worker.wait(SECONDS) == 0
    assert workers.layer.receive(["work"])[1] == {"n": 2}


@pytest.mark.parametrize("options", [(), ("--processes", "1")])
def test_grace_has_an_end(workers: Workers, tmp_path: Path, options: tuple[str, ...]) -> None:
    """What does not finish within it is named with its place in the code, and lost."""
    worker = workers.start("--grace", "1", *options)
    workers.wait_until_ready()
    workers.send("hold", n=1, until=str(tmp_path / "never"))
    assert workers.result()["held"] == 1
    assert workers.stop(worker) == 1
    log = workers.log()
    assert "did not finish within 1 s" in log
    assert "hold, in\n" in log
    assert "tests/worker/supervised.py" in log


@pytest.mark.parametrize("options", [(), ("--threads", "2"), ("--processes", "2")])
def test_second_signal_ends_at_once(workers: Workers, tmp_path: Path, options: tuple[str, ...]) -> None:
    """However long the grace is; no process is left."""
    worker = workers.start(*options)
    workers.wait_until_ready(2 if options else 1)
    workers.send("hold", n=1, until=str(tmp_path / "never"))
    busy = workers.result()["pid"]
    worker.send_signal(signal.SIGTERM)
    workers.wait_for_log("Shutdown signal received")
    assert workers.stop(worker) != 0
    assert "Second shutdown signal" in workers.log()
    wait_for(lambda: not is_alive(busy), "The end of the busy process", SECONDS)


def test_signal_to_all_processes_is_one_signal(workers: Workers, tmp_path: Path) -> None:
    """As a service manager or Ctrl-C sends it: what runs is finished, and the end is a good one."""
    worker = workers.start("--processes", "1")
    workers.wait_until_ready()
    workers.send("hold", n=1, until=str(tmp_path / "go"))
    child = workers.result()["pid"]
    os.kill(child, signal.SIGTERM)
    worker.send_signal(signal.SIGTERM)
    workers.wait_for_log("waiting up to")
    (tmp_path / "go").touch()
    assert workers.result()["n"] == 1
    assert worker.wait(SECONDS) == 0


def test_workers_end_with_their_supervisor(workers: Workers) -> None:
    """Also when it is killed."""
    worker = workers.start("--processes", "1")
    workers.wait_until_ready()
    workers.send("work", n=1)
    child = workers.result()["pid"]
    worker.kill()
    worker.wait(SECONDS)
    wait_for(lambda: not is_alive(child), "The end of the worker", SECONDS)


# Replacing


def test_dead_process_is_replaced(workers: Workers) -> None:
    """Its end is named, and messages go on."""
    workers.start("--processes", "1")
    workers.wait_until_ready()
    workers.send("work", n=1)
    first = workers.result()["pid"]
    workers.send("die")
    workers.wait_for_log("was killed by SIGKILL")
    workers.send("work", n=2)
    assert workers.result()["pid"] != first
    assert workers.log().count("crash loop") == 0


def test_crash_loop_is_slowed_and_named(workers: Workers) -> None:
    """Pauses grow; a stop does not wait for them."""
    # The supervisor reads the routing before it starts processes, so it is only they that fail.
    supervisor = workers.start("--processes", "1", "--only-channels", "none.*")
    workers.wait_for_log("This is a crash loop: the last 4 ended so")
    assert "ended with exit status 0" in workers.log()
    assert "There is no channel to consume" in workers.log()
    assert workers.stop(supervisor) == 0


def test_process_makes_way_after_so_many_messages(workers: Workers) -> None:
    """No message is lost, and it is no crash."""
    workers.start("--processes", "2", "--max-messages", "10")
    workers.wait_until_ready(2)
    for n in range(60):
        workers.send("work", n=n)
    results = [workers.result() for _ in range(60)]
    assert sorted(result["n"] for result in results) == list(range(60))
    counts = [sum(result["pid"] == pid for result in results) for pid in {result["pid"] for result in results}]
    assert max(counts) <= 11
    assert "made way for a fresh one (messages)" in workers.log()
    assert "crash loop" not in workers.log()


def test_process_makes_way_when_it_has_too_much_memory(workers: Workers) -> None:
    """What it sent leaves first."""
    workers.start("--processes", "1", "--max-memory", "300")
    workers.wait_until_ready()
    workers.send("eat", n=1, bytes=350 << 20)
    first = workers.result()["pid"]
    workers.wait_for_log("made way for a fresh one (memory)")
    workers.send("work", n=2)
    assert workers.result()["pid"] != first


def test_worker_without_supervisor_ends_after_so_many_messages(workers: Workers) -> None:
    """All its threads do, also those that have nothing to do; who supervises it starts it again."""
    worker = workers.start("--threads", "3", "--max-messages", "5")
    workers.wait_until_ready(3)
    for n in range(6):
        workers.send("work", n=n)
    assert worker.wait(SECONDS) == 0


def test_hangup_replaces_processes_one_after_the_other(workers: Workers) -> None:
    """There is always one that listens, and all are new at the end."""
    supervisor = workers.start("--processes", "2")
    workers.wait_for_log("is ready", 2)
    old = set(workers.pids("is ready"))
    supervisor.send_signal(signal.SIGHUP)
    workers.wait_for_log("All worker processes have been replaced")
    new = workers.pids("is ready")[2:]
    stopped = workers.pids("has stopped")
    assert len(new) == 2
    assert set(stopped) == old
    log = workers.log()
    assert log.index(f"process {new[0]} is ready") < log.index(f"process {stopped[0]} has stopped")
    assert log.index(f"process {stopped[0]} has stopped") < log.index(f"process {new[1]} is ready")
    assert workers.stop(supervisor) == 0


def test_hangup_with_code_that_does_not_start_keeps_the_old_processes(workers: Workers, tmp_path: Path) -> None:
    """And says so."""
    supervisor = workers.start("--processes", "1")
    workers.wait_until_ready()
    settings = tmp_path / "supervised_settings.py"
    settings.write_text(settings.read_text() + "\nraise RuntimeError('a mistake in the new settings')\n")
    supervisor.send_signal(signal.SIGHUP)
    workers.wait_for_log("the processes that it was to replace go on")
    workers.send("work", n=1)
    assert workers.result()["pid"] == workers.pids("is ready")[0]
    assert "a mistake in the new settings" in workers.log()


# Telling of health


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[ServiceManager]:
    """A service manager that is told things."""
    with ServiceManager(tmp_path / "notify") as manager:
        yield manager


@pytest.mark.parametrize("options", [(), ("--processes", "2")])
def test_systemd_is_told(workers: Workers, systemd: ServiceManager, options: tuple[str, ...]) -> None:
    """Ready once it listens, alive while it does, stopping when it stops."""
    worker = workers.start(*options, NOTIFY_SOCKET=str(systemd.path), WATCHDOG_USEC="200000")
    systemd.wait_for("READY=1")
    if options:
        assert len(workers.pids("is ready")) == 2
    systemd.wait_for("WATCHDOG=1")
    worker.send_signal(signal.SIGTERM)
    systemd.wait_for("STOPPING=1")
    assert worker.wait(SECONDS) == 0
    assert any(line.startswith("STATUS=") for line in systemd.heard)


def test_systemd_is_told_of_replacements(workers: Workers, systemd: ServiceManager) -> None:
    """Reloading, and ready again."""
    supervisor = workers.start("--processes", "1", NOTIFY_SOCKET=str(systemd.path))
    systemd.wait_for("READY=1")
    systemd.heard.clear()
    supervisor.send_signal(signal.SIGHUP)
    systemd.wait_for("RELOADING=1")
    systemd.wait_for("READY=1")


@pytest.mark.parametrize("options", [(), ("--processes", "1")])
def test_health_is_told_to_who_asks(workers: Workers, tmp_path: Path, options: tuple[str, ...]) -> None:
    """A port and a file: well while messages are run, bad while one keeps the worker busy for too long."""
    settings = tmp_path / "supervised_settings.py"
    settings.write_text(settings.read_text() + "\nCHANNELS_STALL_TIME = 3\n")
    port, file = free_port(), tmp_path / "health"
    workers.start(*options, "--health-port", str(port), "--health-file", str(file))
    workers.wait_until_ready()

    def answer(path: str) -> int:
        try:
            return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60).status_code
        except httpx.TransportError:
            return 0

    wait_for(lambda: answer("/ready") == 200, "Readiness", SECONDS)
    assert answer("/live") == 200
    assert answer("/other") == 404
    wait_for(file.exists, "The file", SECONDS)
    assert json.loads(file.read_text())["is_live"] is True
    workers.send("hold", n=1, until=str(tmp_path / "go"))
    wait_for(lambda: answer("/live") == 503, "Bad health", SECONDS)
    wait_for(lambda: not file.exists(), "The end of the file", SECONDS)
    assert "with hold" in httpx.get(f"http://127.0.0.1:{port}/live", timeout=60).json()["text"]
    (tmp_path / "go").touch()
    wait_for(lambda: answer("/ready") == 200, "Health again", SECONDS)


def test_worker_that_lost_its_layer_lives_and_is_not_ready(tmp_path: Path, own_redis: RedisServer) -> None:
    """Starting it again would not help."""
    workers = Workers(tmp_path, own_redis.url)
    try:
        port = free_port()
        workers.start("--health-port", f"127.0.0.1:{port}")
        workers.wait_until_ready()

        def answer(path: str) -> int:
            try:
                return httpx.get(f"http://127.0.0.1:{port}{path}", timeout=60).status_code
            except httpx.TransportError:
                return 0

        wait_for(lambda: answer("/ready") == 200, "Readiness", SECONDS)
        own_redis.stop()
        wait_for(lambda: answer("/ready") == 503, "That it is not ready", SECONDS)
        assert answer("/live") == 200
        own_redis.start()
        wait_for(lambda: answer("/ready") == 200, "Readiness again", SECONDS)
    finally:
        workers.close()


# Development


def test_autoreload_runs_the_new_code(workers: Workers, tmp_path: Path) -> None:
    """Also after a mistake in it was corrected."""
    module = tmp_path / "reloaded.py"
    code = "from channels import Channel, route\n\ndef work(message):\n    Channel('results').send({{'n': {}}})\n\n"
    code += "routing = [route('work', work)]\n"
    module.write_text(code.format(1))
    settings = tmp_path / "supervised_settings.py"
    settings.write_text(settings.read_text().replace("tests.worker.supervised.routing", "reloaded.routing"))
    workers.start("--autoreload", PYTHONDONTWRITEBYTECODE="1")
    workers.wait_until_ready()
    workers.send("work")
    assert workers.result()["n"] == 1

    def change(text: str, log: str) -> None:
        """Write a module until that is noticed: nothing says when the reloader has begun to look."""
        count = workers.log().count(log)
        wait_for(lambda: module.write_text(text) and workers.log().count(log) > count, f"{log!r}", SECONDS)

    change(code.format(2) + "\nbroken(\n", "SyntaxError")
    change(code.format(22), "Listening on channels")
    workers.send("work")
    assert workers.result()["n"] == 22
