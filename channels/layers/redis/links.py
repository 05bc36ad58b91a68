"""The connections of threads: each thread has its own to each shard, opened when needed."""

import os
import selectors
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from weakref import WeakSet

from redis.exceptions import ResponseError

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis import scripts
from channels.layers.redis.receiving import Reader, Spare, must_look_first, shuffled, take_command, unblock
from channels.layers.redis.sending import Plan
from channels.layers.redis.shards import FOREIGN_ERRORS, HANDSHAKE, Facts, Shard, forgotten, read_handshake

T = TypeVar("T")

IDLE_SECONDS = 1.0
"""A connection unused for longer is looked at before it is used: the server may have gone meanwhile."""


class Link:
    """One thread's connection to one shard.

    Any error closes it, because an answer may still be under way; the next use opens it again.
    """

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self._connection: Any = None
        self._facts: Facts | None = None
        self._last_used = 0.0
        self._pid = os.getpid()

    def facts(self) -> Facts:
        """Return what is known of the server; opens the connection.

        Raises:
            LayerUnavailable: The server cannot be reached.
            UnsupportedRedis: The server cannot be used.
        """
        if self._connection is not None and time.monotonic() - self._last_used > IDLE_SECONDS:
            self._close_if_stale()
        if self._connection is None or self._facts is None:
            self._open()
        assert self._facts is not None
        return self._facts

    def exchange(self, commands: Sequence[bytes]) -> list[Any]:
        """Send ``commands`` in one write and return their answers.

        Raises:
            LayerUnavailable: The server was lost, or failed at one of them.
        """
        self.write(commands)
        return self.read(commands)

    def write(self, commands: Sequence[bytes]) -> None:
        """Send ``commands``, whose answers are then to be ``read``."""
        self.facts()
        try:
            self._connection.send_packed_command((b"".join(commands),), check_health=False)
        except BaseException as error:
            self._fail(error)
            raise

    def read(self, commands: Sequence[bytes]) -> list[Any]:
        """Return the answers to ``commands``, which were written before."""
        try:
            replies = [self._read_one() for _ in commands]
            if lost := forgotten(replies):
                again = [commands[position] for position in lost]
                self._connection.send_packed_command((b"".join([*scripts.LOAD_ALL, *again]),), check_health=False)
                fresh = [self._read_one() for _ in [*scripts.LOAD_ALL, *again]][len(scripts.LOAD_ALL) :]
                for position, reply in zip(lost, fresh, strict=True):
                    replies[position] = reply
        except BaseException as error:
            self._fail(error)
            raise
        self._last_used = time.monotonic()
        self.shard.check(replies)
        return replies

    def fileno(self) -> int:
        """Return the file descriptor of the open connection, to wait for its answer."""
        number: int = self._connection._sock.fileno()
        return number

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._facts = self._connection, None, None
        if connection is not None:
            connection.disconnect()

    def _open(self) -> None:
        self.close()
        connection = self._connection = self.shard.open()
        try:
            connection.connect()
            started = time.time()
            connection.send_packed_command((b"".join(HANDSHAKE),), check_health=False)
            replies = [self._read_one() for _ in HANDSHAKE]
        except BaseException as error:
            self._fail(error)
            raise
        self._last_used = time.monotonic()
        try:
            self._facts = read_handshake(replies, (started + time.time()) * 500)
        except BaseException:
            self.close()
            raise

    def _read_one(self) -> Any:
        try:
            return self._connection.read_response(disable_decoding=True)
        except ResponseError as error:
            return error

    def _close_if_stale(self) -> None:
        try:
            is_stale = self._connection.can_read(0)  # Nothing was asked, so what can be read is the end.
        except FOREIGN_ERRORS:
            is_stale = True
        if is_stale:
            self.close()

    def _fail(self, error: BaseException) -> None:
        self.close()
        if isinstance(error, FOREIGN_ERRORS):
            raise self.shard.unavailable(error) from error

    def __del__(self) -> None:
        if self._pid == os.getpid():
            self.close()


