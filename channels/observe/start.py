"""When processes begin to be visible: workers when they are ready, servers when they begin to serve.

Each is shown on its layer (``presence``) and, where the settings ask for it, to Prometheus (``metrics``).
"""

import functools
import logging
import os
import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

from channels import conf, tracing
from channels.layers.inspection import inspection_of
from channels.observe import extras
from channels.observe.presence import Presence
from channels.signals import worker_ready
from channels.types import Content

logger = logging.getLogger("django.channels.observe")


class Source(NamedTuple):
    """What runs in this process on one layer.

    Attributes:
        alias: Of the layer.
        layer: The layer, or a wrapper of it.
        kind: ``worker`` or ``server``.
        describe: Returns what it says of itself; None when it is over.
    """

    alias: str
    layer: Any
    kind: str
    describe: Callable[[], Content | None]


class Watch:
    """What this process shows of itself: its workers by layer, and its applications that serve."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._sources: list[Source] = []
        self._workers: dict[int, weakref.WeakSet[Any]] = {}
        self._metrics: str | None = None

    def add_worker(self, sender: Any, **kwargs: Any) -> None:
        """Show ``sender``, a worker, until it is told to stop; receiver of ``worker_ready``."""
        layer = getattr(sender, "channel_layer", None)
        if layer is None or not hasattr(sender, "apply_channel_filters"):
            return
        with self._lock:
            self._begin()
            workers = self._workers.get(id(layer))
            if workers is None or _describe_workers(workers) is None:
                workers = self._workers[id(layer)] = weakref.WeakSet()
                workers.add(sender)
                self._add(Source(layer.alias, layer, "worker", functools.partial(_describe_workers, workers)))
            workers.add(sender)

    def add_server(self, application: Any, alias: str = "") -> None:
        """Show ``application``, a ``ChannelsApplication`` on the layer ``alias``, for as long as it serves."""
        with self._lock:
            self._begin()
            describe = functools.partial(_describe_server, weakref.ref(application))
            self._add(Source(alias, application.layer, "server", describe))

    def sources(self) -> list[tuple[Source, Content]]:
        """Return what runs in this process, and what each says of itself now."""
        with self._lock:
            found = [(source, source.describe()) for source in self._sources]
            self._sources = [source for source, content in found if content is not None]
        return [(source, content) for source, content in found if content is not None]

    def are_shown_at(self, address: str) -> None:
        """Take note that the metrics of this process are shown at ``address`` already, whatever the settings say."""
        self._metrics = address

    def _begin(self) -> None:
        if self._pid != os.getpid():  # A fork runs nothing of what its parent runs.
            self._pid, self._metrics = os.getpid(), None
            self._sources.clear()
            self._workers.clear()
        if self._metrics is None and extras.METRICS.is_wanted:
            self._metrics = self._serve_metrics()

    def _serve_metrics(self) -> str | None:
        metrics = extras.METRICS.load()
        if metrics is None:
            logger.error(extras.METRICS.complaint)
            return None
        try:
            address: str = metrics.serve(self.sources, conf.get("CHANNELS_METRICS"))
        except (OSError, ValueError) as error:
            logger.error("The metrics of this process are not shown: %s", error)
            return None
        logger.info("Metrics at http://%s/metrics", address)
        return address

    def _add(self, source: Source) -> None:
        self._sources.append(source)
        inspection = inspection_of(source.layer)
        if inspection is not None:
            Presence(inspection, source.kind, lambda: self._with_metrics(source)).start()

    def _with_metrics(self, source: Source) -> Content | None:
        content = source.describe()
        return None if content is None else {**content, "metrics": self._metrics}


def _describe_workers(workers: "weakref.WeakSet[Any]") -> Content | None:
    running = [worker for worker in workers if not worker.termed]
    if not running:
        return None
    channels: set[str] = set()
    for worker in running:
        channels.update(worker.apply_channel_filters(worker.channel_layer.router.channels))
    only = sorted({glob for worker in running for glob in worker.only_channels or ()})
    exclude = sorted({glob for worker in running for glob in worker.exclude_channels or ()})
    return {
        "threads": len(running),
        "busy": sum(bool(worker.in_job) for worker in running),
        "channels": sorted(channels),
        "only_channels": only,
        "exclude_channels": exclude,
    }


def _describe_server(reference: "weakref.ref[Any]") -> Content | None:
    application = reference()
    if application is None or not application.is_serving:
        return None
    return {"connections": application.connection_count, "channels": application.reply_prefixes}


watch = Watch()
"""That of this process."""


def connect() -> None:
    """Show workers from now on whenever one is ready."""
    worker_ready.connect(watch.add_worker, dispatch_uid="channels.observe.worker")


def start_tracing() -> None:
    """Follow messages from now on if the settings ask for it."""
    if not extras.TRACING.is_wanted:
        return
    traces = extras.TRACING.load()
    if traces is None:
        logger.error(extras.TRACING.complaint)
    else:
        tracing.use(traces.OpenTelemetryTracer())
