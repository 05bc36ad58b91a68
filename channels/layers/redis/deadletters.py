"""Messages that were handed out as often as allowed, and never finished: counted, read, removed.

What makes a message one of them is in ``lua/durable_take.lua``.
"""

import itertools
import logging
from collections.abc import Sequence
from typing import NamedTuple

from channels.layers.redis import codec, scripts
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan
from channels.layers.redis.ring import Ring
from channels.types import Content

logger = logging.getLogger("django.channels.layers")


class DeadLetter(NamedTuple):
    """A message that was handed out as often as allowed, and never finished."""

    id: str
    content: Content
    deliveries: int


class DeadLetters:
    """Plans what concerns the dead letters of one layer.

    Args:
        keys: How channels are named.
        ring: Where they are.
        coder: Decodes messages.
    """

    def __init__(self, keys: Keys, ring: Ring, coder: codec.Codec) -> None:
        self._keys = keys
        self._ring = ring
        self._codec = coder

    def read(self, queue: str, limit: int, ids: Sequence[str] | None) -> Plan[list[DeadLetter]]:
        """Return the oldest dead letters of ``queue``, or those with these ids."""
        shard, dead = self._ring.shard_of(queue), self._keys.dead(queue)
        commands = [scripts.command(b"XRANGE", dead, b"-", b"+", b"COUNT", limit)]
        if ids is not None:
            commands = [scripts.command(b"XRANGE", dead, number, number) for number in ids]
        replies = (yield {shard: commands})[shard] if commands else []
        letters = []
        for number, fields in itertools.chain(*replies):
            try:
                _, raw, _, deliveries = fields
                entry = codec.read_entry(raw)
                content = self._codec.decode(entry.flags, entry.payload)
                letters.append(DeadLetter(number.decode(), content, int(deliveries)))
            except ValueError as error:
                logger.error("Passed over %s, which is no dead letter of %s: %s.", number.decode(), queue, error)
        return letters

    @property
    def prefix(self) -> str:
        """What the keys of dead letters begin with."""
        return f"{self._keys.prefix}:dead:"

    def count(self, queues: Sequence[str]) -> Plan[dict[str, int]]:
        """Return how many dead letters each of ``queues`` has."""
        asked: dict[int, list[str]] = {}
        for queue in queues:
            asked.setdefault(self._ring.shard_of(queue), []).append(queue)
        if not asked:
            return {}
        step = {n: [scripts.command(b"XLEN", self._keys.dead(queue)) for queue in part] for n, part in asked.items()}
        replies = yield step
        return {queue: int(count) for n, part in asked.items() for queue, count in zip(part, replies[n], strict=True)}

    def delete(self, queue: str, ids: Sequence[str] | None) -> Plan[int]:
        """Remove dead letters, all of them if ``ids`` is None; return how many."""
        shard, dead = self._ring.shard_of(queue), self._keys.dead(queue)
        if ids is None:
            replies = yield {shard: [scripts.command(b"XTRIM", dead, b"MAXLEN", 0)]}
        elif ids:
            replies = yield {shard: [scripts.command(b"XDEL", dead, *ids)]}
        else:
            return 0
        return int(replies[shard][0])
