"""Sending: from messages to what is put down in the file, and from what fitted to outcomes."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from channels import counters, names
from channels.exceptions import ChannelFull, LayerUnavailable, MessageTooLarge
from channels.layers import encoding
from channels.layers.base import BaseChannelLayer, Outgoing
from channels.layers.ipc.ledger import Fit, Ledger, Limits
from channels.layers.ipc.space import NoSpace, no_space
from channels.layers.ipc.steps import Plan

logger = logging.getLogger("django.channels.layers")

ITEMS_PER_CHANGE = 256
"""Messages in one transaction at most: while it lasts the others wait."""

Outcomes = list[Exception | None]


def memory_full(limit: str, size: int) -> ChannelFull:
    """Return the error that says which memory is full, and what to do."""
    return ChannelFull(
        f"All that this layer may hold ({size} bytes) is taken. Run more workers, or raise {limit!r} in CONFIG of the "
        "layer."
    )


def disk_full(directory: Path) -> ChannelFull:
    """Return the error that says which file system is full, and what to do."""
    return ChannelFull(no_space(directory))


class Parcel(NamedTuple):
    """One message, ready to be put down; a group's has no queue and no capacity of its own."""

    name: str
    body: bytes
    to_group: bool
    queue: str = ""
    capacity: int = 0


class Sender:
    """Plans the sends of one layer."""

    def __init__(self, layer: BaseChannelLayer, limits: Limits, directory: Path) -> None:
        self._layer = layer
        self._directory = directory
        self._memory = limits.message_memory
        self._max_bytes = min(encoding.MAX_MESSAGE_BYTES, limits.message_memory)

    def send(self, outgoing: Outgoing) -> Plan[None]:
        """Put one message down, or raise why not."""
        parcel = self._pack(outgoing)
        try:
            ((fit, missed),) = yield lambda ledger: self._put(ledger, [parcel], set())
        except NoSpace as full:
            raise disk_full(self._directory) from full
        error = self._outcome(parcel, fit, missed)
        if error is not None:
            raise error

    def send_batch(self, batch: Sequence[Outgoing]) -> Plan[Outcomes]:
        """Put down all of ``batch``, in order, and return what became of each."""
        outcomes: Outcomes = [None] * len(batch)
        parcels: list[tuple[int, Parcel]] = []
        for position, outgoing in enumerate(batch):
            try:
                parcels.append((position, self._pack(outgoing)))
            except (AssertionError, TypeError, MessageTooLarge) as error:
                outcomes[position] = error
        refused: set[str] = set()
        for start in range(0, len(parcels), ITEMS_PER_CHANGE):
            part = parcels[start : start + ITEMS_PER_CHANGE]
            try:
                answers = yield self._putting([parcel for _, parcel in part], frozenset(refused))
            except LayerUnavailable as error:  # None of this part was sent.
                is_full = isinstance(error, NoSpace)
                if not start and not is_full:
                    raise
                for position, parcel in part:
                    outcomes[position] = disk_full(self._directory) if is_full else error
                    refused.add(parcel.queue)
                continue
            for (position, parcel), (fit, missed) in zip(part, answers, strict=True):
                outcomes[position] = self._outcome(parcel, fit, missed)
                if fit is not Fit.YES:
                    refused.add(parcel.queue)
        return outcomes

    def _pack(self, outgoing: Outgoing) -> Parcel:
        name, content, to_group = outgoing
        if to_group:
            names.require_group_name(name)
            return Parcel(name, encoding.encode(self._layer.require_message(content), self._max_bytes), True)
        queue = names.non_local_name(names.require_channel_name(name))
        body = encoding.encode(self._layer.require_message(content), self._max_bytes)
        return Parcel(name, body, False, queue, self._layer.get_capacity(queue))

    def _putting(self, parcels: Sequence[Parcel], refused: frozenset[str]) -> Callable[[Ledger], list[tuple[Fit, int]]]:
        return lambda ledger: self._put(ledger, parcels, set(refused))

    def _put(self, ledger: Ledger, parcels: Sequence[Parcel], refused: set[str]) -> list[tuple[Fit, int]]:
        """Put down ``parcels``; say how each fits and how many receivers do not get it."""
        answers = []
        for parcel in parcels:
            if parcel.to_group:
                answers.append((Fit.YES, self._put_to_members(ledger, parcel)))
            elif parcel.queue in refused:
                answers.append((Fit.QUEUE_FULL, 1))
            else:
                fit = ledger.put(parcel.queue, (parcel.name,), parcel.body, False, parcel.capacity)
                if fit is not Fit.YES:
                    refused.add(parcel.queue)
                answers.append((fit, int(fit is not Fit.YES)))
        return answers

    def _put_to_members(self, ledger: Ledger, parcel: Parcel) -> int:
        receivers: dict[str, list[str]] = {}
        for channel in ledger.members(parcel.name):
            receivers.setdefault(names.non_local_name(channel), []).append(channel)
        missed = 0
        for queue, channels in receivers.items():
            if ledger.put(queue, channels, parcel.body, True, self._layer.get_capacity(queue)) is not Fit.YES:
                missed += len(channels)
        return missed

    def _outcome(self, parcel: Parcel, fit: Fit, missed: int) -> Exception | None:
        if missed and parcel.to_group:
            counters.add("message.dropped.member_full", missed)
            logger.warning(
                "Group %s: %d members did not get a message because their channel is full.", parcel.name, missed
            )
            return None
        if fit is Fit.YES:
            return None
        counters.add("message.refused.full")
        if fit is Fit.QUEUE_FULL:
            return self._layer.channel_full(parcel.name)
        if fit is Fit.NO_SPACE:
            return disk_full(self._directory)
        return memory_full("message_memory", self._memory)
