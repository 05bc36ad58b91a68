"""The connections of event loops: each loop has one to each shard for commands, and some to wait on.

Sends of one loop iteration leave together: what is sent while an exchange is under way waits for the next.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis import receiving
from channels.layers.redis.alive import Heartbeat
from channels.layers.redis.items import Item, Outcomes
from channels.layers.redis.looplink import LoopLink
from channels.layers.redis.plans import Plan, Replies, Step, advance
from channels.layers.redis.receiving import Place, Reader, Spare, Where
from channels.layers.redis.routes import Routes
from channels.layers.redis.shards import Facts, Shard

T = TypeVar("T")

Found = tuple[list[Delivery], Sequence[Place]]
"""Messages that were taken, and the places that can be reached."""


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
        routes: Where the shards of plans are.
        reader: Makes messages of answers.
        spare: Where messages go that came when nobody waited for them any more.
        plan: Plans the sending of items.
        heartbeat: Says which queues the loop reads.
    """

    def __init__(
        self,
        shards: Sequence[Shard],
        routes: Routes,
        reader: Reader,
        spare: Spare,
        plan: Callable[[Sequence[Item]], Plan[Outcomes]],
        heartbeat: Heartbeat,
    ) -> None:
        self.heartbeat = heartbeat
        self._shards = shards
        self._routes = routes
        self._reader = reader
        self._spare = spare
        self._commands: dict[int, LoopLink] = {}
        self._idle: dict[int, list[LoopLink]] = {}
        self.outbox = Outbox(lambda items: self.run(plan(items)))

    async def run(self, plan: Plan[T]) -> T:
        """Carry out ``plan`` and return its result. All servers of a step work at the same time."""
        return await self._carry_out(self._routes.route(plan))

    async def _carry_out(self, plan: Plan[T]) -> T:
        try:
            step = next(plan)
            while True:
                step = advance(plan, *await self._exchange(step))
        except StopIteration as end:
            result: T = end.value
            return result

    async def _exchange(self, step: Step) -> tuple[Replies, dict[int, LayerUnavailable]]:
        if len(step) == 1:
            ((server, commands),) = step.items()
            try:
                return {server: await self._command_link(server).exchange(commands)}, {}
            except LayerUnavailable as error:
                return {}, {server: error}
        answers = await asyncio.gather(
            *(self._command_link(server).exchange(commands) for server, commands in step.items()),
            return_exceptions=True,
        )
        replies: Replies = {}
        errors: dict[int, LayerUnavailable] = {}
        for server, answer in zip(step, answers, strict=True):
            if isinstance(answer, LayerUnavailable):
                errors[server] = answer
            elif isinstance(answer, BaseException):
                raise answer
            else:
                replies[server] = answer
        return replies, errors

    def _command_link(self, server: int) -> LoopLink:
        return self._commands.get(server) or self._commands.setdefault(server, LoopLink(self._shards[server]))

    async def take(self, where: Where, limit: int, timeout: float) -> list[Delivery]:
        """Take up to ``limit`` messages of one queue, waiting up to ``timeout`` seconds for the first."""
        end = time.monotonic() + timeout
        while True:
            if not self._routes.is_known:
                await self._carry_out(self._routes.find_out())
            order: Sequence[Place] = receiving.servers_of(where, self._routes, self._shards)
            wait = min(end - time.monotonic(), *(self._shards[server].block_seconds for _, server in order))
            if wait <= 0 or len(order) > 1:
                taken, order = await self._look(order, where, limit)
                if taken:
                    return taken
            if wait <= 0:
                return []
            if taken := await self._first_of(order, where, limit, wait):
                return taken

    async def _look(self, order: Sequence[Place], where: Where, limit: int) -> Found:
        """Take what is there now; return it, and the places that can be reached."""
        plan = receiving.look(self._reader, lambda server: self._command_link(server).known, order, where, limit)
        return await self._whatever_happens(asyncio.ensure_future(self.run(plan)))

    async def _whatever_happens(self, taking: "asyncio.Future[Found]") -> Found:
        """Return what ``taking`` brings; if the caller is cancelled, however often, the next receive gets it."""
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            await asyncio.shield(self._keep(taking))
            raise

    async def _keep(self, taking: "asyncio.Future[Found]") -> None:
        with suppress(LayerUnavailable):
            self._spare.put((await taking)[0])

    async def _first_of(self, order: Sequence[Place], where: Where, limit: int, wait: float) -> list[Delivery]:
        if len(order) == 1:
            return await self._wait_on(order[0], where, limit, wait)
        tasks = [asyncio.ensure_future(self._wait_on(place, where, limit, wait)) for place in order]
        pending = set(tasks)
        try:
            while pending:
                done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
                if any(task.exception() is None for task in done):
                    break  # Else those who failed leave the others waiting.
        except asyncio.CancelledError:
            await asyncio.shield(self._keep(asyncio.ensure_future(self._end_race(tasks))))
            raise
        return (await self._whatever_happens(asyncio.ensure_future(self._end_race(tasks))))[0]

    async def _end_race(self, tasks: Sequence["asyncio.Task[list[Delivery]]"]) -> Found:
        """Return what the first of ``tasks`` brought that brought something; the rest goes to the next receive.

        Raises:
            LayerUnavailable: All failed.
        """
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        found = [result for result in results if isinstance(result, list)]
        errors = [result for result in results if isinstance(result, Exception)]
        if errors and not found:
            raise errors[0]
        taken = [result for result in found if result]
        for more in taken[1:]:
            self._spare.put(more)
        return (taken[0] if taken else []), ()

    async def _wait_on(self, place: Place, where: Where, limit: int, wait: float) -> list[Delivery]:
        shard, server = place
        if receiving.must_look_first(await self._command_link(server).facts(), limit):
            taken, _ = await self._look([place], where, limit)
            if taken:
                return taken
        idle = self._idle.setdefault(server, [])
        link = idle.pop() if idle else LoopLink(self._shards[server])
        facts = await link.facts()
        try:
            reply = await link.take(receiving.take_command(facts, where[shard], limit, wait))
        except asyncio.CancelledError:
            await asyncio.shield(self._end_wait(place, link, facts))
            raise
        idle.append(link)
        if isinstance(reply, ResponseError):
            self._routes.refused(reply)
            await asyncio.sleep(receiving.REFUSED_SECONDS)
            return []
        return await self._read(shard, reply, facts)

    async def _end_wait(self, place: Place, link: LoopLink, facts: Facts) -> None:
        """End the wait of ``link``; what the server gives up at this moment goes to the next receive."""
        shard, server = place
        with suppress(LayerUnavailable):
            await self._command_link(server).exchange([receiving.unblock(facts)])
            self._spare.put(await self._read(shard, await link.finish(), facts))
        await link.close()

    async def _read(self, shard: int, reply: Any, facts: Facts) -> list[Delivery]:
        if self._reader.has_expired(reply, facts.clock):
            await self.run(receiving.set_clock(self._reader, reply, facts.clock, shard))
        return self._reader.read(reply, facts.clock)

    async def close(self) -> None:
        """Send what is still to be sent, then close every link that nobody waits on."""
        await self.outbox.drain()
        for link in [*self._commands.values(), *[link for links in self._idle.values() for link in links]]:
            await link.close()
        self._idle.clear()
