"""The layer itself: the methods of the contract, planned once for threads and for event loops.

Why a file and not a process that hands messages on: nothing has to be started, found or outlived, a killed process
takes with it only what it had in hand, and it is no slower. Measured with messages of 100 bytes on two cores: 15,000
sends and receives a second one by one and 65,000 in batches of 32, where the bare way to such a process and back,
without any work done in it, allowed 24,000 one by one.
"""

import asyncio
import logging
import os
import re
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from channels import counters, names
from channels.exceptions import LayerUnavailable
from channels.layers import encoding
from channels.layers.base import (
    DEFAULT_EXPIRY,
    DEFAULT_GROUP_EXPIRY,
    BaseChannelLayer,
    Delivery,
    Outgoing,
)
from channels.layers.batches import by_queue, first_of
from channels.layers.ipc.bells import Bell
from channels.layers.ipc.inspection import LedgerInspection
from channels.layers.ipc.ledger import Fit, Ledger, Limits, Taken
from channels.layers.ipc.place import Place, default_directory
from channels.layers.ipc.sending import Outcomes, Sender, disk_full, memory_full
from channels.layers.ipc.space import NoSpace, Space
from channels.layers.ipc.steps import Plan, Runner, Wait
from channels.layers.ipc.turns import LedgerTurns
from channels.layers.ipc.upkeep import LedgerUpkeep
from channels.types import Content

logger = logging.getLogger("django.channels.layers")

BLOCK_SECONDS = 5.0
"""How long ``receive`` with ``block=True`` waits before it returns empty-handed."""

LOOK_SECONDS = 1.0
"""How often one that waits looks without being woken: whoever was to wake it may have been killed."""

FAREWELL_SECONDS = 0.1
"""How long a receive that is cancelled waits for other processes to say that it waits no more."""

MIB = 1024 * 1024


