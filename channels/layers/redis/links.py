"""What threads do over their connections: each thread has its own to each shard (``threadlink``)."""

import selectors
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar
from weakref import WeakSet

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis.flusher import Flusher
from channels.layers.redis.receiving import Reader, Spare, must_look_first, shuffled, take_command, unblock
from channels.layers.redis.sending import Plan, Step
from channels.layers.redis.shards import Facts, Shard
from channels.layers.redis.threadlink import Link

T = TypeVar("T")


class _Posted(NamedTuple):
    """A plan whose first step was posted, and who wants its result, or the error that it ended with."""

    plan: Plan[Any]
    step: Step
    settle: Callable[[Any], None]


class _Mine(threading.local):
    """What belongs to one thread: its links, what it posted, and which shards that still has to be written to."""

    def __init__(self) -> None:
        self.links: dict[tuple[int, str], Link] = {}
        self.posted: list[_Posted] = []
        self.unwritten: set[int] = set()


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
        self._mine = _Mine()
        self._lock = threading.Lock()
        self._all: WeakSet[Link] = WeakSet()
        self._flusher = Flusher(self._all, self._lock)

    def run(self, plan: Plan[T]) -> T:
        """Carry out ``plan`` and return its result. All shards of a step work at the same time.

        What was posted leaves in the same write as the first step, and is settled before the plan goes on.
        """
        if not self._mine.posted:
            return self._run_on(plan, None)
        try:
            step = next(plan)
        except StopIteration as end:
            result: T = end.value
            return result
        return self._run_on(plan, self._begin(step))

    def _begin(self, step: Step) -> dict[int, list[Any]]:
        posted: list[tuple[_Posted, Any]] = []
        try:
            for shard, commands in step.items():
                self._link(shard).write(commands)
                self._mine.unwritten.discard(shard)
            self.push()
            posted = self._read_posted()
            replies = {shard: self._link(shard).read_as_is(len(commands)) for shard, commands in step.items()}
        except BaseException:
            self._close_mine()  # Answers may still be under way.
            raise
        finally:
            self._hand_out(posted or self._read_posted())
        return {shard: self._link(shard).mend(commands, replies[shard]) for shard, commands in step.items()}

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
        except LayerUnavailable as error:
            settle(error)
        else:
            self._mine.posted.append(_Posted(plan, step, settle))
            self._mine.unwritten.update(step)
            self._flusher.wake()

    def push(self) -> None:
        """Write what the calling thread posted, without waiting for the answers."""
        unwritten = self._mine.unwritten
        while unwritten:
            with suppress(LayerUnavailable):  # Whoever reads the answer is told.
                self._link(unwritten.pop()).write()

    def settle(self) -> None:
        """Write what the calling thread posted, wait for the answers and hand them out."""
        if self._mine.posted:
            self.push()
            self._hand_out(self._read_posted())

    def _read_posted(self) -> list[tuple[_Posted, Any]]:
        """Read the answers to all that was posted and written; nothing may be written before they are handed out."""
        read: list[tuple[_Posted, Any]] = []
        posted, self._mine.posted = self._mine.posted, []
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
            reply = self._begin({shard: [take_command(facts, keys, limit, 0)]})[shard][0]
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
            self._mine.unwritten.clear()
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
        links = self._mine.links
        link = links.get((index, kind))
        if link is None:
            link = links[index, kind] = Link(self._shards[index])
            with self._lock:
                self._all.add(link)
        return link

    def _close_mine(self) -> None:
        for link in self._mine.links.values():
            link.close()

    def close(self) -> None:
        """Close the links of all threads; one that is used again opens again."""
        with self._lock:
            links = list(self._all)
        for link in links:
            link.close()
