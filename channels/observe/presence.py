"""How processes make themselves visible: each says on the layer every few seconds that it is there, and how it fares.

What it says is in ``describe_process``; who reads it is ``overview``. Layers without the inspection extension show
nothing, and nothing runs for them.
"""

import atexit
import contextlib
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable

from channels import counters, timings
from channels._version import __version__
from channels.exceptions import ChannelFull, LayerUnavailable
from channels.layers.inspection import Inspection
from channels.types import Content

logger = logging.getLogger("django.channels.observe")

INTERVAL = 5.0
"""Seconds between two announcements of a process."""

LIFETIME = 3 * INTERVAL
"""How long a process is shown that says nothing more."""

MOST_CONSUMERS = 50
"""Of how many consumers a process tells the times: those that took most of it."""


def describe_process(kind: str, started: float) -> Content:
    """Return what every process says of itself.

    Args:
        kind: ``worker`` or ``server``.
        started: When, in seconds since the epoch.
    """
    consumers = sorted(timings.snapshot(timings.CONSUMER).items(), key=lambda item: -item[1].seconds)
    return {
        "kind": kind,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": __version__,
        "started": started,
        "time": time.time(),
        "counters": counters.snapshot(),
        "consumers": {name: [timing.total, timing.seconds] for name, timing in consumers[:MOST_CONSUMERS]},
    }


class Presence:
    """Shows a process on a layer from ``start`` on, in a thread, until it is over or the process ends.

    Args:
        inspection: Of the layer.
        kind: ``worker`` or ``server``.
        describe: Returns what this kind says beside what every process does; None when it is over.
        interval: Seconds between two announcements.
    """

    def __init__(
        self,
        inspection: Inspection,
        kind: str,
        describe: Callable[[], Content | None],
        interval: float = INTERVAL,
    ) -> None:
        self.name = f"{kind}-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self._inspection = inspection
        self._kind = kind
        self._describe = describe
        self._interval = interval
        self._started = time.time()
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"channels-presence-{kind}", daemon=True)

    @property
    def is_running(self) -> bool:
        """Whether the process is still shown."""
        return self._thread.is_alive() and not self._stopped.is_set()

    def start(self) -> None:
        """Begin to show the process."""
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """Show it no more."""
        atexit.unregister(self.stop)
        if self._pid != os.getpid() or self._stopped.is_set():
            return
        self._stopped.set()
        if self._thread is not threading.current_thread():
            self._thread.join(self._interval)
        with contextlib.suppress(LayerUnavailable, ChannelFull):
            self._inspection.withdraw(self.name)

    def _run(self) -> None:
        while not self._stopped.is_set():
            more = self._describe()
            if more is None:
                self.stop()
                return
            try:
                content = {**describe_process(self._kind, self._started), **more}
                self._inspection.announce(self.name, content, LIFETIME / INTERVAL * self._interval)
            except (LayerUnavailable, ChannelFull) as error:
                logger.debug("This process cannot be shown on the layer now: %s", error)
            except Exception:
                logger.exception("This process cannot be shown on the layer.")
            self._stopped.wait(self._interval)
