"""Proof of life for consumers that take long: turns are renewed while they run, so they do not count as dead."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from django.db import connections

logger = logging.getLogger("django.channels")

SHORTEST_PAUSE = 0.05


class Renewable(Protocol):
    """A turn that some consumer of this process has."""

    connection: str

    def renew(self) -> None:
        """Say that the consumer is still running."""


class TurnKeeper:
    """Renews turns from a thread of its own, which sleeps while there are none.

    Args:
        wait: Returns the seconds after which a turn that is not renewed counts as that of a dead worker.
    """

    def __init__(self, wait: Callable[[], float]) -> None:
        self._wait = wait
        self._changed = threading.Condition()
        self._turns: dict[Renewable, float] = {}
        self._thread: threading.Thread | None = None

    def add(self, turn: Renewable) -> None:
        """Renew ``turn`` from now on."""
        with self._changed:
            self._turns[turn] = time.monotonic()
            # A fork takes the memory of a thread along, but not the thread.
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="channels-turns", daemon=True)
                self._thread.start()
            elif len(self._turns) == 1:
                self._changed.notify()

    def discard(self, turn: Renewable) -> None:
        """Renew ``turn`` no more."""
        with self._changed:
            self._turns.pop(turn, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._turns)
            # Four tries within the time that may pass.
            pause = max(SHORTEST_PAUSE, self._wait() / 4)
            time.sleep(pause)
            with self._changed:
                now = time.monotonic()
                long = [turn for turn, since in self._turns.items() if now - since >= pause]
            for turn in long:
                try:
                    turn.renew()
                except Exception as error:
                    logger.warning("Could not renew the turn of a consumer of %s: %s", turn.connection, error)
            if long:
                connections.close_all()
