"""When processes begin to be visible: workers when they are ready, servers when they begin to serve."""

import functools
import os
import threading
import weakref
from typing import Any

from channels.layers.inspection import inspection_of
from channels.observe import presence
from channels.signals import worker_ready
from channels.types import Content


class Watch:
    """The presences of this process: one for the workers of each layer, one for each application that serves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._workers: dict[tuple[int, int], tuple[presence.Presence, weakref.WeakSet[Any]]] = {}

    def add_worker(self, sender: Any, **kwargs: Any) -> None:
        """Show ``sender``, a worker, until it is told to stop; receiver of ``worker_ready``."""
        layer = getattr(sender, "channel_layer", None)
        inspection = inspection_of(layer)
        if inspection is None or not hasattr(sender, "apply_channel_filters"):
            return
        key = os.getpid(), id(inspection)
        with self._lock:
            shown, workers = self._workers.get(key, (None, weakref.WeakSet()))
            workers.add(sender)
            if shown is None or not shown.is_running:
                shown = presence.Presence(inspection, "worker", functools.partial(_describe_workers, workers))
                shown.start()
            self._workers[key] = shown, workers

    def add_server(self, application: Any) -> None:
        """Show ``application``, a ``ChannelsApplication``, for as long as it serves."""
        inspection = inspection_of(application.layer)
        if inspection is not None:
            presence.Presence(
                inspection, "server", functools.partial(_describe_server, weakref.ref(application))
            ).start()


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
