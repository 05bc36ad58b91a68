"""What the members of a group get that the server does not give them by itself: a copy for each of their queues."""

from collections.abc import Callable, Iterable

from channels import names
from channels.layers.base import BaseChannelLayer
from channels.layers.redis import codec
from channels.layers.redis.items import Item, Todo
from channels.layers.redis.ring import Ring

RECEIVERS_PER_ENTRY = 500
"""A group message for more members on one queue is cut into several entries, so that none grows without limit."""

_ALONE = ("",)
"""The receivers of an entry whose queue is a channel."""


class Copier:
    """Makes copies of messages to groups.

    Args:
        layer: Whose capacities rule.
        ring: Where queues are.
        choose_shard: Returns the shard to send to.
    """

    def __init__(self, layer: BaseChannelLayer, ring: Ring, choose_shard: Callable[[str], int]) -> None:
        self._layer = layer
        self._ring = ring
        self._choose_shard = choose_shard

    def _copy_kind(self, queue: str) -> str:
        if self._ring.is_durable(queue):
            return "s"
        return "n" if self._ring.group_is_one_place else "m"

    def copies(self, position: int, item: Item, members: Iterable[str]) -> Todo:
        """Return the copies of ``item``, which is for a group, that its ``members`` are to get."""
        local_parts: dict[str, list[str]] = {}
        alone = codec.make_rest(_ALONE, item.rest)  # Made once: there may be very many of these.
        for channel in members:
            queue = names.non_local_name(channel)
            local_parts.setdefault(queue, []).append(channel[len(queue) :])
        return [
            (
                position,
                Item(
                    self._copy_kind(queue),
                    item.name,
                    queue,
                    self._choose_shard(queue),
                    self._layer.get_capacity(queue),
                    alone if receivers == _ALONE else codec.make_rest(receivers, item.rest),
                    receivers,
                    via_group=True,
                ),
            )
            for queue, parts in local_parts.items()
            for first in range(0, len(parts), RECEIVERS_PER_ENTRY)
            for receivers in (tuple(parts[first : first + RECEIVERS_PER_ENTRY]),)
        ]
