"""How threads take messages: look at several shards in turn, then wait on all of them at once."""

import selectors
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from redis.exceptions import ResponseError

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.redis import receiving
from channels.layers.redis.links import Links
from channels.layers.redis.receiving import Place, Reader, Spare, Wait, Where
from channels.layers.redis.shards import Facts
from channels.layers.redis.threadlink import Link


class _Wait(NamedTuple):
    """One command that waits: for which shard, over which link, and what is known of its server."""

    shard: int
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
            order: Sequence[Place] = receiving.servers_of(where, self._links.routes, self._links.shards)
            wait = min(end - time.monotonic(), *(self._links.shards[server].block_seconds for _, server in order))
            if wait <= 0 or len(order) > 1 or receiving.must_look_first(self._facts(order[0][1]), limit):
                taken, order = self._links.run(receiving.look(self._reader, self._facts, order, where, limit))
                if taken:
                    return taken
            if wait <= 0:
                return []
            taken = self._wait(order, where, limit, wait, waiting)
            if taken or waiting.found:
                return taken

    def _facts(self, server: int) -> Facts:
        return self._links.link(server).facts()

    def _wait(self, order: Sequence[Place], where: Where, limit: int, wait: float, along: Wait) -> list[Delivery]:
        if len(order) == 1:
            shard, server = order[0]
            link = self._links.link(server)
            facts = link.facts()
            command = receiving.take_command(facts, where[shard], limit, wait)
            plan = along.make_plan() if along.make_plan is not None else None
            guess = next(plan) if plan is not None else {}
            if plan is None or shard not in guess:  # What is guessed may be on a server that is lost.
                return self._read_take(shard, self._links.ask(link, [command])[0], facts)
            reply, *replies = self._links.ask(link, [command, *guess[shard]])
            along.found = self._links.go_on(plan, {shard: replies})
            return self._read_take(shard, reply, facts)
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
                    link.write([receiving.take_command(facts, where[shard], limit, wait)])
                except LayerUnavailable as error:  # The other shards are still worth waiting for.
                    problem = error
                    continue
                selector.register(link, selectors.EVENT_READ)
                waiting.append(_Wait(shard, link, self._links.link(server), facts))
            if not waiting and problem is not None:
                raise problem
            try:
                selector.select(wait)
            finally:
                taken, failures = self._gather(waiting)
        if len(failures) == len(waiting):
            raise failures[0]
        return taken

    def _gather(self, waiting: Sequence[_Wait]) -> tuple[list[Delivery], list[LayerUnavailable]]:
        """End the waits; return what the first that had something brought. The rest is kept for the next call."""
        taken: list[Delivery] = []
        failures: list[LayerUnavailable] = []
        for shard, link, second, facts in waiting:
            try:
                second.exchange([receiving.unblock(facts)])
                more = self._read_take(shard, link.read([b""])[0], facts)
            except LayerUnavailable as error:
                link.abandon()
                failures.append(error)
                continue
            if taken:
                self._spare.put(more)
            else:
                taken = more
        return taken, failures

    def _read_take(self, shard: int, reply: Any, facts: Facts) -> list[Delivery]:
        if isinstance(reply, ResponseError):
            self._links.routes.refused(reply)
            time.sleep(receiving.REFUSED_SECONDS)
            return []
        if self._reader.has_expired(reply, facts.clock):
            self._links.run(receiving.set_clock(self._reader, reply, facts.clock, shard))
        return self._reader.read(reply, facts.clock)
