"""``runworker --metrics-port``: the metrics of one process, or of all of a supervisor, at one port."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from tests.monitor.test_metrics import Samples, scrape, value
from tests.support.processes import free_port, wait_for
from tests.support.redis import RedisServer
from tests.support.workers import SECONDS, Workers

CRASHES = "worker.replaced.crash"
WORK = "tests.worker.supervised.work"


@pytest.fixture
def workers(tmp_path: Path, redis_server: RedisServer) -> Iterator[Workers]:
    """A site whose workers the test starts."""
    site = Workers(tmp_path, redis_server.url)
    yield site
    site.close()


def runs(samples: Samples) -> float:
    """Return how often the consumer ran, in all processes."""
    counts = samples.get("channels_consumer_seconds_count", {})
    return sum(count for labels, count in counts.items() if ("consumer", WORK) in labels)


@pytest.mark.slow
def test_supervisor_shows_the_metrics_of_all_its_processes(workers: Workers) -> None:
    """Told apart by their places; one that died and one that does not answer are told of, and the rest goes on."""
    address = f"127.0.0.1:{free_port()}"
    workers.start("--processes", "2", "--metrics-port", address)
    workers.wait_for_log("is ready", 2)
    for n in range(10):
        workers.send("work", n=n)
    pids = {workers.result()["pid"] for _ in range(10)}
    assert pids <= set(workers.pids("is ready"))
    wait_for(lambda: runs(scrape(address)) == 10, "All runs counted", SECONDS)  # A result leaves before that.
    samples = scrape(address)
    assert samples["channels_worker_up"] == {(("place", "1"),): 1, (("place", "2"),): 1}
    assert value(samples, "channels_worker_threads", layer="default", place="2", state="idle") == 1
    assert {dict(labels)["place"] for labels in samples["python_info"]} == {"1", "2"}  # What others registered.
    workers.send("die")
    workers.wait_for_log("is ready", 3)
    samples = scrape(address)
    noun, verb, reason = CRASHES.split(".")
    counted = {"noun": noun, "verb": verb, "reason": reason}
    assert value(samples, "channels_events_total", place="supervisor", **counted) == 1
    assert sorted(samples["channels_worker_up"].values()) == [1, 1]
    stuck = workers.pids("is ready")[-1]
    os.kill(stuck, signal.SIGSTOP)
    samples = scrape(address)
    assert sorted(samples["channels_worker_up"].values()) == [0, 1]
    assert len(samples["channels_worker_threads"]) == 2
    os.kill(stuck, signal.SIGCONT)
    wait_for(lambda: sorted(scrape(address)["channels_worker_up"].values()) == [1, 1], "Both answer", SECONDS)


@pytest.mark.slow
def test_worker_without_supervisor_shows_its_metrics(workers: Workers, tmp_path: Path) -> None:
    """At that port and no other, whatever the settings say."""
    other = free_port()
    settings = tmp_path / "supervised_settings.py"
    settings.write_text(settings.read_text() + f"\nCHANNELS_METRICS = '127.0.0.1:{other}'\n")
    port = free_port()
    workers.start("--metrics-port", str(port))
    workers.wait_until_ready()
    workers.send("work", n=1)
    workers.result()
    wait_for(lambda: runs(scrape(f"127.0.0.1:{port}")) == 1, "The run", SECONDS)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", other), 5)


@pytest.fixture
def redis_layer(settings: object, redis_server: RedisServer) -> None:
    """A layer that workers may run on."""
    layer = {"BACKEND": "channels.layers.redis.RedisChannelLayer", "CONFIG": {"hosts": [redis_server.url]}}
    settings.CHANNEL_LAYERS = {"default": {**layer, "ROUTING": []}}  # type: ignore[attr-defined]


@pytest.mark.usefixtures("redis_layer")
def test_port_that_is_taken_is_told() -> None:
    """The command ends with the option, the port and the reason."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(CommandError, match=rf"--metrics-port: cannot listen on .*{port}.*in use"):
            call_command("runworker", metrics_port=str(port))


@pytest.mark.usefixtures("redis_layer")
def test_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to install."""
    monkeypatch.delattr("channels.supervision.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "channels.supervision.metrics", None)
    with pytest.raises(CommandError, match=r"pip install 'channels-classic\[metrics\]'"):
        call_command("runworker", metrics_port="9400")
