"""Metrics: what servers and workers show to Prometheus, and the dashboard that is made of it."""

import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from channels import counters
from channels.observe import metrics
from channels.observe.start import Watch
from channels.registry import ChannelLayerWrapper, channel_layers
from tests.monitor.conftest import Site
from tests.support.processes import ROOT, free_port, wait_for
from tests.support.servers import serve

DASHBOARD = ROOT / "docs" / "grafana-dashboard.json"

Samples = dict[str, dict[tuple[tuple[str, str], ...], float]]


def scrape(address: str) -> Samples:
    """Return the samples that a process shows: name, then labels, to value."""
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def value(samples: Samples, name: str, **labels: str) -> float:
    """Return one sample."""
    return samples[name][tuple(sorted(labels.items()))]


@pytest.mark.slow
def test_servers_and_workers_show_what_they_do(site: Site) -> None:
    """Each on a port of its own: events, handshakes, sockets, times, queues; and nothing that the dashboard lacks."""
    site.processes.environment["SITE_SETTINGS"] = json.dumps({"CHANNELS_METRICS": f"127.0.0.1:{free_port()}"})
    with serve("uvicorn", "tests.monitor.site.asgi:application", site.processes) as server:
        site.start_worker("--exclude-channels=test.slow")
        site.start_worker("--exclude-channels=test.*")
        with connect(f"{server.ws_url}/") as socket:
            for _ in range(3):
                socket.send("hello")
                assert socket.recv(timeout=30) == "hello"
            site.layer.send("test.fail", {})
            interface = scrape(wait_for(lambda: site.announced("server"), "A server")[0].content["metrics"])
            addresses = [one.content["metrics"] for one in site.announced("worker")]
            assert len(set(addresses)) == 2
            wait_for(lambda: sum(_failures(scrape(one)) for one in addresses) == 1, "A failure", 30)
            workers = [scrape(one) for one in addresses]
        with urllib.request.urlopen(f"{server.url}/admin/login/", timeout=60):
            pass
        together = f"127.0.0.1:{free_port()}"
        site.start_worker("--only-channels=test.slow", "--processes", "1", "--metrics-port", together)
        wait_for(lambda: scrape(together).get("channels_worker_up"), "The supervisor hears of it", 30)
        supervisor = scrape(together)
        interface_later = scrape(site.announced("server")[0].content["metrics"])
    assert value(interface, "channels_sockets") == 1
    assert value(interface, "channels_handshakes_total", outcome="accepted") == 1
    assert value(interface, "channels_layer_up", layer="default") == 1
    assert value(interface_later, "channels_request_seconds_count", status="2xx") == 1
    assert value(interface_later, "channels_events_total", noun="http", verb="answered", reason="2xx") == 1
    echoes = [one["channels_consumer_seconds_count"] for one in workers]
    assert sum(one.get((("consumer", "tests.monitor.site.consumers.echo"),), 0) for one in echoes) == 3
    assert sum(sum(one.get("channels_flush_seconds_count", {}).values()) for one in workers) >= 4
    assert value(workers[0], "channels_queue_capacity", layer="default", channel="websocket.receive") == 3
    assert value(workers[0], "channels_queue_messages", layer="default", channel="websocket.receive") == 0
    assert value(workers[0], "channels_worker_threads", layer="default", state="idle") == 1
    check_dashboard([interface_later, supervisor, *workers])


def _failures(samples: Samples) -> float:
    labels = (("noun", "consumer"), ("reason", "exception"), ("verb", "failed"))
    return samples.get("channels_events_total", {}).get(labels, 0)


def expressions() -> Iterator[str]:
    """Yield every question that the dashboard asks."""
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            yield target["expr"]


def check_dashboard(processes: list[Samples]) -> None:
    """Insist on every name and label that the dashboard asks for being shown by one of ``processes``."""
    shown: dict[str, set[str]] = {}
    for samples in processes:
        for name, by_labels in samples.items():
            shown.setdefault(name, set()).update(label for labels in by_labels for label, _ in labels)
    asked: set[str] = set()
    for expression in expressions():
        names = set(re.findall(r"\bchannels_\w+", expression))
        assert names
        asked |= names
        assert names <= set(shown), expression
        known = {"job", "instance"}.union(*(shown[name] for name in names))
        used = set(re.findall(r"(\w+)=", expression))
        for part in re.findall(r"by \(([^)]*)\)", expression):
            used.update(label.strip() for label in part.split(","))
        assert used <= known, expression
    families = {name for name in shown if name.startswith("channels_") and not name.endswith(("_created", "_bucket"))}
    stems = {re.sub(r"_(bucket|count|sum)$", "", name) for name in asked}
    assert {re.sub(r"_(count|sum)$", "", name) for name in families} <= stems


def test_dashboard_can_be_read(tmp_path: Path) -> None:
    """It has a panel for each question, none over another."""
    dashboard = json.loads(DASHBOARD.read_text())
    spots: set[tuple[int, int]] = set()
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        mine = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not mine & spots
        assert at["x"] + at["w"] <= 24
        spots |= mine


def test_layer_that_is_gone_is_shown_as_down(settings: Any) -> None:
    """A scrape never fails because of it."""
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.redis.RedisChannelLayer",
            "CONFIG": {"hosts": [("127.0.0.1", free_port())]},
            "ROUTING": [],
        }
    }

    class Here:
        alias, layer, kind = "default", channel_layers["default"], "server"

    registry = CollectorRegistry()
    registry.register(metrics.ChannelsCollector(lambda: [(Here(), {"channels": [], "connections": 0})]))
    assert registry.get_sample_value("channels_layer_up", {"layer": "default"}) == 0


def test_several_on_one_layer_are_one_sample(channel_layer: ChannelLayerWrapper) -> None:
    """Two applications in one process: Prometheus would take the connections of one of them only."""

    class Here:
        alias, layer, kind = "default", channel_layer, "server"

    sources = [(Here(), {"channels": [], "connections": count}) for count in (2, 3)]
    (family,) = [
        metric
        for metric in metrics.ChannelsCollector(lambda: sources).collect()
        if metric.name == "channels_connections"
    ]
    assert [(sample.labels, sample.value) for sample in family.samples] == [({"layer": "default"}, 5)]


def test_each_end_of_a_handshake_has_an_outcome() -> None:
    """Whatever the reason for which one is refused: the outcomes together are all handshakes that were decided."""
    collector = metrics.ChannelsCollector(list)

    def handshakes() -> float:
        (family,) = (each for each in collector.collect() if each.name == "channels_handshakes")
        return sum(sample.value for sample in family.samples)

    before = handshakes()
    refusals = [name for name in counters.KNOWN if name.startswith("websocket.refused.")]
    for name in refusals:
        counters.add(name)
    assert handshakes() - before == len(refusals)


@pytest.mark.parametrize("address", ["9400", "localhost", "localhost:http", "localhost:65536"])
def test_address_that_is_none_is_refused(address: str) -> None:
    """The error says what it should look like."""
    with pytest.raises(ValueError, match=r"CHANNELS_METRICS must be like '127\.0\.0\.1:9400'"):
        metrics.serve(list, address)


def test_worker_runs_where_its_metrics_cannot_be_shown(settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It says so; what it is there for goes on."""
    settings.CHANNELS_METRICS = "nonsense"
    watch = Watch()

    class Worker:
        channel_layer = channel_layers["default"]
        termed = True

        def apply_channel_filters(self, channels: Any) -> Any:
            return channels

    watch.add_worker(Worker())
    assert "The metrics of this process are not shown: CHANNELS_METRICS must be like" in caplog.text
    assert watch.sources() == []
