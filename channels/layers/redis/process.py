"""What a Redis layer keeps for one process."""

import asyncio
import os
from collections.abc import Sequence

from channels.layers.redis.durable import Durable
from channels.layers.redis.inhand import InHand
from channels.layers.redis.links import Links
from channels.layers.redis.loops import LoopLinks
from channels.layers.redis.receiving import Reader, Spare
from channels.layers.redis.shards import Shard
from channels.layers.redis.statistics import Tallies


class Process:
    """What belongs to one process: a fork must neither use its parent's connections nor close them.

    Args:
        shards: The servers.
        reader: Makes messages of answers.
        expiry: Seconds that messages live.
        stats_prefix: What the keys of statistics begin with.
        parent: That of the process forked from; kept, because dropping it would close its connections.
        durable: Renews what is in hand.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        reader: Reader,
        expiry: float,
        stats_prefix: str,
        parent: "Process | None",
        durable: Durable,
    ) -> None:
        self.pid = os.getpid()
        self.parent = parent
        self.tallies = Tallies(stats_prefix)
        self.spare = Spare(expiry)
        self.links = Links(shards, reader, self.spare)
        self.in_hand = InHand(lambda receipts: self.links.run(durable.renew(receipts)), durable.interval)
        self.loops: dict[asyncio.AbstractEventLoop, LoopLinks] = {}
