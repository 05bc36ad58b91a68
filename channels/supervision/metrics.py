"""Metrics of worker processes at one port. Imported only where ``--metrics-port`` asks for it.

The supervisor asks each process when Prometheus asks it, and tells them apart by the label ``place``: a process that
takes the place of another goes on with its series, as one that was started anew does.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from channels.observe.metrics import ChannelsCollector, events
from channels.observe.start import watch
from channels.supervision.children import Child

PATIENCE = 3.0
"""Seconds that a process may take to answer; Prometheus waits for ten by default."""

PLACE = "place"
SUPERVISOR = "supervisor"
"""What stands in the place of a place where the supervisor tells of itself."""

Running = Callable[[], Sequence[tuple[int, Child]]]


def show(host: str, port: int) -> None:
    """Show the metrics of this process alone.

    Raises:
        OSError: The port is taken, or the host is not this machine.
    """
    start_http_server(port, host)
    REGISTRY.register(ChannelsCollector(watch.sources))
    watch.are_shown_at(f"{host}:{port}")


def make_answer() -> Callable[[], bytes]:
    """Return what tells the metrics of this process as text."""
    REGISTRY.register(ChannelsCollector(watch.sources))
    return lambda: generate_latest(REGISTRY)


def show_all(running: Running, host: str, port: int) -> None:
    """Show the metrics of the processes that ``running`` returns, by the numbers of their places.

    Raises:
        OSError: The port is taken, or the host is not this machine.
    """
    registry = CollectorRegistry()
    registry.register(PlacesCollector(running))
    start_http_server(port, host, registry=registry)


class PlacesCollector(Collector):
    """Collects what worker processes answer.

    Args:
        running: Returns the processes, and the numbers of their places.
    """

    def __init__(self, running: Running) -> None:
        self._running = running

    def describe(self) -> Iterable[Metric]:
        """Return nothing: registering must not ask the processes."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics of all processes, each family once."""
        running = self._running()
        up = GaugeMetricFamily("channels_worker_up", "Whether the process answered.", labels=(PLACE,))
        families: dict[str, Metric] = {}
        _merge(families, events(), SUPERVISOR)
        with ThreadPoolExecutor(max_workers=min(16, len(running) + 1), thread_name_prefix="channels-ask") as pool:
            answers = list(pool.map(lambda place: place[1].ask(PATIENCE), running))
        for (number, _), answer in zip(running, answers, strict=True):
            up.add_metric((str(number),), answer is not None)
            for family in text_string_to_metric_families((answer or b"").decode()):
                _merge(families, family, str(number))
        yield up
        yield from families.values()


def _merge(families: dict[str, Metric], family: Metric, place: str) -> None:
    kept = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
    kept.samples += [sample._replace(labels={**sample.labels, PLACE: place}) for sample in family.samples]
