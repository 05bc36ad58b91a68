"""The doctor names the planted fault: on a real Redis, with real servers and workers."""

import contextlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from channels.exceptions import ChannelFull
from channels.layers.ipc import IPCChannelLayer
from channels.observe.doctor import Doctor, Level
from channels.registry import ChannelLayerWrapper
from tests.monitor.conftest import CAPACITY, Site
from tests.support.detour import detour
from tests.support.processes import wait_for
from tests.support.redis import RedisServer
from tests.support.servers import serve

pytestmark = pytest.mark.slow


def broken(report: str) -> list[str]:
    """Return the lines of what is broken."""
    return [line.partition("  ")[2] for line in report.splitlines() if line.startswith("broken")]


def test_doctor_finds_nothing_where_all_is_well(site: Site) -> None:
    """Every hop answers: the layer, each channel through a worker, each reply queue through the server."""
    with serve("uvicorn", "tests.monitor.site.asgi:application", site.processes):
        site.start_worker()
        wait_for(lambda: site.announced("server"), "A server")
        found = json.loads(site.command("doctor", "--json", "--patience", "30"))
    assert {one["level"] for one in found} == {"ok"}
    hops = [one["hop"] for one in found]
    assert hops[:4] == ["layer", "clock", "workers", "servers"]
    assert {"websocket.connect", "test.slow"} < set(hops)
    assert sum(hop.startswith("server ") for hop in hops) == 2


def test_doctor_names_the_missing_worker(site: Site) -> None:
    """Nobody consumes anything."""
    report = site.command("doctor", "--patience", "1")
    assert "workers: No worker is running" in report
    assert "manage.py runworker" in report
    assert report.endswith("CommandError: Broken: workers.")


def test_doctor_names_the_wrong_channel_filter(site: Site) -> None:
    """A worker is there, and passes channels over that the routing has."""
    site.start_worker("--only-channels=websocket.*", "--exclude-channels=websocket.receive")
    report = site.command("doctor", "--patience", "30")
    assert any(line.startswith("websocket.receive: No worker consumes websocket.receive") for line in broken(report))
    assert not any(line.startswith("websocket.connect") for line in broken(report))
    assert "--exclude-channels=websocket.receive, --only-channels=websocket.*" in report


def test_doctor_names_the_full_channel(site: Site) -> None:
    """Its consumer is slower than what comes."""
    site.start_worker("--only-channels=test.*")
    site.layer.send("test.slow", {})
    wait_for(lambda: not site.layer.inspection.peek("test.slow"), "The worker takes it")
    with contextlib.suppress(ChannelFull):
        while True:
            site.layer.send("test.slow", {})
    report = site.command("doctor", "--patience", "1")
    assert any(
        line.startswith(f"test.slow: Channel test.slow is full: {CAPACITY} of {CAPACITY}") for line in broken(report)
    )


def test_doctor_names_the_worker_that_takes_nothing(site: Site) -> None:
    """It is there, and all it does is wait for something else."""
    site.start_worker("--only-channels=test.*")
    site.layer.send("test.slow", {})
    wait_for(lambda: not site.layer.inspection.peek("test.slow"), "The worker takes it")
    report = site.command("doctor", "--patience", "1")
    assert any("test.fail: Nobody took a probe from test.fail within 1 s" in line for line in broken(report))


def test_doctor_names_the_redis_that_is_down(
    own_redis: RedisServer, use_layer: Callable[..., None], site: Site
) -> None:
    """The layer cannot be reached, and which server that is."""
    use_layer(f"redis://127.0.0.1:{own_redis.port}/0")
    own_redis.stop()
    report = site.command("doctor")
    assert f"broken  layer: Redis at redis://127.0.0.1:{own_redis.port}/0 cannot be used" in report
    assert report.endswith("CommandError: Broken: layer.")


def test_doctor_names_the_slow_redis(redis_server: RedisServer, use_layer: Callable[..., None], site: Site) -> None:
    """The way there takes long."""
    with detour(redis_server.port, delay=0.07) as port:
        use_layer(f"redis://127.0.0.1:{port}/0")
        report = site.command("doctor", "--patience", "1")
        site.layer.close()
    slow = re.search(r"^slow    layer: The layer is slow: .* answers within (\d+)", report, re.MULTILINE)
    assert slow, report
    assert int(slow[1]) >= 140


def test_doctor_names_the_layer_that_takes_nothing(tmp_path: Path) -> None:
    """Not one channel is full but the layer: it has no room for a probe."""
    layer = ChannelLayerWrapper(IPCChannelLayer(directory=tmp_path / "place", message_memory=100), "default", [])
    (finding,) = Doctor(layer).examine()
    layer.close()
    assert (finding.level, finding.hop) == (Level.BROKEN, "layer")
    assert "raise 'message_memory'" in finding.text


def test_doctor_names_the_clock_that_is_wrong(site: Site) -> None:
    """Of all processes, the one whose clock differs from the layer's."""
    site.start_worker()
    site.start_worker(SITE_CLOCK="600")
    lines = [line for line in broken(site.command("doctor", "--patience", "30")) if line.startswith("clock")]
    assert len(lines) == 1
    assert re.search(r"clock: Clock skew: worker \d+ on \S+ is (59[0-9]|60[0-9])\.\d s ahead of the clock of", lines[0])


def test_probe_never_reaches_a_consumer_nor_counts_as_a_failure(site: Site) -> None:
    """Looking changes nothing: no consumer ran, nothing is left."""
    site.start_worker()
    site.command("doctor", "--patience", "30")
    wait_for(lambda: site.announced("worker")[0].content["time"] > site.layer.inspection.now() - 2, "News", 30)
    assert site.announced("worker")[0].content["consumers"] == {}
    assert not site.layer.inspection.peek("test.fail")


def test_forged_probe_is_answered_to_nobody(site: Site) -> None:
    """Whoever gets a probe into a message cannot have workers send where he wants."""
    site.start_worker()
    site.layer.send("test.fail", {"__probe__": {"reply": "websocket.send.victim!one", "number": 1}})
    site.layer.send("test.fail", {"__probe__": "nonsense"})
    wait_for(lambda: not site.layer.inspection.peek("test.fail"), "The worker takes them")
    assert "ok      test.fail: Through" in site.command("doctor", "--patience", "30")
    assert site.layer.receive(["websocket.send.victim!"])[0] is None
