"""The layer itself: the methods of the contract, for threads and for event loops.

What is sent and how answers are read is decided in ``sending`` and ``receiving``; who talks to a server is in
``links`` (threads) and ``loops`` (event loops). Keys are told at the heads of the scripts in ``lua``.
"""

import asyncio
import functools
import logging
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import redis

from channels import names
from channels.exceptions import LayerUnavailable
from channels.formats import copy_content
from channels.layers.base import DEFAULT_EXPIRY, DEFAULT_GROUP_EXPIRY, BaseChannelLayer, Delivery, Outgoing
from channels.layers.inspection import Inspection
from channels.layers.once import Once
from channels.layers.redis.alive import Heartbeat, SignsOfLife
from channels.layers.redis.codec import Codec
from channels.layers.redis.durable import Durable, compile_delivery
from channels.layers.redis.encryption import EncryptedCodec, Veil
from channels.layers.redis.groups import Groups
from channels.layers.redis.inspection import RedisInspection
from channels.layers.redis.items import Item, Outcomes, merge, prepare_all
from channels.layers.redis.keys import Keys
from channels.layers.redis.loops import LoopLinks
from channels.layers.redis.once import RedisOnce
from channels.layers.redis.plans import Plan
from channels.layers.redis.process import Parts, Process, forks
from channels.layers.redis.receiving import Wait
from channels.layers.redis.ring import Ring
from channels.layers.redis.routes import Routes
from channels.layers.redis.sending import Sender
from channels.layers.redis.shards import BLOCK_SECONDS, Shard, make_shards
from channels.layers.redis.statistics import read_queue, read_total
from channels.layers.redis.turns import RedisTurns
from channels.layers.redis.unfinished import UnfinishedMethods
from channels.layers.redis.upkeep import RedisUpkeep
from channels.types import Content

logger = logging.getLogger("django.channels.layers")

T = TypeVar("T")


def _forget(result: object) -> None:
    """Do nothing with what a plan came to."""


class RedisChannelLayer(UnfinishedMethods, BaseChannelLayer):
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
        self.upkeep = RedisUpkeep(self._run, self._holders, keys, ring, group_expiry)
        self.turns = RedisTurns(self._run, self._post, keys, ring, codec, group_expiry)
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

    @property
    def _mine(self) -> Process:
        if self._process.generation != forks.count:
            self._process = Process(self._parts, self._process)
        return self._process

    @property
    def _loop(self) -> LoopLinks:
        loop, mine = asyncio.get_running_loop(), self._mine
        if loop not in mine.loops:
            for closed in [other for other in list(mine.loops) if other.is_closed()]:
                mine.loops.pop(closed, None)
            plan = functools.partial(self._sender.plan, mine.tallies)
            parts = self._parts
            mine.loops[loop] = LoopLinks(
                self.shards, parts.routes, mine.reader, mine.spare, plan, Heartbeat(parts.signs)
            )
        return mine.loops[loop]

    def _run(self, plan: Plan[T]) -> T:
        return self._mine.links.run(plan)

    def _post(self, plan: Plan[T], settle: Callable[[T | Exception], None]) -> None:
        self._mine.links.post(plan, settle)

    async def _arun(self, plan: Plan[T]) -> T:
        return await self._loop.run(plan)

    # Sending

    def send(self, channel: str, message: Content) -> None:
        self._send_one(Outgoing(channel, message))

    def send_group(self, group: str, message: Content) -> None:
        self._send_one(Outgoing(group, message, to_group=True))

    def _send_one(self, outgoing: Outgoing) -> None:
        mine = self._mine
        outcome = mine.links.run(self._sender.plan(mine.tallies, [self._sender.prepare(outgoing)]))[0]
        if outcome is not None:
            raise outcome

    def send_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        prepared = prepare_all(self._sender.prepare, batch)
        items = [item for item in prepared if isinstance(item, Item)]
        mine = self._mine
        return merge(prepared, mine.links.run(self._sender.plan(mine.tallies, items)))

    def post_batch(self, batch: Sequence[Outgoing], settle: Callable[[Outcomes], None]) -> None:
        prepared = prepare_all(self._sender.prepare, batch)
        items = [item for item in prepared if isinstance(item, Item)]

        def settle_all(result: Outcomes | Exception) -> None:
            outcomes: Outcomes = [result] * len(items) if isinstance(result, Exception) else result
            settle(merge(prepared, outcomes))

        mine = self._mine
        plan = functools.partial(self._sender.plan, mine.tallies)
        is_one_step = self._sender.takes_one_step(items)
        if items and is_one_step and self._sender.has_one_place:
            mine.links.post_sends(0, plan, items, settle_all)
            return
        mine.links.post(plan(items), settle_all)
        if not is_one_step:  # The second step would wait for what the thread asks next.
            mine.links.settle()

    def push(self, wait: bool = False) -> None:
        links = self._mine.links
        if wait:
            links.settle()
        else:
            links.push()

    def push_soon(self) -> None:
        self._mine.links.push_soon()

    async def asend(self, channel: str, message: Content) -> None:
        await self._asend_one(Outgoing(channel, message))

    async def asend_group(self, group: str, message: Content) -> None:
        await self._asend_one(Outgoing(group, message, to_group=True))

    async def _asend_one(self, outgoing: Outgoing) -> None:
        outcome = (await self._loop.outbox.put([self._sender.prepare(outgoing)]))[0]
        if outcome is not None:
            raise outcome

    async def asend_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        prepared = prepare_all(self._sender.prepare, batch)
        items = [item for item in prepared if isinstance(item, Item)]
        return merge(prepared, await self._loop.outbox.put(items))

    # Receiving

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
        queue = names.non_local_name(names.require_channel_name(channel))
        parts = self._parts
        found = self._run(read_queue(self._mine.tallies, parts.keys, parts.ring, queue, self.expiry))
        if parts.ring.is_durable(queue):
            found["messages_pending"] = self._run(self._durable.pending(queue))
        return found

    # Housekeeping

    def flush(self) -> None:
        for shard in self._holders():
            shard.forget({self.prefix, self.stats_prefix})
        self._mine.spare.clear()
        self._mine.in_hand.clear()
        self._mine.tallies.collect()

    def _holders(self) -> Sequence[Shard]:
        """Return the servers that keys may be on."""
        return self.shards

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
