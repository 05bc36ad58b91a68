"""Handing messages back: those that a worker took and has not begun go to the front of their channels again.

At a stop, and while a consumer runs for long, so that what was taken together with its message does not wait for it.
"""

import logging
import threading
import time
from typing import Any

from channels import counters
from channels.exceptions import ChannelFull, LayerUnavailable
from channels.hand import Hand
from channels.layers.base import Delivery

logger = logging.getLogger("django.channels")

SLOW_SECONDS = 0.5
"""How long a consumer may run before the messages that its worker took together with its own are handed back."""

LOOK_SECONDS = 0.25
"""How often is looked whether one has."""


def hand_back(layer: Any, hand: Hand, reason: str) -> None:
    """Give what was not begun back to ``layer``; what cannot be given back stays in ``hand``.

    Args:
        layer: Wrapper of the layer that the messages came from.
        hand: What its worker has in hand.
        reason: What the counter of messages handed back ends with.
    """
    with hand.lock:
        # Who has a turn keeps it: others would wait for it in vain.
        unbegun = [Delivery((channel,), content) for channel, content in hand if not hand.has_turn(content)]
        if not unbegun:
            return
        try:
            kept = layer.hand_back(unbegun)
        except (ChannelFull, LayerUnavailable) as error:
            logger.error("%d messages that were taken could not be handed back: %s", len(unbegun), error)
            return
        stay = {id(delivery.content) for delivery in kept}
        gone = [delivery.content for delivery in unbegun if id(delivery.content) not in stay]
        hand.remove_all(gone)
    if gone:
        counters.add(f"message.returned.{reason}", len(gone))
        logger.debug("%d messages that were taken and not begun were handed back.", len(gone))


class Watchdog:
    """Hands back what waits behind a slow consumer of one worker; a thread that looks only while something waits.

    Args:
        layer: Wrapper of the layer that the messages come from.
        hand: What the worker has in hand.
    """

    def __init__(self, layer: Any, hand: Hand) -> None:
        self._layer = layer
        self._hand = hand
        self._has_work = threading.Event()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def watch(self) -> None:
        """Look after what is in hand now."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="channels-watchdog", daemon=True)
            self._thread.start()
        self._has_work.set()

    def close(self) -> None:
        """End the thread, if there is one."""
        self._stopped.set()
        self._has_work.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while self._has_work.wait() and not self._stopped.is_set():
            self._has_work.clear()
            while self._hand and not self._stopped.wait(LOOK_SECONDS):
                self._look()

    def _look(self) -> None:
        with self._hand.lock:
            since = self._hand.busy_since
            if since is None or time.monotonic() - since < SLOW_SECONDS:
                return
            try:
                hand_back(self._layer, self._hand, "slow_consumer")
            except Exception:
                logger.exception("Error handing back messages; their worker runs them")
