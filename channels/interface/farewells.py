"""Messages that say that a connection has ended: sent after it, in batches, so that nobody waits for them.

Each ``websocket.disconnect`` is tried again while its channel is full, because consumers clean up with it.
``http.disconnect`` is tried once, and not at all for a moment after its channel was full: where no route
listens it is always full, and trying would cost something at every request.
"""

import asyncio
import logging
from collections import deque
from typing import Any

from channels import counters
from channels.backoff import Backoff
from channels.exceptions import ChannelFull, LayerUnavailable
from channels.interface.effects import ToLayer
from channels.layers.base import Outgoing

logger = logging.getLogger("django.channels.interface")

BATCH = 64
"""Most messages in one batch."""

QUIET_SECONDS = 1.0
"""How long a message that is tried only once is not tried at all after one of its kind did not fit."""

LONGEST_PAUSE = 0.5
"""Seconds between two attempts when nothing fits, at most."""


class Farewells:
    """Sends the last messages of the connections of one event loop.

    Args:
        layer: The layer.
        patience: Seconds until a message that finds no room is dropped.
    """

    def __init__(self, layer: Any, patience: float) -> None:
        self._layer = layer
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[float, ToLayer]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._quiet_until = 0.0

    def add(self, effect: ToLayer) -> None:
        """Send ``effect`` soon, and again until it fits or the patience has run out."""
        self._append(self._loop.time() + self._patience, effect)

    def add_once(self, effect: ToLayer) -> None:
        """Send ``effect`` soon, unless one like it did not fit a moment ago; it is dropped if it does not fit."""
        if self._loop.time() < self._quiet_until:
            self._drop(effect)
        else:
            self._append(0.0, effect)

    async def wait(self, patience: float) -> None:
        """Wait up to ``patience`` seconds until everything is sent."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=patience)

    async def stop(self, patience: float) -> None:
        """Wait up to ``patience`` seconds until everything is sent, then drop what is left."""
        await self.wait(patience)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._waiting:
            logger.warning("%d messages about ended connections are dropped: the server stops.", len(self._waiting))
        for effect in self.take():
            self._drop(effect)

    def take(self) -> list[ToLayer]:
        """Return what still waits; it is not sent any more."""
        effects: list[ToLayer] = [effect for _, effect in self._waiting]
        self._waiting.clear()
        return effects

    def _append(self, due: float, effect: ToLayer) -> None:
        self._waiting.append((due, effect))
        if self._task is None:
            self._task = self._loop.create_task(self._run(), name="channels-farewells")

    async def _run(self) -> None:
        backoff = Backoff(first=0.02, longest=LONGEST_PAUSE)
        try:
            while self._waiting:
                if await self._send_some():
                    backoff.recovered()
                else:
                    await asyncio.sleep(backoff.failed())
        finally:
            self._task = None

    async def _send_some(self) -> bool:
        """Send a batch; return whether that changed anything."""
        batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
        try:
            outcomes = await self._layer.asend_batch([Outgoing(effect.channel, effect.content) for _, effect in batch])
        except Exception as error:
            if not isinstance(error, LayerUnavailable):
                logger.exception("Messages about ended connections could not be sent.")
            outcomes = [error] * len(batch)
        now = self._loop.time()
        kept = 0
        for (due, effect), outcome in zip(batch, outcomes, strict=True):
            if outcome is not None and now < due:
                kept += 1
                self._waiting.append((due, effect))
            elif outcome is not None:
                self._give_up(due, effect, outcome)
        return kept < len(batch)

    def _give_up(self, due: float, effect: ToLayer, error: Exception) -> None:
        self._drop(effect)
        if due:
            logger.warning("A message on %s is dropped after %s seconds: %s", effect.channel, self._patience, error)
        else:
            self._quiet_until = self._loop.time() + QUIET_SECONDS
            if not isinstance(error, ChannelFull | LayerUnavailable):
                logger.warning("A message on %s is dropped: %s", effect.channel, error)

    def _drop(self, effect: ToLayer) -> None:
        counters.add(f"{effect.channel.partition('.')[0]}.dropped.disconnect")
