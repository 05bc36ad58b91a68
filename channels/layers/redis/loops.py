"""The connections of event loops: each loop has one to each shard for commands, and some to wait on.

Sends of one loop iteration leave together: what is sent while an exchange is under way waits for the next.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from redis.exceptions import ResponseError

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis import scripts
from channels.layers.redis.receiving import Reader, Spare, must_look_first, shuffled, take_command, unblock
from channels.layers.redis.sending import Item, Plan
from channels.layers.redis.shards import (
    CONNECT_TIMEOUT,
    FOREIGN_ERRORS,
    HANDSHAKE,
    Facts,
    Shard,
    forgotten,
    read_handshake,
)

T = TypeVar("T")
Outcomes = list[Exception | None]

FINISH_SECONDS = 1.0
"""How long a cancelled receive waits for its last answer."""


@asynccontextmanager
async def time_limit(seconds: float) -> AsyncIterator[None]:
    """Raise TimeoutError inside after ``seconds``, without a task of its own."""
    task = asyncio.current_task()
    assert task is not None
    is_late = False

    def interrupt() -> None:
        nonlocal is_late
        is_late = True
        task.cancel()

    timer = asyncio.get_running_loop().call_later(seconds, interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if is_late:
            raise TimeoutError(f"no answer within {seconds:g} s") from None
        raise
    finally:
        timer.cancel()


class LoopLink:
    """One event loop's connection to one shard. Any error closes it; the next use opens it again."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self._connection: Any = None
        self._facts: Facts | None = None
        self._turn = asyncio.Lock()

    async def facts(self) -> Facts:
        """Return what is known of the server; opens the connection.

        Raises:
            LayerUnavailable: The server cannot be reached.
            UnsupportedRedis: The server cannot be used.
        """
        async with self._turn:
            return await self._ensure()

    async def _ensure(self) -> Facts:
        if self._facts is None or _is_over(self._connection):
            await self._open()
        assert self._facts is not None
        return self._facts

    async def exchange(self, commands: Sequence[bytes]) -> list[Any]:
        """Send ``commands`` in one write and return their answers; one exchange at a time.

        Raises:
            LayerUnavailable: The server was lost, or failed at one of them.
        """
        async with self._turn:
            await self._ensure()
            try:
                async with time_limit(self.shard.socket_timeout):
                    replies = await self._ask(commands)
                    if lost := forgotten(replies):
                        fresh = await self._ask([*scripts.LOAD_ALL, *[commands[position] for position in lost]])
                        for position, reply in zip(lost, fresh[len(scripts.LOAD_ALL) :], strict=True):
                            replies[position] = reply
            except BaseException as error:
                await self._fail(error)
                raise
        self.shard.check(replies)
        return replies

    async def take(self, command: bytes) -> Any:
        """Send a command that takes messages and return its answer. Not for links that others use.

        A cancellation leaves the answer on its way: ``finish`` must be called then.

        Raises:
            LayerUnavailable: The server was lost, or failed at it.
        """
        await self._ensure()
        try:
            async with time_limit(self.shard.socket_timeout):
                await self._connection.send_packed_command([command], check_health=False)
                reply = await _read_one(self._connection, disconnect_on_error=False)
                if forgotten([reply]):
                    reply = (await self._ask([*scripts.LOAD_ALL, command]))[-1]
        except asyncio.CancelledError:
            raise
        except BaseException as error:
            await self._fail(error)
            raise
        self.shard.check([reply])
        return reply

    async def finish(self) -> Any:
        """Return the answer that a cancelled ``take`` left on its way; the server was told to give it.

        Raises:
            LayerUnavailable: There is none, and the connection was closed.
        """
        if self._connection is None:
            raise self.shard.unavailable(ConnectionError("the connection was closed while it waited"))
        try:
            async with time_limit(FINISH_SECONDS):
                return await _read_one(self._connection)
        except BaseException as error:
            await self._fail(error)
            raise

    async def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._facts = self._connection, None, None
        if connection is not None:
            with suppress(*FOREIGN_ERRORS):
                await connection.disconnect()

    async def _open(self) -> None:
        await self.close()
        connection = self._connection = self.shard.open_async()
        try:
            async with time_limit(2 * CONNECT_TIMEOUT):
                await connection.connect()
                started = time.time()
                replies = await self._ask(HANDSHAKE)
            self._facts = read_handshake(replies, (started + time.time()) * 500)
        except BaseException as error:
            await self._fail(error)
            raise

    async def _ask(self, commands: Sequence[bytes]) -> list[Any]:
        connection = self._connection
        await connection.send_packed_command(commands, check_health=False)
        return [await _read_one(connection) for _ in commands]

    async def _fail(self, error: BaseException) -> None:
        connection, self._connection, self._facts = self._connection, None, None
        if connection is not None:
            with suppress(*FOREIGN_ERRORS):
                await connection.disconnect(nowait=True)
        if isinstance(error, FOREIGN_ERRORS):
            raise self.shard.unavailable(error) from error


def _is_over(connection: Any) -> bool:
    reader = connection._reader  # redis-py can tell only by reading, which could take what is not ours to take.
    return reader is None or bool(reader.at_eof())


async def _read_one(connection: Any, disconnect_on_error: bool = True) -> Any:
    try:
        return await connection.read_response(disable_decoding=True, disconnect_on_error=disconnect_on_error)
    except ResponseError as error:
        return error


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
        """Close every link that nobody waits on."""
        for link in [*self._commands, *[link for links in self._idle for link in links]]:
            await link.close()
        for links in self._idle:
            links.clear()
