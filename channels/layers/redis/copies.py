"""What the members of a group get that the server does not give them by itself: a copy for each of their queues."""

from collections.abc import Callable, Iterable

from channels import names
from channels.layers.base import BaseChannelLayer
from channels.layers.redis import codec
from channels.layers.redis.items import Item, Todo
from channels.layers.redis.ring import Ring

RECEIVERS_PER_ENTRY = 500
"""A group message for more members on one queue is cut into several entries, so that none grows without limit."""


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
                    codec.make_rest(receivers := tuple(parts[first : first + RECEIVERS_PER_ENTRY]), item.rest),
                    receivers,
                    via_group=True,
                ),
            )
            for queue, parts in local_parts.items()
            for first in range(0, len(parts), RECEIVERS_PER_ENTRY)
        ]
