"""What a Redis layer keeps for one process."""

import asyncio
import os
import threading
from collections.abc import Sequence
from typing import NamedTuple

from channels.layers.redis.alive import Heartbeat, SignsOfLife
from channels.layers.redis.codec import Codec
from channels.layers.redis.durable import Durable
from channels.layers.redis.inhand import InHand
from channels.layers.redis.keys import Keys
from channels.layers.redis.links import Links
from channels.layers.redis.loops import LoopLinks
from channels.layers.redis.plans import Plan, merged, run_tolerantly
from channels.layers.redis.receiving import Reader, Spare
from channels.layers.redis.ring import Ring
from channels.layers.redis.routes import Routes
from channels.layers.redis.shards import Shard
from channels.layers.redis.statistics import Tallies
from channels.layers.redis.takes import Takes


class _Forks:
    """How often this process and its ancestors were forked from one another: cheaper to ask for than a process id."""

    def __init__(self) -> None:
        self.count = 0
        self.lock = threading.Lock()
        os.register_at_fork(after_in_child=self._forked)

    def _forked(self) -> None:
        self.count += 1
        self.lock = threading.Lock()  # A thread that is not in this process may have had it.


forks = _Forks()


class Parts(NamedTuple):
    """What all processes of a layer share."""

    shards: Sequence[Shard]
    routes: Routes
    keys: Keys
    ring: Ring
    codec: Codec
    signs: SignsOfLife
    durable: Durable
    expiry: float


class Process:
    """What belongs to one process: a fork must neither use its parent's connections nor close them.

    Args:
        parts: What it shares with others.
        parent: That of the process forked from; kept, because dropping it would close its connections.
    """

    def __init__(self, parts: Parts, parent: "Process | None") -> None:
        self.generation = forks.count
        self.parent = parent
        self.tallies = Tallies(parts.keys, parts.ring)
        self.heartbeat = Heartbeat(parts.signs)
        self.spare = Spare(parts.expiry)
        self.reader = Reader(parts.keys, parts.codec, self.tallies.add_drops)
        self.links = Links(parts.shards, parts.routes)
        self.takes = Takes(self.links, self.reader, self.spare)
        self.in_hand = InHand(lambda receipts: self.links.run(parts.durable.renew(receipts)), parts.durable.interval)
        self.loops: dict[asyncio.AbstractEventLoop, LoopLinks] = {}

    def chores(self, heartbeat: Heartbeat, queues: Sequence[str]) -> Plan[None] | None:
        """Return what is to be done before ``queues`` are received from, if anything is: one step.

        Args:
            heartbeat: Of those who receive.
        """
        due = heartbeat.due(queues)
        # Where a server is lost, the receive that follows says so.
        return heartbeat.beat(due, self.tallies.collect()) if due or self.tallies.is_due else None

    def say_farewell(self, heartbeats: Sequence[Heartbeat]) -> Plan[None]:
        """Return what is to be done before the connections are closed of those with ``heartbeats``."""
        step = self.tallies.collect()
        for heartbeat in heartbeats:
            step = merged(step, heartbeat.end())
        yield from run_tolerantly(step)
