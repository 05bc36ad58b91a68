"""The layer's methods that send. A part of the layer, for its length; how messages leave is decided in ``sending``."""

import functools
from collections.abc import Callable, Sequence

from channels.layers.base import Outgoing
from channels.layers.redis.core import LayerCore
from channels.layers.redis.items import Outcomes, Prepared
from channels.types import Content


class SendingMethods(LayerCore):
    """How a Redis layer sends, for threads and event loops."""

    def send(self, channel: str, message: Content) -> None:
        self._send_one(Outgoing(channel, message))

    def send_group(self, group: str, message: Content) -> None:
        self._send_one(Outgoing(group, message, to_group=True))

    def _send_one(self, outgoing: Outgoing) -> None:
        mine = self._mine
        outcome = mine.links.run(self._sender.plan(mine.tallies, [self._sender.prepare(outgoing)]))[0]
        if outcome is not None:
            raise outcome

    def send_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        prepared = Prepared(self._sender.prepare, batch)
        mine = self._mine
        return prepared.merge(mine.links.run(self._sender.plan(mine.tallies, prepared.items)))

    def post_batch(self, batch: Sequence[Outgoing], settle: Callable[[Outcomes], None]) -> None:
        prepared = Prepared(self._sender.prepare, batch)
        items = prepared.items

        def settle_all(result: Outcomes | Exception) -> None:
            outcomes: Outcomes = [result] * len(items) if isinstance(result, Exception) else result
            settle(prepared.merge(outcomes))

        mine = self._mine
        plan = functools.partial(self._sender.plan, mine.tallies)
        is_one_step = self._sender.takes_one_step(items)
        if items and is_one_step and self._sender.has_one_place:
            mine.links.post_sends(0, plan, items, settle_all)
            return
        mine.links.post(plan(items), settle_all)
        if not is_one_step:  # The second step would wait for what the thread asks next.
            mine.links.settle()

    def push(self, wait: bool = False) -> None:
        links = self._mine.links
        if wait:
            links.settle()
        else:
            links.push()

    def push_soon(self) -> None:
        self._mine.links.push_soon()

    async def asend(self, channel: str, message: Content) -> None:
        await self._asend_one(Outgoing(channel, message))

    async def asend_group(self, group: str, message: Content) -> None:
        await self._asend_one(Outgoing(group, message, to_group=True))

    async def _asend_one(self, outgoing: Outgoing) -> None:
        outcome = (await self._loop.outbox.put([self._sender.prepare(outgoing)]))[0]
        if outcome is not None:
            raise outcome

    async def asend_batch(self, batch: Sequence[Outgoing]) -> Outcomes:
        prepared = Prepared(self._sender.prepare, batch)
        return prepared.merge(await self._loop.outbox.put(prepared.items))
