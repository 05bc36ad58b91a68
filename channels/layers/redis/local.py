"""A Redis layer whose normal channels stay on the machine: workers run beside the interface that feeds them.

Normal channels go through the layer between processes (``layers.ipc``); what has one reader, and groups, goes over
Redis, so that a group still reaches the connections of every machine. Normal channels that are members of a group
are kept in a sorted set of their own, ``<prefix>:normal:<group>``; their copy is put down on the sender's machine.
"""

import os
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from channels import counters, names
from channels.exceptions import LayerUnavailable
from channels.layers.base import DEFAULT_EXPIRY, DEFAULT_GROUP_EXPIRY, Delivery, Outgoing
from channels.layers.ipc import IPCChannelLayer
from channels.layers.redis import scripts
from channels.layers.redis.items import Outcomes
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.local_inspection import MixedInspection
from channels.layers.redis.plans import Plan, run_tolerantly
from channels.types import Content

MIXED_SECONDS = 0.05
"""How long a receive that waits for channels of both kinds waits in Redis before it looks at this machine's."""


def is_local(name: str) -> bool:
    """Return whether ``name`` is that of a normal channel."""
    return "!" not in name and "?" not in name


class _Parts(NamedTuple):
    """A batch cut in two, each with the positions in the batch; the copies for members of groups have none."""

    near: list[Outgoing]
    near_positions: list[int | None]
    far: list[Outgoing]
    far_positions: list[int]

    def all_failed(self, error: LayerUnavailable) -> Outcomes:
        """Return what the far ones came to; raise ``error`` only if there are no near ones, which were sent before."""
        if not self.near:
            raise error
        return [error] * len(self.far)

    def merge(self, near_outcomes: Outcomes, far_outcomes: Outcomes) -> Outcomes:
        """Return what each item of the batch came to."""
        places = sum(position is not None for position in self.near_positions) + len(self.far)
        outcomes: Outcomes = [None] * places
        for position, outcome in zip(self.near_positions, near_outcomes, strict=True):
            if position is not None:
                outcomes[position] = outcome
            elif outcome is not None:
                counters.add("message.dropped.member_full")
        for place, outcome in zip(self.far_positions, far_outcomes, strict=True):
            outcomes[place] = outcome
        return outcomes


