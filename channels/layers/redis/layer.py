"""The layer itself: the methods of the contract, for threads and for event loops.

What is sent and how answers are read is decided in ``sending`` and ``receiving``; who talks to a server is in
``links`` (threads) and ``loops`` (event loops). Keys are told at the heads of the scripts in ``lua``.
"""

import asyncio
import functools
import itertools
import os
import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

import redis

from channels import names
from channels.exceptions import LayerUnavailable
from channels.formats import copy_content
from channels.layers.base import (
    DEFAULT_EXPIRY,
    DEFAULT_GROUP_EXPIRY,
    BaseChannelLayer,
    Delivery,
    Outgoing,
)
from channels.layers.redis import scripts
from channels.layers.redis.codec import Codec
from channels.layers.redis.encryption import EncryptedCodec
from channels.layers.redis.links import Links
from channels.layers.redis.loops import LoopLinks, Outcomes
from channels.layers.redis.receiving import Reader, Spare
from channels.layers.redis.ring import Ring
from channels.layers.redis.sending import Item, Plan, Sender, prepare_all
from channels.layers.redis.shards import BLOCK_SECONDS, FOREIGN_ERRORS, Shard, make_shards
from channels.layers.redis.statistics import Tallies, seconds_waited
from channels.layers.redis.turns import RedisTurns
from channels.types import Content

T = TypeVar("T")


class _Process:
    """What belongs to one process: a fork must neither use its parent's connections nor close them."""

    def __init__(
        self,
        shards: Sequence[Shard],
        reader: Reader,
        expiry: float,
        stats_prefix: str,
        parent: "_Process | None",
    ) -> None:
        self.pid = os.getpid()
        self.parent = parent
        self.tallies = Tallies(stats_prefix)
        self.spare = Spare(expiry)
        self.links = Links(shards, reader, self.spare)
        self.loops: dict[asyncio.AbstractEventLoop, LoopLinks] = {}


