"""Whether a server that others could stand in for can be reached, and when to try again. Talks to nobody."""

import logging
import threading
import time

from channels import counters
from channels.backoff import Backoff

logger = logging.getLogger("django.channels.layers")

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
"""Seconds between two attempts to reach a server that is lost: the first pause and the longest."""


class Health:
    """What is known of one server of several. Safe for threads.

    A server that has no peers is always worth an attempt: there is nothing else to do.

    Args:
        label: The server's name for people.
        attempt_seconds: How long an attempt to reach it may take.
    """

    def __init__(self, label: str, attempt_seconds: float) -> None:
        self.has_peers = False
        self.is_lost = False
        self._label = label
        self.attempt_seconds = attempt_seconds
        self._backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        self._until = 0.0
        self._lock = threading.Lock()

    @property
    def is_resting(self) -> bool:
        """Whether the server is lost and not to be tried now."""
        return self.is_lost and time.monotonic() < self._until

    def begin_attempt(self) -> bool:
        """Return whether to try to reach the server now. While one tries, nobody else does."""
        if not self.is_lost or not self.has_peers:
            return True
        with self._lock:
            if self.is_resting:
                return False
            self._until = time.monotonic() + self.attempt_seconds
            return True

    def failed(self, error: BaseException) -> None:
        """The server could not be reached, or was lost."""
        if not self.has_peers:
            return
        with self._lock:
            pause = self._backoff.failed()
            self._until = time.monotonic() + pause
            was_lost, self.is_lost = self.is_lost, True
        if not was_lost:
            counters.add("shard.lost.unreachable")
            logger.error(
                "Redis at %s is lost. It is passed over until it is back, and what has its place there fails: %s",
                self._label,
                error,
            )

    def recovered(self) -> None:
        """The server answered."""
        if not self.is_lost:
            return
        with self._lock:
            was_lost, self.is_lost = self.is_lost, False
            self._backoff.recovered()
        if was_lost:
            logger.info("Redis at %s is back.", self._label)
