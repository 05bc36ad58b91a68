"""The connections of threads: each thread has its own to each shard, opened when needed."""

import os
import selectors
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

from redis.exceptions import ResponseError

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis import scripts
from channels.layers.redis.receiving import Reader, Spare, must_look_first, shuffled, take_command, unblock
from channels.layers.redis.sending import Plan, Step
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
        self._unsent: list[bytes] = []
        self._awaited = 0
        self._pid = os.getpid()

    def facts(self) -> Facts:
        """Return what is known of the server; opens the connection.

        Raises:
            LayerUnavailable: The server cannot be reached.
            UnsupportedRedis: The server cannot be used.
        """
        if self._connection and not self._awaited and time.monotonic() - self._last_used > IDLE_SECONDS:
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

    def post(self, commands: Sequence[bytes]) -> None:
        """Keep ``commands`` for the next write; their answers come before those of later ones."""
        self.facts()
        self._unsent += commands

    def write(self, commands: Sequence[bytes] = ()) -> None:
        """Send what was posted, and ``commands``; the answers are then to be read."""
        self.facts()
        commands = [*self._unsent, *commands]
        if not commands:
            return
        try:
            self._connection.send_packed_command((b"".join(commands),), check_health=False)
        except BaseException as error:
            self._fail(error)
            raise
        self._unsent = []
        self._awaited += len(commands)

    def read(self, commands: Sequence[bytes]) -> list[Any]:
        """Return the answers to ``commands``, which were written before."""
        return self.mend(commands, self.read_as_is(len(commands)))

    def read_as_is(self, count: int) -> list[Any]:
        """Return the next ``count`` answers; a script that the server has forgotten is still to be mended.

        Raises:
            LayerUnavailable: The connection was lost since the commands were written.
        """
        if self._connection is None or self._awaited < count:
            raise self.shard.unavailable(ConnectionError("the connection was lost before the answer came"))
        try:
            replies = [self._read_one() for _ in range(count)]
        except BaseException as error:
            self._fail(error)
            raise
        self._awaited -= count
        self._last_used = time.monotonic()
        return replies

    def mend(self, commands: Sequence[bytes], replies: list[Any]) -> list[Any]:
        """Return ``replies`` with those of forgotten scripts replaced; no other answers may be under way."""
        if lost := forgotten(replies):
            again = [*scripts.LOAD_ALL, *(commands[position] for position in lost)]
            self.write(again)
            fresh = self.read_as_is(len(again))[len(scripts.LOAD_ALL) :]
            for position, reply in zip(lost, fresh, strict=True):
                replies[position] = reply
        self.shard.check(replies)
        return replies

    def fileno(self) -> int:
        """Return the file descriptor of the open connection, to wait for its answer."""
        number: int = self._connection._sock.fileno()
        return number

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._facts = self._connection, None, None
        self._awaited = 0
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
        self._unsent = []
        if isinstance(error, FOREIGN_ERRORS):
            raise self.shard.unavailable(error) from error

    def __del__(self) -> None:
        if self._pid == os.getpid():
            self.close()


class _Posted(NamedTuple):
    """A plan whose first step was posted, and who wants its result, or the error that it ended with."""

    plan: Plan[Any]
    step: Step
    settle: Callable[[Any], None]


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
        self.settle()
        return self._run_on(plan, None)

    def _run_on(self, plan: Plan[T], replies: dict[int, list[Any]] | None) -> T:
        try:
            step = next(plan) if replies is None else plan.send(replies)
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

    def post(self, plan: Plan[T], settle: Callable[[T | Exception], None]) -> None:
        """Begin ``plan`` with the next write of the calling thread; ``settle`` gets its result, or its error, later."""
        try:
            step = next(plan)
            for shard, commands in step.items():
                self._link(shard).post(commands)
        except StopIteration as end:
            settle(end.value)
        except Exception as error:
            settle(error)
        else:
            self._posted.append(_Posted(plan, step, settle))

    def push(self) -> None:
        """Write what the calling thread posted, without waiting for the answers."""
        for posted in self._posted:
            for shard in posted.step:
                with suppress(LayerUnavailable):  # Whoever reads the answer is told.
                    self._link(shard).write()

    def settle(self) -> None:
        """Write what the calling thread posted, wait for the answers and hand them out."""
        if self._posted:
            self.push()
            self._hand_out(self._read_posted())

    def _read_posted(self) -> list[tuple[_Posted, Any]]:
        """Read the answers to all that was posted and written; nothing may be written before they are handed out."""
        read: list[tuple[_Posted, Any]] = []
        posted, self._local.posted = self._posted, []
        for one in posted:
            try:
                replies: Any = {shard: self._link(shard).read_as_is(len(part)) for shard, part in one.step.items()}
            except LayerUnavailable as error:
                replies = error
            read.append((one, replies))
        return read

    def _hand_out(self, read: Sequence[tuple[_Posted, Any]]) -> None:
        for one, replies in read:
            try:
                if isinstance(replies, LayerUnavailable):
                    raise replies
                for shard, part in one.step.items():
                    self._link(shard).mend(part, replies[shard])
                result = self._run_on(one.plan, replies)
            except LayerUnavailable as error:
                result = error
            one.settle(result)

    @property
    def _posted(self) -> list[_Posted]:
        if not hasattr(self._local, "posted"):
            self._local.posted = []
        posted: list[_Posted] = self._local.posted
        return posted

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
                self.settle()
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
            return self._wait_on(self._link(order[0]), wanted[order[0]], limit, wait)
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

    def _wait_on(self, link: Link, keys: Sequence[str], limit: int, wait: float) -> list[Delivery]:
        """Wait on one shard. What was posted leaves in the same write, and is settled when the wait has ended."""
        facts = link.facts()
        command = take_command(facts, keys, limit, wait)
        posted: list[tuple[_Posted, Any]] = []
        try:
            link.write([command])
            posted = self._read_posted()
            reply = link.read([command])[0]
        finally:
            self._hand_out(posted or self._read_posted())
        return self._reader.read(reply, facts)

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