class RedisChannelLayer(BaseChannelLayer):
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
        stats_prefix: What the keys of statistics begin with.
        connection_kwargs: Keywords for redis-py's connections.

    Raises:
        ValueError: One of them makes no sense; the text says which.
    """

    extensions = ("groups", "flush", "statistics", "async", "ordering")

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
    ) -> None:
        super().__init__(expiry, group_expiry, capacity, channel_capacity)
        if not isinstance(prefix, str):
            raise AssertionError("Prefix must be unicode")
        self.prefix = prefix
        self.stats_prefix = stats_prefix
        self.shards = make_shards(hosts, connection_kwargs)
        self._ring = Ring(len(self.shards))
        codec = EncryptedCodec(symmetric_encryption_keys, expiry) if symmetric_encryption_keys else Codec()
        self._sender = Sender(self, prefix, self._ring, codec)
        self._reader = Reader(prefix, codec)
        self._process = self._new_process(None)
        self.turns = RedisTurns(self._run, self._post, prefix, self._ring, codec, group_expiry)

    def _new_process(self, parent: _Process | None) -> _Process:
        return _Process(self.shards, self._reader, self.expiry, self.stats_prefix, parent)

    @property
    def _mine(self) -> _Process:
        if self._process.pid != os.getpid():
            self._process = self._new_process(self._process)
        return self._process

    @property
    def _loop(self) -> LoopLinks:
        loop, mine = asyncio.get_running_loop(), self._mine
        if loop not in mine.loops:
            for closed in [other for other in list(mine.loops) if other.is_closed()]:
                mine.loops.pop(closed, None)
            plan = functools.partial(self._sender.plan, mine.tallies)
            mine.loops[loop] = LoopLinks(self.shards, self._reader, mine.spare, plan)
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
        outcome = self._run(self._sender.plan(self._mine.tallies, [self._sender.prepare(outgoing)]))[0]
        if outcome is not None:
            raise outcome

    def send_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        prepared = prepare_all(self._sender.prepare, batch)
        items = [item for item in prepared if isinstance(item, Item)]
        return _merge(prepared, self._run(self._sender.plan(self._mine.tallies, items)))

    def post_batch(self, batch: Sequence[Outgoing], settle: Callable[[Outcomes], None]) -> None:
        prepared = prepare_all(self._sender.prepare, batch)
        items = [item for item in prepared if isinstance(item, Item)]

        def settle_all(result: Outcomes | Exception) -> None:
            outcomes: Outcomes = [result] * len(items) if isinstance(result, Exception) else result
            settle(_merge(prepared, outcomes))

        self._mine.links.post(self._sender.plan(self._mine.tallies, items), settle_all)

    def push(self, wait: bool = False) -> None:
        links = self._mine.links
        if wait:
            links.settle()
        else:
            links.push()

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
        return _merge(prepared, await self._loop.outbox.put(items))

    # Receiving

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        """Take one message, as the contract says.

        Of a message for several channels of one queue, the others are kept by this process for its next receive.
        """
        return self._one(self.receive_batch(channels, 1, BLOCK_SECONDS if block else 0))

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        queues = names.require_channel_names(channels, receive=True)
        if not queues:
            return []
        if self._mine.tallies.is_due:
            self._run(self._flush_tallies())
        mine = self._mine
        return mine.spare.take(queues, limit) or mine.links.take(self._sender.where(queues), limit, timeout)

    async def areceive(self, channels: Sequence[str]) -> tuple[str | None, Content | None]:
        return self._one(await self.areceive_batch(channels, 1, BLOCK_SECONDS))

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
        if self._mine.tallies.is_due:
            await self._arun(self._flush_tallies())
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
        names.require_channel_name(channel)
        shard, key = self._sender.group_place(group)
        yield {shard: [scripts.call(scripts.GROUP_ADD, (key,), (channel, round(self.group_expiry * 1000)))]}

    def _group_discard(self, group: str, channel: str) -> Plan[None]:
        names.require_channel_name(channel)
        shard, key = self._sender.group_place(group)
        yield {shard: [scripts.command(b"ZREM", key, channel)]}

    def _group_channels(self, group: str) -> Plan[list[str]]:
        shard, _ = self._sender.group_place(group)
        replies = yield {shard: [self._sender.members_call(group)]}
        return [member.decode() for member in replies[shard][0]]

    # Statistics

    def global_statistics(self) -> dict[str, float]:
        """Return ``messages_count`` and ``channel_full_count`` of all channels, over the last day of traffic."""
        return self._run(self._statistics())

    def channel_statistics(self, channel: str) -> dict[str, float]:
        """Return what ``channel`` (its queue, if it has a ``!``) took, refused and holds; ages are in seconds."""
        return self._run(self._statistics(names.non_local_name(names.require_channel_name(channel))))

    def _flush_tallies(self) -> Plan[None]:
        yield self._mine.tallies.collect()

    def _statistics(self, queue: str | None = None) -> Plan[dict[str, float]]:
        yield self._mine.tallies.collect()
        shards = range(len(self.shards)) if queue is None else self._sender.where([queue])
        commands = [scripts.command(b"TIME"), self._mine.tallies.read_command(*([] if queue is None else [queue]))]
        if queue is not None:
            key = self.prefix + queue
            commands += [scripts.command(b"LLEN", key), scripts.command(b"LINDEX", key, 0)]
        replies = yield dict.fromkeys(shards, commands)
        counts = [[int(value or 0) for value in replies[shard][1]] for shard in shards]
        found: dict[str, float] = dict(
            zip(("messages_count", "channel_full_count"), map(sum, zip(*counts, strict=True)), strict=True)
        )
        if queue is not None:
            found["messages_pending"] = sum(replies[shard][2] for shard in shards)
            found["messages_max_age"] = max(
                seconds_waited(head, int(seconds) * 1000 + int(micros) / 1000, self.expiry)
                for (seconds, micros), _, _, head in (replies[shard] for shard in shards)
            )
        return found

    # Housekeeping

    def flush(self) -> None:
        for shard in self.shards:
            client = shard.client()
            try:
                for prefix in {self.prefix, self.stats_prefix}:
                    pattern = re.sub(r"([\\*?\[\]])", r"\\\1", prefix) + "*"
                    for keys in _chunks(client.scan_iter(pattern, count=1000), 1000):
                        client.unlink(*keys)
            except FOREIGN_ERRORS as error:
                raise shard.unavailable(error) from error
        self._mine.spare.clear()
        self._mine.tallies.collect()

    def connection(self, index: int | None) -> "redis.Redis":
        """Return a redis-py client of the shard at ``index``; None takes any.

        Raises:
            ValueError: There is no such shard.
        """
        if index is None:
            index = random.randrange(len(self.shards))
        if not 0 <= index < len(self.shards):
            raise ValueError(f"There are only {len(self.shards)} hosts - you asked for {index}!")
        return self.shards[index].client()

    def close(self) -> None:
        with suppress(LayerUnavailable):
            self._run(self._flush_tallies())
        self._mine.links.close()
        for shard in self.shards:
            shard.close()

    async def aclose(self) -> None:
        """Close what the running event loop opened; to be called before that loop is closed."""
        links = self._mine.loops.pop(asyncio.get_running_loop(), None)
        if links is not None:
            await links.close()

    def __str__(self) -> str:
        return f"{type(self).__name__}(hosts={[shard.label for shard in self.shards]})"


def _merge(prepared: Sequence[Item | Exception], outcomes: Outcomes) -> Outcomes:
    """Return ``outcomes`` of the items, with the errors that kept the others from being sent in between."""
    rest = iter(outcomes)
    return [one if isinstance(one, Exception) else next(rest) for one in prepared]


def _chunks(keys: Iterable[Any], size: int) -> Iterator[list[Any]]:
    source = iter(keys)
    while chunk := list(itertools.islice(source, size)):
        yield chunk
