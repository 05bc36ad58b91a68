"""The layer itself: how its parts are put together, groups, statistics and housekeeping.

Its other methods are in ``sends``, ``receives`` and ``unfinished``. What is sent and how answers are read is decided in
``sending`` and ``receiving``; who talks to a server is in ``links`` (threads) and ``loops`` (event loops). Keys are
told at the heads of the scripts in ``lua``.
"""

import asyncio
import random
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import redis

from channels import names
from channels.exceptions import LayerUnavailable
from channels.layers.base import DEFAULT_EXPIRY, DEFAULT_GROUP_EXPIRY
from channels.layers.inspection import Inspection
from channels.layers.once import Once
from channels.layers.redis.alive import SignsOfLife
from channels.layers.redis.codec import Codec
from channels.layers.redis.durable import Durable, compile_delivery
from channels.layers.redis.encryption import EncryptedCodec, Veil
from channels.layers.redis.groups import Groups
from channels.layers.redis.inspection import RedisInspection
from channels.layers.redis.keys import Keys
from channels.layers.redis.once import RedisOnce
from channels.layers.redis.plans import Plan
from channels.layers.redis.process import Parts, Process
from channels.layers.redis.receives import ReceivingMethods
from channels.layers.redis.ring import Ring
from channels.layers.redis.routes import Routes
from channels.layers.redis.sending import Sender
from channels.layers.redis.sends import SendingMethods
from channels.layers.redis.shards import Shard, make_shards
from channels.layers.redis.statistics import QUEUES_PER_STEP, read_queue, read_queues, read_total
from channels.layers.redis.turns import RedisTurns
from channels.layers.redis.unfinished import UnfinishedMethods
from channels.layers.redis.upkeep import RedisUpkeep


