"""The connections of event loops: each loop has one to each shard for commands, and some to wait on.

Sends of one loop iteration leave together: what is sent while an exchange is under way waits for the next.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import TypeVar

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis.looplink import LoopLink
from channels.layers.redis.receiving import Reader, Spare, must_look_first, shuffled, take_command, unblock
from channels.layers.redis.sending import Item, Plan
from channels.layers.redis.shards import Facts, Shard

T = TypeVar("T")
Outcomes = list[Exception | None]


class Outbox:
    """What one event loop is about to send.

    Args:
        send: Sends items and returns what each came to.
    """

    def __init__(self, send: Callable[[Sequence[Item]], Awaitable[Outcomes]]) -> None:
        self._send = send
        self._waiting: list[tuple[Sequence[Item], asyncio.Future[Outcomes]]] = []
        self._task: asyncio.Task[None] | None = None

    def put(self, items: Sequence[Item]) -> "asyncio.Future[Outcomes]":
        """Let ``items`` leave with the next write; the future says what each came to."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcomes] = loop.create_future()
        self._waiting.append((items, future))
        if self._task is None:
            self._task = loop.create_task(self._run())
        return future

    async def drain(self) -> None:
        """Return once everything that was put has left."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        try:
            while self._waiting:
                parts, self._waiting = self._waiting, []
                await self._send_parts(parts)
        finally:
            self._task = None
            for _, future in self._waiting:
                future.cancel()
            self._waiting = []

    async def _send_parts(self, parts: Sequence[tuple[Sequence[Item], "asyncio.Future[Outcomes]"]]) -> None:
        try:
            outcomes = await self._send([item for items, _ in parts for item in items])
        except BaseException as error:
            for _, future in parts:
                if not future.done():
                    if isinstance(error, Exception):
                        future.set_exception(error)
                    else:
                        future.cancel()
            if not isinstance(error, Exception):
                raise
            return
        done = 0
        for items, future in parts:
            if not future.done():
                future.set_result(outcomes[done : done + len(items)])
            done += len(items)


class LoopLinks:
    """The links of one event loop, and what is done over them.

    Args:
        shards: The servers.
        reader: Makes messages of answers.
        spare: Where messages go that came when nobody waited for them any more.
        plan: Plans the sending of items.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        reader: Reader,
        spare: Spare,
        plan: Callable[[Sequence[Item]], Plan[Outcomes]],
    ) -> None:
        self._shards = shards
        self._reader = reader
        self._spare = spare
        self._commands = [LoopLink(shard) for shard in shards]
        self._idle: list[list[LoopLink]] = [[] for _ in shards]
        self.outbox = Outbox(lambda items: self.run(plan(items)))

    async def run(self, plan: Plan[T]) -> T:
        """Carry out ``plan`` and return its result. All shards of a step work at the same time."""
        try:
            step = next(plan)
            while True:
                if len(step) == 1:
                    replies = {shard: await self._commands[shard].exchange(step[shard]) for shard in step}
                else:
                    answers = await asyncio.gather(*(self._commands[shard].exchange(step[shard]) for shard in step))
                    replies = dict(zip(step, answers, strict=True))
                step = plan.send(replies)
        except StopIteration as end:
            result: T = end.value
            return result

    async def take(self, wanted: Mapping[int, Sequence[str]], limit: int, timeout: float) -> list[Delivery]:
        """Take up to ``limit`` messages of one queue, waiting up to ``timeout`` seconds for the first.

        Args:
            wanted: Keys of queues, by shard.
        """
        end = time.monotonic() + timeout
        order = shuffled(wanted)
        while True:
            wait = min(end - time.monotonic(), *(self._shards[shard].block_seconds for shard in order))
            if wait <= 0 or len(order) > 1:
                for shard in order:
                    if taken := await self._take_from(shard, wanted[shard], limit, 0):
                        return taken
            if wait <= 0:
                return []
            if len(order) > 1:
                taken = await self._first_of(order, wanted, limit, wait)
            else:
                taken = await self._take_from(order[0], wanted[order[0]], limit, wait)
            if taken:
                return taken

    async def _first_of(
        self, order: Sequence[int], wanted: Mapping[int, Sequence[str]], limit: int, wait: float
    ) -> list[Delivery]:
        tasks = [asyncio.ensure_future(self._take_from(shard, wanted[shard], limit, wait)) for shard in order]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
        found = [result for result in results if isinstance(result, list) and result]
        for more in found[1:]:
            self._spare.put(more)
        problems = [result for result in results if isinstance(result, Exception)]
        if problems and not found:
            raise problems[0]
        return found[0] if found else []

    async def _take_from(self, shard: int, keys: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        link = self._idle[shard].pop() if self._idle[shard] else LoopLink(self._shards[shard])
        facts = await link.facts()
        try:
            taken = []
            if wait <= 0 or must_look_first(facts, limit):
                taken = await self._look(link, facts, keys, limit)
            if wait > 0 and not taken:
                taken = self._reader.read(await link.take(take_command(facts, keys, limit, wait)), facts)
        except asyncio.CancelledError:
            # What the server gives up at this moment must not be lost: the next receive gets it.
            with suppress(LayerUnavailable):
                await self._commands[shard].exchange([unblock(facts)])
                self._spare.put(self._reader.read(await link.finish(), facts))
            await link.close()
            raise
        self._idle[shard].append(link)
        return taken

    async def _look(self, link: LoopLink, facts: Facts, keys: Sequence[str], limit: int) -> list[Delivery]:
        while True:
            reply = await link.take(take_command(facts, keys, limit, 0))
            taken = self._reader.read(reply, facts)
            if taken or not reply:
                return taken

    async def close(self) -> None:
        """Send what is still to be sent, then close every link that nobody waits on."""
        await self.outbox.drain()
        for link in [*self._commands, *[link for links in self._idle for link in links]]:
            await link.close()
        for links in self._idle:
            links.clear()
