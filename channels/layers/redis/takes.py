"""How threads take messages: look at several shards in turn, then wait on all of them at once."""

import selectors
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis.links import Links, Posted, Read
from channels.layers.redis.merging import MergedSends
from channels.layers.redis.receiving import (
    REFUSED_SECONDS,
    Reader,
    Spare,
    Wait,
    Where,
    look,
    must_look_first,
    shuffled,
    take_command,
    unblock,
)
from channels.layers.redis.shards import Facts
from channels.layers.redis.threadlink import Link


class _Wait(NamedTuple):
    """One command that waits: over which link, and what is known of its server."""

    link: Link
    second: Link
    facts: Facts


class Takes:
    """Takes messages over the links of one process.

    Args:
        links: The links.
        reader: Makes messages of answers.
        spare: Where messages go that came when nobody waited for them any more.
    """

    def __init__(self, links: Links, reader: Reader, spare: Spare) -> None:
        self._links = links
        self._reader = reader
        self._spare = spare

    def take(self, where: Where, limit: int, waiting: Wait) -> list[Delivery]:
        """Take up to ``limit`` messages of one queue, waiting for the first as long as ``waiting`` says."""
        end = time.monotonic() + waiting.seconds
        while True:
            if not self._links.routes.is_known:
                self._links.carry_out(self._links.routes.find_out())
            order = self._usable(where)
            wait = min(end - time.monotonic(), *(self._links.shards[server].block_seconds for _, server in order))
            if wait <= 0 or len(order) > 1 or must_look_first(self._links.link(order[0][1]).facts(), limit):
                taken, order = self._look(order, where, limit)
                if taken:
                    return taken
            if wait <= 0:
                return []
            taken = self._wait(order, where, limit, wait, waiting)
            if taken or waiting.found:
                return taken

    def _usable(self, where: Where) -> list[tuple[int, int]]:
        """Return the shards to take from, each with its server, in random order; lost ones if there are no others."""
        order = [(shard, self._links.routes.server_of(shard)) for shard in shuffled(where)]
        return [one for one in order if not self._links.shards[one[1]].health.is_resting] or order

    def _look(
        self, order: list[tuple[int, int]], where: Where, limit: int
    ) -> tuple[list[Delivery], list[tuple[int, int]]]:
        """Take what is there now; return it, and the shards that can be reached."""
        usable = []
        problem: LayerUnavailable | None = None
        for shard, server in order:
            try:
                if taken := self._links.run(
                    look(self._reader, self._links.link(server).facts, shard, where[shard], limit)
                ):
                    return taken, order
                usable.append((shard, server))
            except LayerUnavailable as error:  # The others are still worth a look.
                problem = error
        if problem is not None and not usable:
            raise problem
        return [], usable

    def _wait(
        self, order: Sequence[tuple[int, int]], where: Where, limit: int, wait: float, along: Wait
    ) -> list[Delivery]:
        if len(order) == 1:
            shard, server = order[0]
            link = self._links.link(server)
            facts = link.facts()
            command = take_command(facts, where[shard], limit, wait)
            if along.make_plan is None:
                return self._read_take(self._ask(link, [command])[0], facts)
            plan = along.make_plan()
            reply, *replies = self._ask(link, [command, *next(plan)[shard]])
            along.found = self._links.go_on(plan, {shard: replies})
            return self._read_take(reply, facts)
        waiting: list[_Wait] = []
        problem: LayerUnavailable | None = None
        with selectors.DefaultSelector() as selector:
            lanes: dict[int, int] = {}
            for shard, server in order:
                # A connection can wait for one shard only; the first of a server is kept to end the waits.
                lane = lanes[server] = lanes.get(server, 0) + 1
                link = self._links.link(server, lane)
                try:
                    facts = link.facts()
                    link.write([take_command(facts, where[shard], limit, wait)])
                except LayerUnavailable as error:  # The other shards are still worth waiting for.
                    problem = error
                    continue
                selector.register(link, selectors.EVENT_READ)
                waiting.append(_Wait(link, self._links.link(server), facts))
            if not waiting and problem is not None:
                raise problem
            try:
                selector.select(wait)
            finally:
                taken, failures = self._gather(waiting)
        if len(failures) == len(waiting):
            raise failures[0]
        return taken

    def _ask(self, link: Link, commands: Sequence[bytes]) -> list[Any]:
        """Return the answers to commands that wait; what was posted leaves in the same write, and is settled then."""
        posted: list[tuple[Posted | MergedSends, Read]] = []
        try:
            link.write(commands)
            self._links.push()
            posted = self._links.read_posted()
            return link.read(commands)
        finally:
            self._links.hand_out(posted or self._links.read_posted())

    def _gather(self, waiting: Sequence[_Wait]) -> tuple[list[Delivery], list[LayerUnavailable]]:
        """End the waits; return what the first that had something brought. The rest is kept for the next call."""
        taken: list[Delivery] = []
        failures: list[LayerUnavailable] = []
        for link, second, facts in waiting:
            try:
                second.exchange([unblock(facts)])
                more = self._read_take(link.read([b""])[0], facts)
            except LayerUnavailable as error:
                link.close()
                failures.append(error)
                continue
            if taken:
                self._spare.put(more)
            else:
                taken = more
        return taken, failures

    def _read_take(self, reply: Any, facts: Facts) -> list[Delivery]:
        if isinstance(reply, ResponseError):
            self._links.routes.refused(reply)
            time.sleep(REFUSED_SECONDS)
            return []
        return self._reader.read(reply, facts)
