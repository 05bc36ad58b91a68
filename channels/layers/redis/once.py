"""Sends that may be tried again: the once extension. Marks are told at the head of ``lua/send_once.lua``.

A mark is on the shard of its message, so a message to a channel that may be on any shard has a place by its mark, and
waits while that one is lost: elsewhere nobody would know whether it was sent.
"""

from collections.abc import Callable, Sequence
from typing import Any

from channels import names
from channels.layers.base import BaseChannelLayer
from channels.layers.once import Marked
from channels.layers.redis import scripts
from channels.layers.redis.items import Item, Outcomes, Prepared, Results, count_drops
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, Step, run_tolerantly
from channels.layers.redis.process import Process
from channels.layers.redis.ring import Ring
from channels.layers.redis.sending import ITEMS_PER_CALL, Sender
from channels.layers.redis.statistics import Tallies
from channels.types import Content


class RedisOnce:
    """The once extension of one layer.

    Args:
        layer: Whose it is.
        run: Carries out a plan.
        process: Returns what the layer keeps for the calling process.
        sender: Prepares and counts sends.
        keys: How marks are named.
        ring: On which shard a channel or a mark lives.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        run: Callable[[Plan[Any]], Any],
        process: Callable[[], Process],
        sender: Sender,
        keys: Keys,
        ring: Ring,
    ) -> None:
        self._layer = layer
        self._run = run
        self._process = process
        self._sender = sender
        self._keys = keys
        self._ring = ring

    def send(self, batch: Sequence[Marked], seconds: float) -> Outcomes:
        """Send those whose mark is not known, in one write to each server."""
        outcomes: Outcomes = []
        for first in range(0, len(batch), ITEMS_PER_CALL):
            outcomes += self._run(self._send(batch[first : first + ITEMS_PER_CALL], round(seconds * 1000)))
        return outcomes

    def keep(self, batch: Sequence[Marked], seconds: float) -> None:
        """Set the time that marks live."""
        self._run(self._keep(batch, round(seconds * 1000)))

    def identify(self, content: Content) -> str | None:
        """Return the place of a message in the stream of its channel."""
        receipt = self._process().in_hand.find(content)
        return None if receipt is None else f"{receipt.shard}:{receipt.queue}:{receipt.id.decode()}"

    def _send(self, batch: Sequence[Marked], mark_ms: int) -> Plan[Outcomes]:
        prepared = Prepared(self._sender.prepare, [outgoing for outgoing, _ in batch]).all
        outcomes: Outcomes = [one if isinstance(one, Exception) else None for one in prepared]
        sent: dict[int, list[tuple[int, Item]]] = {}
        step: Step = {}
        for position, (item, (_, mark)) in enumerate(zip(prepared, batch, strict=True)):
            if isinstance(item, Item):
                shard, key = self._place(item.queue, mark)
                sent.setdefault(shard, []).append((position, item._replace(shard=shard)))
                step.setdefault(shard, []).append(self._sender.call_once(item, key, mark_ms))
        replies, errors = yield from run_tolerantly(step)
        tallies = self._process().tallies
        for shard, part in sent.items():
            for number, (position, item) in enumerate(part):
                outcomes[position] = errors.get(shard) or self._settle(tallies, item, replies[shard][number])
        if tallies.is_due:
            yield from run_tolerantly(tallies.collect())
        return outcomes

    def _settle(self, tallies: Tallies, item: Item, reply: Sequence[int]) -> Exception | None:
        """Count what the answer to one call says, and return it; None if the message was sent now or before."""
        if len(reply) == 1:
            return None
        expired, buried, is_full = reply
        count_drops(tallies, item.shard, expired, buried)
        tallies.add(item.shard, item.queue, 1 - is_full, is_full)
        results = Results(1)
        results.missed[0] = is_full
        return results.outcome(self._layer, 0, item)

    def _keep(self, batch: Sequence[Marked], mark_ms: int) -> Plan[None]:
        step: Step = {}
        for outgoing, mark in batch:
            shard, key = self._place(names.non_local_name(outgoing.name), mark)
            step.setdefault(shard, []).append(scripts.command(b"PEXPIRE", key, mark_ms))
        yield from run_tolerantly(step)

    def _place(self, queue: str, mark: str) -> tuple[int, str]:
        """Return the shard of a mark of a message on ``queue``, and its key."""
        shard = self._ring.shard_of(mark if self._ring.is_anywhere(queue) else queue)
        return shard, self._keys.mark(queue, mark)
