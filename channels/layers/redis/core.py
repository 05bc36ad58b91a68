"""What every method of a Redis layer needs: what belongs to its process and event loop, and how servers are asked."""

import asyncio
import functools
from collections.abc import Callable, Sequence
from typing import TypeVar

from channels.layers.base import BaseChannelLayer
from channels.layers.redis.alive import Heartbeat
from channels.layers.redis.durable import Durable
from channels.layers.redis.loops import LoopLinks
from channels.layers.redis.plans import Plan
from channels.layers.redis.process import Parts, Process, forks
from channels.layers.redis.sending import Sender
from channels.layers.redis.shards import Shard

T = TypeVar("T")


class LayerCore(BaseChannelLayer):
    """Base of the parts of the layer, which sets these attributes when it is made."""

    shards: Sequence[Shard]
    _parts: Parts
    _process: Process
    _sender: Sender
    _durable: Durable

    @property
    def _mine(self) -> Process:
        """What belongs to the calling process."""
        if self._process.generation != forks.count:
            with forks.lock:  # Threads that begin together must not have one each.
                if self._process.generation != forks.count:
                    self._process = Process(self._parts, self._process)
        return self._process

    @property
    def _loop(self) -> LoopLinks:
        """What belongs to the running event loop."""
        loop, mine = asyncio.get_running_loop(), self._mine
        if loop not in mine.loops:
            for closed in [other for other in list(mine.loops) if other.is_closed()]:
                mine.loops.pop(closed, None)
            plan = functools.partial(self._sender.plan, mine.tallies)
            parts = self._parts
            mine.loops[loop] = LoopLinks(
                self.shards, parts.routes, mine.reader, mine.spare, plan, Heartbeat(parts.signs)
            )
        return mine.loops[loop]

    def _run(self, plan: Plan[T]) -> T:
        return self._mine.links.run(plan)

    def _post(self, plan: Plan[T], settle: Callable[[T | Exception], None]) -> None:
        self._mine.links.post(plan, settle)

    async def _arun(self, plan: Plan[T]) -> T:
        return await self._loop.run(plan)

    def _holders(self) -> Sequence[Shard]:
        """Return the servers that keys may be on."""
        return self.shards
