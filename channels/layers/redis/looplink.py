"""One event loop's connection to one shard: exchanges, reads that wait, and the end of a wait that was cancelled."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from redis.exceptions import ResponseError

from channels.layers.redis import scripts
from channels.layers.redis.shards import (
    FOREIGN_ERRORS,
    HANDSHAKE,
    Facts,
    Moment,
    Shard,
    forgotten,
    read_handshake,
)

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
            if hasattr(task, "uncancel"):  # Python 3.11 counts; this cancellation was ours and ends here.
                task.uncancel()
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

    @property
    def known(self) -> Facts:
        """What is known of a server that has answered.

        Raises:
            LayerUnavailable: It was lost meanwhile.
        """
        if self._facts is None:
            raise self.shard.unavailable(ConnectionError("the connection was lost before the answer was read"))
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
        patience = self.shard.begin_attempt()
        connection = self._connection = self.shard.open_async()
        try:
            async with time_limit(patience or self.shard.socket_timeout):
                await connection.connect()
                replies = await self._ask(HANDSHAKE)
            self._facts = read_handshake(replies, Moment.now(), self.shard.clock)
        except BaseException as error:
            await self._fail(error, was_open=False)
            raise

    async def _ask(self, commands: Sequence[bytes]) -> list[Any]:
        connection = self._connection
        await connection.send_packed_command(commands, check_health=False)
        replies = [await _read_one(connection) for _ in commands]
        self.shard.health.recovered()
        return replies

    async def _fail(self, error: BaseException, was_open: bool = True) -> None:
        connection, self._connection, self._facts = self._connection, None, None
        if connection is not None:
            with suppress(*FOREIGN_ERRORS):
                await connection.disconnect(nowait=True)
        if isinstance(error, FOREIGN_ERRORS):
            raise self.shard.unavailable(error, was_open) from error


def _is_over(connection: Any) -> bool:
    # redis-py can tell only by reading, which could take what is not ours to take.
    reader, writer = connection._reader, connection._writer
    # uvloop raises RuntimeError where something is written to a connection that was lost at this moment.
    return reader is None or writer is None or bool(reader.at_eof()) or bool(writer.is_closing())


async def _read_one(connection: Any, disconnect_on_error: bool = True) -> Any:
    try:
        return await connection.read_response(disable_decoding=True, disconnect_on_error=disconnect_on_error)
    except ResponseError as error:
        return error