class IPCChannelLayer(BaseChannelLayer):
    """Carries messages between processes of one machine and one user, with no server to run.

    Layers with the same prefix talk to each other. May be shared by threads, event loops and forked processes.

    Args:
        prefix: Name of the meeting place; letters, digits, and any of ``._-``.
        expiry: Seconds until an unread message is dropped.
        group_expiry: Seconds until a membership ends unless it is renewed.
        capacity: As for ``BaseChannelLayer``.
        channel_capacity: As for ``BaseChannelLayer``.
        message_memory: Bytes that all unread messages may take; what is more is refused with ``ChannelFull``.
        group_memory: Bytes that all memberships may take; then ``group_add`` raises ``ChannelFull``.
        directory: Where the processes meet; None is a directory in memory named after user and prefix.

    Raises:
        ValueError: The prefix or the directory cannot be used.
    """

    extensions = ("groups", "flush", "statistics", "async", "ordering", "inspection", "upkeep")

    clock: Callable[[], float] = staticmethod(time.time)
    """Seconds since the epoch, as all processes see them. Tests replace it on an instance."""

    def __init__(
        self,
        prefix: str = "asgi",
        expiry: float = DEFAULT_EXPIRY,
        group_expiry: float = DEFAULT_GROUP_EXPIRY,
        capacity: int | None = None,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        message_memory: int = 100 * MIB,
        group_memory: int = 20 * MIB,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__(expiry, group_expiry, capacity, channel_capacity)
        if not isinstance(prefix, str) or not re.fullmatch(r"[A-Za-z0-9_.-]+", prefix):
            raise ValueError(
                f"The prefix of an IPC layer is part of a path: use letters, digits and any of '._-', not {prefix!r}."
            )
        self.prefix = prefix
        self.directory = default_directory(prefix) if directory is None else Path(directory)
        self._limits = Limits(expiry, group_expiry, message_memory, group_memory)
        self._sender = Sender(self, self._limits, self.directory)
        self._runner = Runner(lambda: Place(self.directory, self._make_ledger))
        self.inspection = LedgerInspection(self._runner, expiry)
        self.upkeep = LedgerUpkeep(self._runner, group_expiry)
        self.turns = LedgerTurns(self._runner, group_expiry)

    def _make_ledger(self, connection: sqlite3.Connection, space: Space) -> Ledger:
        return Ledger(connection, self._limits, self.clock(), space)

    # Sending

    def send(self, channel: str, message: Content) -> None:
        self._runner.run(self._sender.send(Outgoing(channel, message)))

    def send_group(self, group: str, message: Content) -> None:
        self._runner.run(self._sender.send(Outgoing(group, message, to_group=True)))

    def send_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        return self._runner.run(self._sender.send_batch(batch))

    async def asend(self, channel: str, message: Content) -> None:
        await self._runner.arun(self._sender.send(Outgoing(channel, message)))

    async def asend_group(self, group: str, message: Content) -> None:
        await self._runner.arun(self._sender.send(Outgoing(group, message, to_group=True)))

    async def asend_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        return await self._runner.arun(self._sender.send_batch(batch))

    # Receiving

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        return first_of(self._runner.run(self._receive(channels, 1, BLOCK_SECONDS if block else 0, split=True)))

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        return self._runner.run(self._receive(channels, limit, timeout))

    async def areceive(self, channels: Sequence[str]) -> tuple[str | None, Content | None]:
        await asyncio.sleep(0)
        return first_of(await self._runner.arun(self._receive(channels, 1, BLOCK_SECONDS, split=True)))

    async def receive_async(self, channels: Sequence[str]) -> tuple[str | None, Content | None]:
        """1.x's name of ``areceive``."""
        return await self.areceive(channels)

    async def areceive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        """``receive_batch`` for an event loop. Cancelling it loses no message."""
        # Under load a message is always there; without this pause a receive loop would never let others run.
        await asyncio.sleep(0)
        return await self._runner.arun(self._receive(channels, limit, timeout))

    def hand_back(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        queues = {
            queue: [Taken(channels, via_group, encoding.encode(content)) for channels, content, via_group in part]
            for queue, part in by_queue(deliveries).items()
        }

        def put_back(ledger: Ledger) -> None:
            for queue, part in queues.items():
                ledger.put_back(queue, part)

        self._runner.change(put_back)
        return []

    def _receive(
        self, channels: Sequence[str], limit: int, timeout: float, split: bool = False
    ) -> Plan[list[Delivery]]:
        queues = names.require_channel_names(channels, receive=True)
        end = time.monotonic() + timeout
        while queues:
            taken = yield lambda ledger: ledger.take(queues, limit, split)
            if not taken and timeout > 0:
                taken = yield from self._wait(queues, limit, split, end)
            deliveries = self._read(taken)
            # Of what cannot be read, nothing is left: then others are looked for.
            if deliveries or not taken:
                return deliveries
        return []

    def _wait(self, queues: Sequence[str], limit: int, split: bool, end: float) -> Plan[list[Taken]]:
        bells = self._runner.place.bells
        try:
            bell = bells.lend()
        except OSError as error:
            raise self._runner.place.unavailable(str(error)) from error
        is_waiting = True

        def take_or_wait(ledger: Ledger) -> list[Taken]:
            taken = ledger.take(queues, limit, split)
            if taken:
                ledger.end_wait(bell.name, queues)
            else:
                ledger.wait(bell.name, queues)
            return taken

        try:
            while (remaining := end - time.monotonic()) > 0:
                taken: list[Taken] = yield take_or_wait
                if taken:
                    is_waiting = False
                    return taken
                yield Wait(bell, min(remaining, LOOK_SECONDS))
            return []
        finally:
            if is_waiting:
                self._end_wait(bell, queues)
            else:
                bells.give_back(bell)

    def _end_wait(self, bell: Bell, queues: Sequence[str]) -> None:
        try:
            self._runner.change(lambda ledger: ledger.end_wait(bell.name, queues), FAREWELL_SECONDS)
        except LayerUnavailable:
            bell.close()  # Whoever rings it learns that nobody is there any more, and wakes another.
        else:
            self._runner.place.bells.give_back(bell)

    def _read(self, taken: Sequence[Taken]) -> list[Delivery]:
        deliveries = []
        for receivers, via_group, body in taken:
            try:
                deliveries.append(Delivery(receivers, encoding.decode(body), via_group))
            except ValueError as error:
                counters.add("message.dropped.unreadable")
                logger.error("Skipped an entry for %s that is not a message of this layer: %s.", receivers[0], error)
        return deliveries

    # Groups

    def group_add(self, group: str, channel: str) -> None:
        """Make ``channel`` a member of ``group`` until ``group_expiry`` seconds from now.

        Raises:
            ChannelFull: The memberships take all of ``group_memory``, or there is no space for the file.
        """
        self._runner.run(self._group_add(group, channel))

    def group_discard(self, group: str, channel: str) -> None:
        self._runner.run(self._group_discard(group, channel))

    def group_channels(self, group: str) -> list[str]:
        return self._runner.run(self._group_channels(group))

    async def agroup_add(self, group: str, channel: str) -> None:
        await self._runner.arun(self._group_add(group, channel))

    async def agroup_discard(self, group: str, channel: str) -> None:
        await self._runner.arun(self._group_discard(group, channel))

    async def agroup_channels(self, group: str) -> list[str]:
        return await self._runner.arun(self._group_channels(group))

    def _group_add(self, group: str, channel: str) -> Plan[None]:
        names.require_group_name(group)
        names.require_channel_name(channel)
        try:
            fit = yield lambda ledger: ledger.join(group, channel)
        except NoSpace:
            fit = Fit.NO_SPACE
        if fit is Fit.NO_SPACE:
            raise disk_full(self.directory)
        if fit is not Fit.YES:
            raise memory_full("group_memory", self._limits.group_memory)

    def _group_discard(self, group: str, channel: str) -> Plan[None]:
        names.require_group_name(group)
        names.require_channel_name(channel)
        yield lambda ledger: ledger.leave(group, channel)

    def _group_channels(self, group: str) -> Plan[list[str]]:
        names.require_group_name(group)
        members: list[str] = yield lambda ledger: ledger.members(group)
        return members

    # Housekeeping and statistics

    def flush(self) -> None:
        self._runner.change(lambda ledger: ledger.clear())

    def global_statistics(self) -> dict[str, float]:
        """Return ``messages_count`` and ``channel_full_count`` since the meeting place was made or flushed."""
        found: dict[str, float] = self._runner.change(lambda ledger: ledger.statistics())
        return found

    def channel_statistics(self, channel: str) -> dict[str, float]:
        """Return what ``channel`` (its queue, if it has a ``!``) took, refused and holds; ages are in seconds."""
        queue = names.non_local_name(names.require_channel_name(channel))
        found: dict[str, float] = self._runner.change(lambda ledger: ledger.queue_statistics(queue))
        return found

    def close(self) -> None:
        self._runner.close()

    def __str__(self) -> str:
        return f"{type(self).__name__}(prefix={self.prefix!r})"
