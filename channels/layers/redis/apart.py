"""What a script does to several keys of a channel, done one key after the other.

While a slot of a cluster moves its keys are on two nodes, or missing, and a node refuses what needs several of them. A
command that needs one key is always carried out, by one node or the other. Nothing here talks to a server.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from channels.layers.redis import codec, scripts
from channels.layers.redis.items import Item
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan

WEEK_MS = 604_800_000
"""How long tickets live, as in ``lua/send.lua``."""


class Apart(bytes):
    """A command that can also be done one key after the other.

    Args:
        command: It.
        pieces: Returns the plan that does so; its result is what the command would have been answered.
    """

    pieces: Callable[[], Plan[Any]]

    def __new__(cls, command: bytes, pieces: Callable[[], Plan[Any]]) -> "Apart":
        self = super().__new__(cls, command)
        self.pieces = pieces
        return self


def streams_of(items: Iterable[Item], keys: Keys) -> list[str]:
    """Return the keys that ``items`` need beside those of their queues."""
    return [keys.stream(queue) for queue in {item.queue for item in items if item.kind == "s"}]


def send(keys: Keys, items: Sequence[Item], arguments: Callable[[Iterable[Item]], list[scripts.Argument]]) -> Plan[Any]:
    """Do what ``lua/send.lua`` does with ``items``, for one queue after the other.

    Args:
        keys: How queues are named.
        items: Messages to channels.
        arguments: Returns those of the script.
    """
    expired = buried = 0
    slot = items[0].shard
    answers: list[int] = [0] * len(items)
    for queue in dict.fromkeys(item.queue for item in items):
        part = [(position, item) for position, item in enumerate(items) if item.queue == queue]
        is_durable = part[0][1].kind == "s"
        key = keys.stream(queue) if is_durable else keys.queue(queue)
        own = [item._replace(kind="k") if is_durable else item for _, item in part]
        replies = yield {slot: [scripts.call(scripts.SEND, [key] * len(own), arguments(own))]}
        more_expired, more_buried, *found = replies[slot][0]
        expired, buried = expired + more_expired, buried + more_buried
        for (position, _), answer in zip(part, found, strict=True):
            answers[position] = answer
        if is_durable:
            yield {slot: [_put_ticket(keys, queue)]}
    return [expired, buried, *answers]


def take(keys: Keys, slot: int, queue: str, limit: int, idle_ms: int, most: int) -> Plan[Any]:
    """Do what ``lua/durable_take.lua`` does; whatever is to become a dead letter waits for the end of the move.

    Args:
        keys: How queues are named.
        slot: Where they are.
        queue: Whose messages.
        limit: How many at most.
        idle_ms: After how many milliseconds one that was handed out counts as lost; 0 does not look.
        most: How often one is handed out.
    """
    replies = yield {slot: [scripts.command(b"LPOP", keys.returned(queue), limit)]}
    arguments = (limit, idle_ms, most, 0, 0, *(replies[slot][0] or ()))
    replies = yield {slot: [scripts.call(scripts.DURABLE_TAKE, [keys.stream(queue)], arguments)]}
    answer = replies[slot][0]
    # What was handed back, and then lost, must not be handed out a second time.
    commands = [
        scripts.command(b"LREM", keys.returned(queue), 0, number) for number, _, count in answer[1:] if count > 1
    ]
    if len(answer) > limit:
        commands.append(_put_ticket(keys, queue))
    if commands:
        yield {slot: commands}
    return answer


def _put_ticket(keys: Keys, queue: str) -> bytes:
    return scripts.call(scripts.TICKET, [keys.queue(queue)], (codec.TICKET_ENTRY, WEEK_MS))
