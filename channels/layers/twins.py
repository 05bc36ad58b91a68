"""What travels in batches, and the methods of a layer for event loops in their simplest form: in a thread."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from channels.types import Content

DELIVERIES = "__deliveries__"
"""Key of a message that is delivered at least once: how often it was handed out. Whoever was given such a message by
``receive_batch`` tells the layer by ``finish_deliveries`` when it is done with it; until then it is that one's."""


class Outgoing(NamedTuple):
    """One message on its way to a layer: to a channel, or to every member of a group."""

    name: str
    content: Content
    to_group: bool = False


class Delivery(NamedTuple):
    """What one take from a layer yields: a message, and the channel or channels it is for.

    A message to a group whose members share a process-specific queue arrives once, with all of them.
    ``via_group`` says that it was sent to a group and not to the channel itself.
    """

    channels: tuple[str, ...]
    content: Content
    via_group: bool = False


class ThreadedTwins:
    """The ``a``-methods of a layer, each made of the synchronous method of its name, which runs in a thread."""

    if TYPE_CHECKING:

        def send(self, channel: str, message: Content) -> None: ...
        def send_batch(self, batch: Sequence[Outgoing]) -> list[Exception | None]: ...
        def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]: ...
        def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]: ...
        def group_add(self, group: str, channel: str) -> None: ...
        def group_discard(self, group: str, channel: str) -> None: ...
        def group_channels(self, group: str) -> list[str]: ...
        def send_group(self, group: str, message: Content) -> None: ...

    async def asend(self, channel: str, message: Content) -> None:
        """``send`` for an event loop."""
        await asyncio.to_thread(self.send, channel, message)

    async def asend_batch(self, batch: Sequence[Outgoing]) -> list[Exception | None]:
        """``send_batch`` for an event loop."""
        return await asyncio.to_thread(self.send_batch, batch)

    async def areceive(self, channels: Sequence[str]) -> tuple[str | None, Content | None]:
        """``receive`` with ``block=True`` for an event loop."""
        return await asyncio.to_thread(self.receive, channels, True)

    async def areceive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        """``receive_batch`` for an event loop."""
        return await asyncio.to_thread(self.receive_batch, channels, limit, timeout)

    async def agroup_add(self, group: str, channel: str) -> None:
        """``group_add`` for an event loop."""
        await asyncio.to_thread(self.group_add, group, channel)

    async def agroup_discard(self, group: str, channel: str) -> None:
        """``group_discard`` for an event loop."""
        await asyncio.to_thread(self.group_discard, group, channel)

    async def agroup_channels(self, group: str) -> list[str]:
        """``group_channels`` for an event loop."""
        return await asyncio.to_thread(self.group_channels, group)

    async def asend_group(self, group: str, message: Content) -> None:
        """``send_group`` for an event loop."""
        await asyncio.to_thread(self.send_group, group, message)

    async def aclose(self) -> None:
        """Release what this layer holds open for the running event loop."""