class Links:
    """The links of one process, by thread and shard, and what is done over them.

    Args:
        shards: The servers.
        reader: Makes messages of answers.
        spare: Where messages go that came when nobody waited for them any more.
    """

    def __init__(self, shards: Sequence[Shard], reader: Reader, spare: Spare) -> None:
        self._shards = shards
        self._reader = reader
        self._spare = spare
        self._local = threading.local()
        self._lock = threading.Lock()
        self._all: WeakSet[Link] = WeakSet()

    def run(self, plan: Plan[T]) -> T:
        """Carry out ``plan`` and return its result. All shards of a step work at the same time."""
        try:
            step = next(plan)
            while True:
                for shard, commands in step.items():
                    self._link(shard).write(commands)
                step = plan.send({shard: self._link(shard).read(commands) for shard, commands in step.items()})
        except StopIteration as end:
            result: T = end.value
            return result
        except BaseException:
            self._close_mine()  # Answers may still be under way.
            raise

    def take(self, wanted: Mapping[int, Sequence[str]], limit: int, timeout: float) -> list[Delivery]:
        """Take up to ``limit`` messages of one queue, waiting up to ``timeout`` seconds for the first.

        Args:
            wanted: Keys of queues, by shard.
        """
        end = time.monotonic() + timeout
        order = shuffled(wanted)
        while True:
            wait = min(end - time.monotonic(), *(self._shards[shard].block_seconds for shard in order))
            if wait <= 0 or len(order) > 1 or must_look_first(self._link(order[0]).facts(), limit):
                for shard in order:
                    if taken := self._look(shard, wanted[shard], limit):
                        return taken
            if wait <= 0:
                return []
            if taken := self._wait(order, wanted, limit, wait):
                return taken

    def _look(self, shard: int, keys: Sequence[str], limit: int) -> list[Delivery]:
        link = self._link(shard)
        while True:
            facts = link.facts()
            reply = link.exchange([take_command(facts, keys, limit, 0)])[0]
            taken = self._reader.read(reply, facts)
            if taken or not reply:
                return taken

    def _wait(
        self, order: Sequence[int], wanted: Mapping[int, Sequence[str]], limit: int, wait: float
    ) -> list[Delivery]:
        if len(order) == 1:
            link = self._link(order[0])
            facts = link.facts()
            return self._reader.read(link.exchange([take_command(facts, wanted[order[0]], limit, wait)])[0], facts)
        waiting: dict[int, Facts] = {}
        problem: LayerUnavailable | None = None
        with selectors.DefaultSelector() as selector:
            for shard in order:
                link = self._link(shard)
                try:
                    facts = link.facts()
                    link.write([take_command(facts, wanted[shard], limit, wait)])
                except LayerUnavailable as error:  # The other shards are still worth waiting for.
                    problem = error
                    continue
                selector.register(link, selectors.EVENT_READ)
                waiting[shard] = facts
            try:
                if waiting:
                    selector.select(wait)
            finally:
                taken, failure = self._gather(waiting)
        problem = problem or failure
        if problem is not None and not taken:
            raise problem
        return taken

    def _gather(self, waiting: Mapping[int, Facts]) -> tuple[list[Delivery], LayerUnavailable | None]:
        """End the waits; return what the first that had something brought. The rest is kept for the next call."""
        taken: list[Delivery] = []
        problem: LayerUnavailable | None = None
        for shard, facts in waiting.items():
            link = self._link(shard)
            try:
                self._link(shard, "second").exchange([unblock(facts)])
                more = self._reader.read(link.read([b""])[0], facts)
            except LayerUnavailable as error:
                link.close()
                problem = error
                continue
            if taken:
                self._spare.put(more)
            else:
                taken = more
        return taken, problem

    def _link(self, index: int, kind: str = "first") -> Link:
        """Return a link of the calling thread; the second is for use while the first one waits."""
        links: dict[tuple[int, str], Link] | None = getattr(self._local, "links", None)
        if links is None:
            links = self._local.links = {}
        link = links.get((index, kind))
        if link is None:
            link = links[index, kind] = Link(self._shards[index])
            with self._lock:
                self._all.add(link)
        return link

    def _close_mine(self) -> None:
        for link in getattr(self._local, "links", {}).values():
            link.close()

    def close(self) -> None:
        """Close the links of all threads; one that is used again opens again."""
        with self._lock:
            links = list(self._all)
        for link in links:
            link.close()
