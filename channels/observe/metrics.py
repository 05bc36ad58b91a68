"""Metrics of this process for Prometheus. Imported only where the settings ask for them.

A collector reads the counters and timings when it is asked; nothing is recorded twice. The state of queues is asked of
the layer at that moment, so every process tells the same of one queue: take the maximum, not the sum.
"""

import errno
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from prometheus_client import REGISTRY, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from channels import counters, timings
from channels.exceptions import LayerUnavailable
from channels.types import Content

LAST_PORT = 65_535

MOST_PORTS = 100
"""How many ports are tried: the processes of one machine beside each other."""

INTERFACE_CHANNELS = (
    "http.request",
    "websocket.connect",
    "websocket.receive",
    "websocket.disconnect",
)
"""Where an interface sends to; beside its reply queues, these tell how it fares. ``http.disconnect`` is shown by the
workers that consume it: where nobody does, it is always full."""

_OUTCOMES = {
    "websocket.accepted.application": "accepted",
    "websocket.refused.application": "refused by the application",
    "websocket.refused.client_rate": "limit of one client",
    "websocket.refused.client_sockets": "limit of one client",
    "websocket.refused.drain": "restart",
    "websocket.refused.handshakes": "limit of the process",
    "websocket.refused.layer": "layer full or gone",
    "websocket.refused.loss": "layer lost what it held",
    "websocket.refused.path": "bad path",
    "websocket.refused.sockets": "limit of the process",
    "websocket.refused.stop": "restart",
    "websocket.refused.timeout": "timeout",
    "websocket.abandoned.client": "client went away",
}

_LABELS = {timings.CONSUMER: "consumer", timings.FLUSH: None, timings.REQUEST: "status"}


class Running(Protocol):
    """What runs in this process on one layer."""

    @property
    def alias(self) -> str:
        """Of the layer."""

    @property
    def layer(self) -> Any:
        """The layer."""

    @property
    def kind(self) -> str:
        """``worker`` or ``server``."""


Sources = Callable[[], Sequence[tuple[Any, Content]]]


class ChannelsCollector(Collector):
    """Collects what this process counted and timed, and the state of the queues it has to do with.

    Args:
        sources: Returns what runs in this process, each a ``Running``, with what it says of itself.
    """

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not ask the layer."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        counted = counters.snapshot()
        yield events(counted)
        yield _handshakes(counted)
        yield _sockets(counted)
        for kind, meaning in timings.KINDS.items():
            yield _histogram(kind, meaning)
        yield from self._running()

    def _running(self) -> Iterator[Metric]:
        # Sums: there may be several on one layer, and Prometheus takes one sample of a name and its labels only.
        threads: Counter[tuple[str, ...]] = Counter()
        connections: Counter[tuple[str, ...]] = Counter()
        queues: dict[str, tuple[Any, set[str]]] = {}
        for source, content in self._sources():
            _, names = queues.setdefault(source.alias, (source.layer, set()))
            names.update(content["channels"])
            if source.kind == "server":
                names.update(INTERFACE_CHANNELS)
                connections[(source.alias,)] += content["connections"]
            else:
                threads[source.alias, "busy"] += content["busy"]
                threads[source.alias, "idle"] += content["threads"] - content["busy"]
        yield _gauge("channels_worker_threads", "Threads that consume.", ("layer", "state"), threads)
        yield _gauge("channels_connections", "Open connections, HTTP included.", ("layer",), connections)
        yield from _layers(queues)


def events(counted: dict[str, int] | None = None) -> Metric:
    """Return what this process counted, or ``counted``, as one family."""
    counted = counters.snapshot() if counted is None else counted
    family = CounterMetricFamily(
        "channels_events", "What was counted: docs, reference, counters.", labels=("noun", "verb", "reason")
    )
    for name, count in counted.items():
        noun, verb, reason = (*name.split(".", 2), "", "")[:3]
        family.add_metric((noun, verb, reason), count)
    return family


