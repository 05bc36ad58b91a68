"""What an in-memory layer holds: queues, groups and statistics. It decides and never waits, locks or logs.

Times are readings of one clock that never runs backwards, in seconds, given by the caller.
"""

import random
from collections import deque
from collections.abc import Sequence

from channels import names
from channels.formats import copy_content
from channels.layers.base import Delivery

STATISTICS_SECONDS = 3600.0
"""How long the statistics of a channel outlive its last use."""


class Tally:
    """How many messages a channel took and refused."""

    __slots__ = ("full", "last_used", "sent")

    def __init__(self) -> None:
        self.sent = 0
        self.full = 0
        self.last_used = 0.0


class Store:
    """Queues and groups of one layer. Not safe for threads; times are readings of the layer's clock."""

    def __init__(self, expiry: float, group_expiry: float) -> None:
        self.expiry = expiry
        self.group_expiry = group_expiry
        self.queues: dict[str, deque[tuple[float, Delivery]]] = {}
        self.groups: dict[str, dict[str, float]] = {}
        self.tallies: dict[str, Tally] = {}
        self.total = Tally()
        self.expired: list[str] = []
        self.epoch = names.random_part()
        self._next_sweep = 0.0

    def put(self, queue: str, delivery: Delivery, capacity: int, now: float) -> bool:
        """Append to ``queue`` and return True, or return False because it holds ``capacity`` messages."""
        self.sweep(now)
        entries = self.queues.get(queue)
        if entries is not None and len(entries) >= capacity:
            self.purge(queue, now)
            entries = self.queues.get(queue)
        tally = self.tallies.get(queue) or self.tallies.setdefault(queue, Tally())
        tally.last_used = now
        if capacity <= (0 if entries is None else len(entries)):
            tally.full += 1
            self.total.full += 1
            return False
        if entries is None:
            entries = self.queues[queue] = deque()
        entries.append((now + self.expiry, delivery))
        tally.sent += 1
        self.total.sent += 1
        return True

    def put_back(self, queue: str, deliveries: Sequence[Delivery], now: float) -> None:
        """Put what was taken of ``queue`` before what it holds, whatever its capacity."""
        self.purge(queue, now)
        entries = self.queues.setdefault(queue, deque())
        deadline = entries[0][0] if entries else now + self.expiry
        entries.extendleft((deadline, delivery) for delivery in reversed(deliveries))

    def take(self, queues: Sequence[str], limit: int, split: bool, now: float) -> list[Delivery]:
        """Return up to ``limit`` deliveries of one queue chosen at random, so that none starves.

        With ``split`` a message for many channels is taken one channel at a time.
        """
        ready = [queue for queue in queues if queue in self.queues]
        while ready:
            queue = ready.pop(random.randrange(len(ready)))  # noqa: S311 - fairness, not a secret
            self.purge(queue, now)
            entries = self.queues.get(queue)
            if entries is None:
                continue
            if split and len(entries[0][1].channels) > 1:
                deadline, (channels, content, via_group) = entries[0]
                entries[0] = (deadline, Delivery(channels[1:], copy_content(content), via_group))
                return [Delivery(channels[:1], content, via_group)]
            taken = [entries.popleft()[1] for _ in range(min(limit, len(entries)))]
            if not entries:
                del self.queues[queue]
            return taken
        return []

    def purge(self, queue: str, now: float) -> None:
        """Drop what expired in ``queue``, and end the memberships of the channels it was for."""
        self._end_memberships(self._drop_expired(queue, now))

    def _drop_expired(self, queue: str, now: float) -> set[str]:
        """Drop what expired in ``queue``; return the channels it was for."""
        gone: set[str] = set()
        entries = self.queues.get(queue)
        if entries is None or entries[0][0] > now:
            return gone
        while entries and entries[0][0] <= now:
            channels = entries.popleft()[1].channels
            self.expired.extend(channels)
            gone.update(channels)
        if not entries:
            del self.queues[queue]
        return gone

    def _end_memberships(self, gone: set[str]) -> None:
        """End those of all channels in ``gone``; looks through all groups, whose members may be many."""
        for members in self.groups.values() if gone else ():
            for channel in gone & members.keys():
                del members[channel]

    def sweep(self, now: float) -> None:
        """Drop, once per expiry, everything that expired and that nobody asked for since."""
        if now < self._next_sweep:
            return
        self._next_sweep = now + max(self.expiry, 1.0)
        gone: set[str] = set()
        for queue in list(self.queues):
            gone |= self._drop_expired(queue, now)
        self._end_memberships(gone)
        for group in list(self.groups):
            self.members(group, now)
        self.tallies = {q: tally for q, tally in self.tallies.items() if now - tally.last_used < STATISTICS_SECONDS}

    def members(self, group: str, now: float) -> list[str]:
        """Return the members of ``group`` whose membership has not ended."""
        members = self.groups.get(group)
        if members is None:
            return []
        for channel in [channel for channel, until in members.items() if until <= now]:
            del members[channel]
        if not members:
            del self.groups[group]
        return list(members)
