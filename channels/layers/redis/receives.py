"""The layer's methods that receive. A part of the layer, for its length; how answers are read is in ``receiving``."""

from collections.abc import Sequence

from channels import names
from channels.formats import copy_content
from channels.layers.base import Delivery
from channels.layers.redis.core import LayerCore
from channels.layers.redis.receiving import Wait
from channels.layers.redis.shards import BLOCK_SECONDS
from channels.types import Content


class ReceivingMethods(LayerCore):
    """How a Redis layer receives, for threads and event loops."""

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        """Take one message, as the contract says.

        Of a message for several channels of one queue, the others are kept by this process for its next receive.
        What comes from a channel that is delivered at least once counts as finished: it was handed out alone.
        """
        deliveries = self.receive_batch(channels, 1, BLOCK_SECONDS if block else 0)
        self._run(self._durable.finish(self._mine.in_hand.pop(delivery.content for delivery in deliveries)))
        return self._one(deliveries)

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        queues = names.require_channel_names(channels, receive=True)
        if not queues:
            return []
        mine = self._mine
        if (chores := mine.chores(mine.heartbeat, queues)) is not None:
            self._post(chores, _forget)  # It leaves in one write with the receive.
        if not self._parts.ring.has_durable:
            return self._take(queues, limit, timeout)
        steps = self._durable.receive(queues, limit, timeout, mine.in_hand)
        try:
            step = next(steps)
            while True:
                step = steps.send(self._wait(queues, limit, step) if isinstance(step, Wait) else self._run(step))
        except StopIteration as end:
            taken: list[Delivery] = end.value
            return taken

    def _take(self, queues: Sequence[str], limit: int, timeout: float) -> list[Delivery]:
        return self._wait(queues, limit, Wait(timeout))

    def _wait(self, queues: Sequence[str], limit: int, wait: Wait) -> list[Delivery]:
        mine = self._mine
        return mine.spare.take(queues, limit) or mine.takes.take(self._sender.where(queues), limit, wait)

    async def areceive(self, channels: Sequence[str]) -> tuple[str | None, Content | None]:
        deliveries = await self.areceive_batch(channels, 1, BLOCK_SECONDS)
        await self._arun(self._durable.finish(self._mine.in_hand.pop(delivery.content for delivery in deliveries)))
        return self._one(deliveries)

    async def receive_async(self, channels: Sequence[str]) -> tuple[str | None, Content | None]:
        """1.x's name of ``areceive``."""
        return await self.areceive(channels)

    async def areceive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        """``receive_batch`` for an event loop.

        A message that the server hands over while this is cancelled goes to the next receive of this process.
        """
        queues = names.require_channel_names(channels, receive=True)
        if not queues:
            return []
        links = self._loop
        if (chores := self._mine.chores(links.heartbeat, queues)) is not None:
            await links.run(chores)
        if not self._parts.ring.has_durable:
            return await self._atake(queues, limit, timeout)
        steps = self._durable.receive(queues, limit, timeout, self._mine.in_hand)
        try:
            step = next(steps)
            while True:
                step = steps.send(
                    await self._atake(queues, limit, step.seconds) if isinstance(step, Wait) else await self._arun(step)
                )
        except StopIteration as end:
            taken: list[Delivery] = end.value
            return taken

    async def _atake(self, queues: Sequence[str], limit: int, timeout: float) -> list[Delivery]:
        spare = self._mine.spare.take(queues, limit)
        return spare or await self._loop.take(self._sender.where(queues), limit, timeout)

    def _one(self, deliveries: list[Delivery]) -> tuple[str | None, Content | None]:
        if not deliveries:
            return None, None
        channels, content, via_group = deliveries[0]
        if len(channels) > 1:
            self._mine.spare.put([Delivery(channels[1:], copy_content(content), via_group)], first=True)
        return channels[0], content


def _forget(result: object) -> None:
    """Do nothing with what a plan came to."""
