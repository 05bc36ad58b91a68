"""Writes what threads posted and did not get to write themselves, because what they run takes long.

A thread that posts mostly writes soon: with its next receive. Waiting for that saves a write, and the other
processes a wake-up, for each message. Where it runs something else first, this thread bounds the wait.
"""

import threading
import time
from contextlib import suppress
from weakref import WeakSet

from channels.exceptions import LayerUnavailable
from channels.layers.redis.threadlink import Link

LONGEST_WAIT = 0.002
"""Seconds that posted commands wait for their thread."""

IDLE_SECONDS = 1.0
"""How long this thread lives without anything to look after."""


class Flusher:
    """Looks after the links of one process, from a thread that lives only while it has something to do.

    Args:
        links: All links of the process.
        lock: Guards ``links``.
    """

    def __init__(self, links: WeakSet[Link], lock: threading.Lock) -> None:
        self._links = links
        self._lock = lock
        self._posted = threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Write what was posted just now, if its thread does not do so in time."""
        if self._posted.is_set():
            return
        with self._lock:
            self._posted.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="channels-flusher", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            if not self._posted.wait(IDLE_SECONDS):
                with self._lock:
                    if not self._posted.is_set():
                        self._thread = None
                        return
            self._posted.clear()
            time.sleep(LONGEST_WAIT)
            with self._lock:
                links = list(self._links)
            for link in links:
                with suppress(LayerUnavailable):  # Its thread is told when it reads the answer.
                    if link.write_late(LONGEST_WAIT):
                        self._posted.set()