def _gauge(name: str, meaning: str, labels: Sequence[str], values: Mapping[tuple[str, ...], int]) -> Metric:
    family = GaugeMetricFamily(name, meaning, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family


def _handshakes(counted: dict[str, int]) -> Metric:
    family = CounterMetricFamily("channels_handshakes", "Handshakes of WebSockets by outcome.", labels=("outcome",))
    sums: Counter[str] = Counter()
    for name, outcome in _OUTCOMES.items():
        sums[outcome] += counted.get(name, 0)
    for outcome, count in sums.items():
        family.add_metric((outcome,), count)
    return family


def _sockets(counted: dict[str, int]) -> Metric:
    opened = counted.get("websocket.accepted.application", 0) - counted.get("websocket.ended.open", 0)
    return GaugeMetricFamily("channels_sockets", "Open WebSockets.", value=opened)


def _histogram(kind: str, meaning: str) -> Metric:
    label = _LABELS[kind]
    family = HistogramMetricFamily(f"channels_{kind}_seconds", meaning, labels=() if label is None else (label,))
    for name, timing in timings.snapshot(kind).items():
        buckets, total = [], 0
        for bound, count in zip((*timings.BOUNDS, float("inf")), timing.counts, strict=True):
            total += count
            buckets.append(("+Inf" if bound == float("inf") else str(bound), total))
        family.add_metric(() if label is None else (name,), buckets, timing.seconds)
    return family


def _layers(queues: dict[str, tuple[Any, set[str]]]) -> Iterator[Metric]:
    up = GaugeMetricFamily("channels_layer_up", "Whether the layer could be asked.", labels=("layer",))
    sent = CounterMetricFamily("channels_layer_messages", "Messages sent by all processes.", labels=("layer",))
    refused = CounterMetricFamily("channels_layer_refused", "Sends to full channels.", labels=("layer",))
    per_channel = ("layer", "channel")
    unread = GaugeMetricFamily("channels_queue_messages", "Unread messages.", labels=per_channel)
    age = GaugeMetricFamily("channels_queue_age_seconds", "Age of the oldest unread message.", labels=per_channel)
    capacity = GaugeMetricFamily("channels_queue_capacity", "Messages it may hold.", labels=per_channel)
    for alias, (layer, names) in queues.items():
        if "statistics" not in getattr(layer, "extensions", ()):
            continue
        try:
            total = layer.global_statistics()
            found = layer.statistics_of(sorted(names))
        except LayerUnavailable:
            up.add_metric((alias,), 0)
            continue
        up.add_metric((alias,), 1)
        sent.add_metric((alias,), total.get("messages_count", 0))
        refused.add_metric((alias,), total.get("channel_full_count", 0))
        for name, state in found.items():
            unread.add_metric((alias, name), state.get("messages_pending", 0))
            age.add_metric((alias, name), state.get("messages_max_age", 0))
            if hasattr(layer, "get_capacity"):
                capacity.add_metric((alias, name), layer.get_capacity(name))
    yield from (up, sent, refused, unread, age, capacity)


def serve(sources: Sources, address: str) -> str:
    """Show the metrics of this process at ``address``, ``host:port``, or at the next free port; return where.

    What the project and others registered at prometheus-client's default registry is shown as well.

    Raises:
        ValueError: It is no address.
        OSError: No port is free, or the host is not this machine.
    """
    host, _, first = address.rpartition(":")
    if not host or not first.isdecimal() or int(first) > LAST_PORT:
        raise ValueError(f"CHANNELS_METRICS must be like '127.0.0.1:9400', not {address!r}.")
    for port in range(int(first), min(int(first) + MOST_PORTS, LAST_PORT + 1)):
        try:
            start_http_server(port, host.strip("[]"))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        REGISTRY.register(ChannelsCollector(sources))
        return f"{host}:{port}"
    raise OSError(errno.EADDRINUSE, f"no port from {first} on is free")