class RedisLocalChannelLayer(RedisChannelLayer):
    """Carries normal channels inside one machine, everything else over Redis.

    Every normal channel must be consumed on each machine that sends to it.

    Args:
        expiry, group_expiry, capacity, channel_capacity: As for ``BaseChannelLayer``.
        prefix: What every key begins with; without colons and the like it also names this machine's meeting place.
        directory: As for ``IPCChannelLayer``.
        kwargs: Further options of ``RedisChannelLayer``.
    """

    def __init__(
        self,
        expiry: float = DEFAULT_EXPIRY,
        prefix: str = "asgi:",
        group_expiry: float = DEFAULT_GROUP_EXPIRY,
        capacity: int | None = None,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        directory: str | os.PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        common: dict[str, Any] = {
            "expiry": expiry,
            "group_expiry": group_expiry,
            "capacity": capacity,
            "channel_capacity": channel_capacity,
        }
        if kwargs.get("delivery"):
            raise ValueError("Only RedisChannelLayer delivers at least once: here normal channels never reach Redis.")
        super().__init__(prefix=prefix, **common, **kwargs)
        meeting_place = re.sub(r"[^A-Za-z0-9_.-]", "", prefix) or "asgi"
        # Normal channels, where delayed messages go, never reach Redis and its marks.
        self.extensions = tuple(name for name in self.extensions if name != "once")
        self.local = IPCChannelLayer(prefix=meeting_place, directory=directory, **common)
        self.inspection = MixedInspection(self.local.inspection, self.inspection, is_local)

    # Sending

    def send(self, channel: str, message: Content) -> None:
        if is_local(names.require_channel_name(channel)):
            self.local.send(channel, message)
        else:
            super().send(channel, message)

    async def asend(self, channel: str, message: Content) -> None:
        if is_local(names.require_channel_name(channel)):
            await self.local.asend(channel, message)
        else:
            await super().asend(channel, message)

    def send_group(self, group: str, message: Content) -> None:
        _raise_first(self.send_batch([Outgoing(group, message, to_group=True)]))

    async def asend_group(self, group: str, message: Content) -> None:
        _raise_first(await self.asend_batch([Outgoing(group, message, to_group=True)]))

    def send_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        parts = _cut(batch, self._run(self._normal_members(batch)))
        near = self.local.send_batch(parts.near) if parts.near else []
        try:
            far = super().send_batch(parts.far) if parts.far else []
        except LayerUnavailable as error:
            far = parts.all_failed(error)
        return parts.merge(near, far)

    async def asend_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        parts = _cut(batch, await self._arun(self._normal_members(batch)))
        near = await self.local.asend_batch(parts.near) if parts.near else []
        try:
            far = await super().asend_batch(parts.far) if parts.far else []
        except LayerUnavailable as error:
            far = parts.all_failed(error)
        return parts.merge(near, far)

    def post_batch(self, batch: Sequence[Outgoing], settle: Callable[[Outcomes], None]) -> None:
        parts = _cut(batch, self._run(self._normal_members(batch)))
        near = self.local.send_batch(parts.near) if parts.near else []
        if parts.far:
            super().post_batch(parts.far, lambda far: settle(parts.merge(near, far)))
        else:
            settle(parts.merge(near, []))

    def _normal_members(self, batch: Sequence[Outgoing]) -> Plan[dict[str, list[str]]]:
        """Return the normal channels among the members of each group in ``batch``."""
        groups = [group for group in {item.name for item in batch if item.to_group} if names.is_group_name(group)]
        asked: dict[int, list[str]] = {}
        for group in groups:
            asked.setdefault(self._parts.ring.shard_of(group), []).append(group)
        if not asked:
            return {}
        step = {shard: [self._read_normal(group) for group in part] for shard, part in asked.items()}
        replies, errors = yield from run_tolerantly(step)
        for error in errors.values():
            error.was_asked = False  # Nothing of the batch was sent so far.
            raise error
        return {
            group: self._groups.read(group, reply)
            for shard, part in asked.items()
            for group, reply in zip(part, replies[shard], strict=True)
        }

    # Receiving

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        near, far = _cut_names(names.require_channel_names(channels, receive=True))
        if not far:
            self.push()
            taken = self.local.receive_batch(near, limit, timeout)
            self.push(wait=True)
            return taken
        if not near:
            return super().receive_batch(far, limit, timeout)
        end = time.monotonic() + timeout
        while True:
            wait = max(min(end - time.monotonic(), MIXED_SECONDS), 0)
            if taken := self.local.receive_batch(near, limit) or super().receive_batch(far, limit, wait):
                return taken
            if wait <= 0:
                return []

    async def areceive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        near, far = _cut_names(names.require_channel_names(channels, receive=True))
        if not far:
            return await self.local.areceive_batch(near, limit, timeout)
        if not near:
            return await super().areceive_batch(far, limit, timeout)
        end = time.monotonic() + timeout
        while True:
            wait = max(min(end - time.monotonic(), MIXED_SECONDS), 0)
            taken = await self.local.areceive_batch(near, limit) or await super().areceive_batch(far, limit, wait)
            if taken or wait <= 0:
                return taken

    def hand_back(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        self.local.hand_back([delivery for delivery in deliveries if is_local(delivery.channels[0])])
        return super().hand_back([delivery for delivery in deliveries if not is_local(delivery.channels[0])])

    # Groups

    def _normal_key(self, group: str) -> str:
        return self._parts.keys.normal(names.require_group_name(group))

    def _read_normal(self, group: str) -> bytes:
        return self._groups.read_call(self._normal_key(group))

    def _group_add(self, group: str, channel: str) -> Plan[None]:
        if not is_local(names.require_channel_name(channel)):
            yield from super()._group_add(group, channel)
            return
        key = self._normal_key(group)
        yield {self._parts.ring.shard_of(group): [self._groups.add_call(key, self._parts.keys.hidden(channel))]}

    def _group_discard(self, group: str, channel: str) -> Plan[None]:
        if not is_local(names.require_channel_name(channel)):
            yield from super()._group_discard(group, channel)
            return
        command = scripts.command(b"ZREM", self._normal_key(group), self._parts.keys.hidden(channel))
        yield {self._parts.ring.shard_of(group): [command]}

    def _group_channels(self, group: str) -> Plan[list[str]]:
        far = yield from super()._group_channels(group)
        shard = self._parts.ring.shard_of(group)
        replies = yield {shard: [self._read_normal(group)]}
        return far + self._groups.read(group, replies[shard][0])

    # Statistics and housekeeping

    def global_statistics(self) -> dict[str, float]:
        near = self.local.global_statistics()
        return {name: count + near.get(name, 0) for name, count in super().global_statistics().items()}

    def statistics_of(self, channels: Iterable[str]) -> dict[str, dict[str, float]]:
        wanted = names.require_channel_names(channels)
        near, far = _cut_names(wanted)
        found = {**self.local.statistics_of(near), **super().statistics_of(far)}
        return {channel: found[channel] for channel in wanted}

    def flush(self) -> None:
        super().flush()
        self.local.flush()

    def close(self) -> None:
        super().close()
        self.local.close()


def _cut_names(channels: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the normal ones among ``channels``, and the others."""
    return [name for name in channels if is_local(name)], [name for name in channels if not is_local(name)]


def _cut(batch: Sequence[Outgoing], normal_members: Mapping[str, Sequence[str]]) -> _Parts:
    parts = _Parts([], [], [], [])
    for position, item in enumerate(batch):
        if not item.to_group and isinstance(item.name, str) and is_local(item.name):
            parts.near.append(item)
            parts.near_positions.append(position)
            continue
        parts.far.append(item)
        parts.far_positions.append(position)
        if item.to_group:
            for channel in normal_members.get(item.name, ()):
                parts.near.append(Outgoing(channel, item.content))
                parts.near_positions.append(None)
    return parts


def _raise_first(outcomes: Outcomes) -> None:
    for outcome in outcomes:
        if outcome is not None:
            raise outcome
