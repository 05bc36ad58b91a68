"""Memberships: who joins, leaves and is gone. Nothing here talks to a server.

A membership is kept on the shard of the member's queue, so that one script call per shard sends to a group; in a
cluster all memberships of a group are in its slot. Beside each process-specific queue there is a sign of life.
"""

import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

from channels import counters, names
from channels.exceptions import LayerUnavailable
from channels.layers.redis import scripts
from channels.layers.redis.alive import SignsOfLife
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, Step, run_tolerantly
from channels.layers.redis.ring import Ring

logger = logging.getLogger("django.channels.layers")


class Members(Protocol):
    """Members of a group that share a queue."""

    @property
    def name(self) -> str:
        """The group."""

    @property
    def queue(self) -> str:
        """The queue."""

    @property
    def receivers(self) -> tuple[str, ...]:
        """What follows the name of the queue in each channel name."""


class Groups:
    """Plans what concerns the memberships of one layer.

    Args:
        keys: How groups are named.
        ring: Where they are.
        group_expiry: Seconds a membership lives.
        signs: Of those who read queues.
    """

    def __init__(self, keys: Keys, ring: Ring, group_expiry: float, signs: SignsOfLife) -> None:
        self._keys = keys
        self._ring = ring
        self._life_ms = round(group_expiry * 1000)
        self._signs = signs

    def add(self, group: str, channel: str) -> Plan[None]:
        """Make ``channel`` a member of ``group``, or renew its membership.

        Whoever reads a process-specific channel is taken to be alive at this moment.
        """
        key, member = self._check(group, channel)
        step: Step = {self._ring.member_shard(group, channel): [self.add_call(key, member)]}
        queue = names.non_local_name(channel)
        if queue.endswith("!"):
            shard, command = self._signs.presume(queue)
            step.setdefault(shard, []).append(command)
        yield step

    def discard(self, group: str, channel: str) -> Plan[None]:
        """End the membership of ``channel`` in ``group``, if there is one."""
        key, member = self._check(group, channel)
        yield {self._ring.member_shard(group, channel): [scripts.command(b"ZREM", key, member)]}

    def _check(self, group: str, channel: str) -> tuple[str, str]:
        names.require_channel_name(channel)
        return self._keys.group(names.require_group_name(group)), self._keys.hidden(channel)

    def end(self, gone: Iterable[Members]) -> Step:
        """Return the step that ends the memberships of members that are gone."""
        step: Step = {}
        for item in gone:
            members = [item.queue + receiver for receiver in item.receivers]
            command = scripts.command(b"ZREM", self._keys.group(item.name), *map(self._keys.hidden, members))
            step.setdefault(self._ring.member_shard(item.name, members[0]), []).append(command)
        return step

    def members(self, groups: Sequence[str]) -> Plan[tuple[dict[str, list[str]], dict[str, LayerUnavailable]]]:
        """Return the members of each of ``groups``, and what went wrong with those that cannot be read whole."""
        asked: dict[int, list[str]] = {}
        for group in groups:
            for shard in self._ring.group_shards(names.require_group_name(group)):
                asked.setdefault(shard, []).append(group)
        step = {shard: [self.read_call(self._keys.group(group)) for group in part] for shard, part in asked.items()}
        replies, errors = yield from run_tolerantly(step)
        members: dict[str, list[str]] = {group: [] for group in groups}
        for shard, lists in replies.items():
            for group, found in zip(asked[shard], lists, strict=True):
                members[group] += self.read(group, found)
        return members, {group: error for shard, error in errors.items() for group in asked[shard]}

    def read(self, group: str, members: Sequence[bytes]) -> list[str]:
        """Return ``members`` as names, without those that are none: somebody else wrote them."""
        found = []
        for member in members:
            try:
                found.append(self._keys.channel_of(member))
            except ValueError as error:
                counters.add("group.dropped.unreadable")
                logger.warning("Group %s: a member is passed over that is no channel name: %s", group, error)
        return found

    def channels(self, group: str) -> Plan[list[str]]:
        """Return the members of ``group``."""
        members, errors = yield from self.members([group])
        for error in errors.values():
            raise error from error.__cause__
        return members[group]

    def add_call(self, key: str, member: str) -> bytes:
        """Return the command that adds ``member`` to the set at ``key``."""
        return scripts.call(scripts.GROUP_ADD, (key,), (member, self._life_ms))

    def read_call(self, key: str) -> bytes:
        """Return the command that reads the set at ``key``."""
        return scripts.call(scripts.GROUP_CHANNELS, (key,), (self._life_ms,))