class RedisChannelLayer(SendingMethods, ReceivingMethods, UnfinishedMethods):
    """Carries messages over one or several Redis servers, 6.2 or later.

    May be shared by threads, event loops and forked processes: each gets connections of its own. On several
    servers a normal channel is on all of them, with its capacity on each; other channels and groups are on one.
    A message to a group counts as one for a queue that several of its members share.

    Args:
        expiry: Seconds until an unread message is dropped.
        hosts: Servers, as URLs or pairs of host and port; None is ``localhost:6379``.
        prefix: What every key begins with.
        group_expiry: Seconds until a membership ends unless it is renewed.
        capacity: As for ``BaseChannelLayer``.
        channel_capacity: As for ``BaseChannelLayer``.
        symmetric_encryption_keys: Secrets; the first encrypts messages, all decrypt them.
        name_key: Secret that hides the names of channels and groups, too.
        stats_prefix: What the keys of statistics begin with.
        connection_kwargs: Keywords for redis-py's connections.
        delivery: Glob of normal channels to ``"at-least-once"`` or ``"at-most-once"``; the latter is the default.
            Messages delivered at least once do not expire, and ``__deliveries__`` in them says how often they were.
        redelivery_after: Seconds after which a message that was not finished is delivered again.
        max_deliveries: How often, before it becomes a dead letter.

    Raises:
        ValueError: One of them makes no sense; the text says which.
    """

    extensions: Sequence[str] = ("groups", "flush", "statistics", "async", "ordering", "inspection", "upkeep", "once")

    def __init__(
        self,
        expiry: float = DEFAULT_EXPIRY,
        hosts: Iterable[str | tuple[str, int] | Shard] | None = None,
        prefix: str = "asgi:",
        group_expiry: float = DEFAULT_GROUP_EXPIRY,
        capacity: int | None = None,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        stats_prefix: str = "asgi-meta:",
        connection_kwargs: Mapping[str, Any] | None = None,
        delivery: Mapping[str, str] | None = None,
        redelivery_after: float = 60,
        max_deliveries: int = 5,
        name_key: str | bytes | None = None,
    ) -> None:
        super().__init__(expiry, group_expiry, capacity, channel_capacity)
        if not isinstance(prefix, str):
            raise AssertionError("Prefix must be unicode")
        self.prefix = prefix
        self.stats_prefix = stats_prefix
        self.redelivery_after = redelivery_after
        if name_key is not None and not symmetric_encryption_keys:
            raise ValueError("name_key needs symmetric_encryption_keys.")
        self.shards, ring, keys, routes = self._make_places(
            hosts, connection_kwargs, compile_delivery(delivery), Veil(name_key) if name_key is not None else None
        )
        codec = EncryptedCodec(symmetric_encryption_keys, expiry) if symmetric_encryption_keys else Codec()
        signs = SignsOfLife(keys, ring, self.get_capacity, expiry)
        self._groups = Groups(keys, ring, group_expiry, signs)
        self._durable = Durable(keys, ring, codec, redelivery_after, max_deliveries)
        self._sender = Sender(self, keys, ring, self.shards, codec, self._groups)
        self._parts = Parts(self.shards, routes, keys, ring, codec, signs, self._durable, expiry)
        self._process = Process(self._parts, None)
        self.inspection: Inspection = RedisInspection(self, self._run, keys, ring, codec, self._holders)
        self.upkeep = RedisUpkeep(self._run, self._holders, keys, ring, group_expiry, signs)
        self.turns = RedisTurns(self._run, self._post, lambda: self.push(wait=True), keys, ring, codec, group_expiry)
        self.once: Once = RedisOnce(self, self._run, lambda: self._mine, self._sender, keys, ring)

    def _make_places(
        self,
        hosts: Iterable[Any] | None,
        connection_kwargs: Mapping[str, Any] | None,
        durable: Sequence[re.Pattern[str]],
        veil: Veil | None,
    ) -> tuple[list[Shard], Ring, Keys, Routes]:
        """Return the servers, where things are on them, what they are called there, and how to find that out."""
        shards = make_shards(hosts, connection_kwargs)
        return shards, Ring(len(shards), durable), Keys(self.prefix, self.stats_prefix, veil), Routes()

    # Groups

    def group_add(self, group: str, channel: str) -> None:
        self._run(self._group_add(group, channel))

    def group_discard(self, group: str, channel: str) -> None:
        self._run(self._group_discard(group, channel))

    def group_channels(self, group: str) -> list[str]:
        return self._run(self._group_channels(group))

    async def agroup_add(self, group: str, channel: str) -> None:
        await self._arun(self._group_add(group, channel))

    async def agroup_discard(self, group: str, channel: str) -> None:
        await self._arun(self._group_discard(group, channel))

    async def agroup_channels(self, group: str) -> list[str]:
        return await self._arun(self._group_channels(group))

    def _group_add(self, group: str, channel: str) -> Plan[None]:
        return self._groups.add(group, channel)

    def _group_discard(self, group: str, channel: str) -> Plan[None]:
        return self._groups.discard(group, channel)

    def _group_channels(self, group: str) -> Plan[list[str]]:
        return self._groups.channels(group)

    # Statistics

    def global_statistics(self) -> dict[str, float]:
        """Return what all channels together took, refused and dropped over the last day of traffic, and the rates."""
        return self._run(read_total(self._mine.tallies, self._parts.keys, self._parts.ring))

    def channel_statistics(self, channel: str) -> dict[str, float]:
        """Return the same of ``channel`` (its queue, if it has a ``!``), and what it holds; ages are in seconds."""
        return self.statistics_of([channel])[channel]

    def statistics_of(self, channels: Iterable[str]) -> dict[str, dict[str, float]]:
        queues = {channel: names.non_local_name(names.require_channel_name(channel)) for channel in channels}
        wanted = sorted(set(queues.values()))
        found: dict[str, dict[str, float]] = {}
        for first in range(0, len(wanted), QUEUES_PER_STEP):
            part = wanted[first : first + QUEUES_PER_STEP]
            read = self._run(read_queues(self._mine.tallies, [self._queue_statistics(queue) for queue in part]))
            found.update(zip(part, read, strict=True))
        return {channel: dict(found[queue]) for channel, queue in queues.items()}

    def _queue_statistics(self, queue: str) -> Plan[dict[str, float]]:
        found = yield from read_queue(self._parts.keys, self._parts.ring, queue, self.expiry)
        if self._parts.ring.is_durable(queue):
            found.update((yield from self._durable.pending(queue)))
        return found

    # Housekeeping

    def flush(self) -> None:
        for shard in self._holders():
            shard.forget({self.prefix, self.stats_prefix})
        self._mine.spare.clear()
        self._mine.in_hand.clear()
        self._mine.tallies.collect()

    def connection(self, index: int | None) -> "redis.Redis":
        """Return a redis-py client of the shard at ``index``; None takes any.

        Raises:
            ValueError: There is no such shard.
        """
        if index is None:
            index = random.randrange(len(self.shards))  # noqa: S311 - any of them will do
        if not 0 <= index < len(self.shards):
            raise ValueError(f"There are only {len(self.shards)} hosts - you asked for {index}!")
        return self.shards[index].client()

    def close(self) -> None:
        mine = self._mine
        mine.links.settle()
        with suppress(LayerUnavailable):
            self._run(mine.say_farewell([mine.heartbeat, *(links.heartbeat for links in mine.loops.values())]))
        self._mine.in_hand.close()
        self._mine.links.close()
        for shard in self.shards:
            shard.close()

    async def aclose(self) -> None:
        """Close what the running event loop opened, and take back its signs of life; before that loop is closed."""
        links = self._mine.loops.pop(asyncio.get_running_loop(), None)
        if links is not None:
            await links.outbox.drain()
            with suppress(LayerUnavailable):
                await links.run(self._mine.say_farewell([links.heartbeat]))
            await links.close()

    def __str__(self) -> str:
        return f"{type(self).__name__}(hosts={[shard.label for shard in self.shards]})"
