"""What threads do over their connections: each thread has its own to each server (``threadlink``)."""

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, NamedTuple, TypeVar, cast
from weakref import WeakSet

from channels.exceptions import LayerUnavailable
from channels.layers.redis.flusher import Flusher
from channels.layers.redis.items import Item
from channels.layers.redis.merging import MakePlan, MergedSends, Settle
from channels.layers.redis.plans import Plan, Replies, Step, advance
from channels.layers.redis.routes import Routes
from channels.layers.redis.shards import Shard
from channels.layers.redis.threadlink import Link

T = TypeVar("T")
Errors = dict[int, LayerUnavailable]


class Posted(NamedTuple):
    """A plan whose first step was posted, and who wants its result, or the error that it ended with."""

    plan: Plan[Any]
    step: Step
    errors: "Errors"
    settle: Callable[[Any], None]


class Read(NamedTuple):
    """What came of a step: answers as they are, and errors, by server."""

    replies: Replies
    errors: Errors


class _Mine(threading.local):
    """What belongs to one thread: its links, what it posted, and which servers that still has to be written to."""

    def __init__(self) -> None:
        self.links: dict[tuple[int, int], Link] = {}
        self.posted: list[Posted | MergedSends] = []
        self.unwritten: set[int] = set()


class Links:
    """The links of one process, by thread and server, and what is done over them.

    Args:
        shards: The servers.
        routes: Where the shards of plans are.
    """

    def __init__(self, shards: Sequence[Shard], routes: Routes) -> None:
        self.shards = shards
        self.routes = routes
        self._mine = _Mine()
        self._lock = threading.Lock()
        self._all: WeakSet[Link] = WeakSet()
        self._flusher = Flusher(self._all, self._lock)

    def run(self, plan: Plan[T]) -> T:
        """Carry out ``plan`` and return its result. All servers of a step work at the same time.

        What was posted leaves in the same write as the first step, and is settled before the plan goes on.
        """
        return self.carry_out(self.routes.route(plan))

    def carry_out(self, plan: Plan[T]) -> T:
        """``run`` for a plan that names servers."""
        try:
            step = next(plan)
        except StopIteration as end:
            return cast(T, end.value)
        return self.go_on(plan, *self._exchange(step))

    def go_on(
        self, plan: Plan[T], replies: Replies, errors: Mapping[int, LayerUnavailable] = MappingProxyType({})
    ) -> T:
        """``carry_out`` for a plan whose first step was carried out already, and came to this."""
        try:
            step = advance(plan, replies, errors)
            while True:
                step = advance(plan, *self._exchange(step))
        except StopIteration as end:
            return cast(T, end.value)

    def _exchange(self, step: Step) -> Read:
        """Carry out ``step``; what was posted leaves with it."""
        if len(step) == 1 and not self._mine.posted:
            ((server, commands),) = step.items()
            try:
                return Read({server: self.link(server).exchange(commands)}, {})
            except LayerUnavailable as error:
                return Read({}, {server: error})
        posted: list[tuple[Posted | MergedSends, Read]] = []
        errors: Errors = {}
        try:
            for server, commands in step.items():
                try:
                    self.link(server).write(commands)
                    self._mine.unwritten.discard(server)
                except LayerUnavailable as error:
                    errors[server] = error
            self.push()
            posted = self.read_posted()
            read = self._read_step(step, errors)
        except BaseException:
            self._close_mine()  # Answers may still be under way.
            raise
        finally:
            self.hand_out(posted or self.read_posted())
        return self._mend(step, read)

    def _read_step(self, step: Step, errors: Errors) -> Read:
        """Read the answers to ``step``, which was written before; all of them, also when one server fails.

        Args:
            errors: Of the servers that it could not be written to.
        """
        read = Read({}, dict(errors))
        for server, commands in step.items():
            if server in errors:
                continue
            try:
                read.replies[server] = self.link(server).read_as_is(len(commands))
            except LayerUnavailable as error:
                read.errors[server] = error
        return read

    def _mend(self, step: Step, read: Read) -> Read:
        """Ask again where scripts were forgotten, and tell errors from answers. Nothing else may be under way."""
        mended = Read({}, dict(read.errors))
        for server, replies in read.replies.items():
            try:
                mended.replies[server] = self.link(server).mend(step[server], replies)
            except LayerUnavailable as error:
                mended.errors[server] = error
        return mended

    def post(self, plan: Plan[T], settle: Callable[[T | Exception], None]) -> None:
        """Begin ``plan`` with the next write of the calling thread; ``settle`` gets its result, or its error, later."""
        try:
            if not self.routes.is_known:
                self.carry_out(self.routes.find_out())
            plan = self.routes.route(plan)
            step = next(plan)
        except StopIteration as end:
            settle(end.value)
        except LayerUnavailable as error:
            settle(error)
        else:
            errors: Errors = {}
            for server, commands in step.items():
                try:
                    self.link(server).post(commands)
                    self._mine.unwritten.add(server)
                except LayerUnavailable as error:  # The plan is told when the others have answered.
                    errors[server] = error
            self._mine.posted.append(Posted(plan, step, errors, settle))

    def post_sends(self, server: int, plan: MakePlan, items: Sequence[Item], settle: Settle) -> None:
        """Send ``items`` with the next write of the calling thread, in one call with what was posted just before.

        Args:
            server: Where to; all that ``plan`` makes goes there in its first step.
            plan: Makes the plan that sends items.
            items: The messages.
            settle: Gets what they came to, or the error, later.
        """
        posted = self._mine.posted
        if posted and isinstance(posted[-1], MergedSends) and posted[-1].add(items, settle):
            return
        sends = MergedSends(plan)
        sends.add(items, settle)
        try:
            self.link(server).post([sends])
        except LayerUnavailable as error:
            settle(error)
        else:
            self._mine.unwritten.add(server)
            self._mine.posted.append(sends)

    def push_soon(self) -> None:
        """Let another thread write what the calling one posted, if it does not do so itself in time."""
        if self._mine.unwritten:
            self._flusher.wake()

    def ask(self, link: Link, commands: Sequence[bytes]) -> list[Any]:
        """Return the answers to commands that wait; what was posted leaves in the same write, and is settled then."""
        if not self._mine.posted:
            return link.exchange(commands)
        posted: list[tuple[Posted | MergedSends, Read]] = []
        try:
            try:
                link.write(commands)
            finally:
                self.push()  # Also to other servers, if this one is lost: what they answer is read below.
            posted = self.read_posted()
            return link.read(commands)
        except LayerUnavailable:
            raise
        except BaseException:
            self._close_mine()
            raise
        finally:
            self.hand_out(posted or self.read_posted())

    def push(self) -> None:
        """Write what the calling thread posted, without waiting for the answers."""
        unwritten = self._mine.unwritten
        while unwritten:
            with suppress(LayerUnavailable):  # Whoever reads the answer is told.
                self.link(unwritten.pop()).write()

    def settle(self) -> None:
        """Write what the calling thread posted, wait for the answers and hand them out."""
        if self._mine.posted:
            self.push()
            self.hand_out(self.read_posted())

    def read_posted(self) -> list[tuple[Posted | MergedSends, Read]]:
        """Read the answers to all that was posted and written; nothing may be written before they are handed out."""
        posted, self._mine.posted = self._mine.posted, []
        return [(one, self._read_step(one.step, one.errors)) for one in posted]

    def hand_out(self, posted: Sequence[tuple[Posted | MergedSends, Read]]) -> None:
        """Carry on with what was posted, and tell those who did what it came to."""
        for one, read in posted:
            try:
                result = self.go_on(one.plan, *self._mend(one.step, read))
            except LayerUnavailable as error:
                result = error
            one.settle(result)

    def link(self, server: int, lane: int = 0) -> Link:
        """Return a link of the calling thread; those with a lane are for use while the first one waits."""
        links = self._mine.links
        link = links.get((server, lane))
        if link is None:
            link = links[server, lane] = Link(self.shards[server])
            with self._lock:
                self._all.add(link)
        return link

    def _close_mine(self) -> None:
        for link in self._mine.links.values():
            link.abandon()

    def close(self) -> None:
        """Close the links of all threads; one that is used again opens again."""
        with self._lock:
            links = list(self._all)
        for link in links:
            link.close()
