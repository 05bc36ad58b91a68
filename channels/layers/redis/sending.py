"""Sending: from messages to script calls, from answers to outcomes. Makes plans (``plans``) and carries out none."""

import itertools
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from channels import counters, names
from channels.exceptions import LayerUnavailable
from channels.layers.base import BaseChannelLayer, Delivery, Outgoing
from channels.layers.batches import by_queue
from channels.layers.redis import apart, codec, scripts
from channels.layers.redis.copies import RECEIVERS_PER_ENTRY, Copier
from channels.layers.redis.groups import Groups
from channels.layers.redis.items import Item, Outcomes, Results, Todo, count_drops, report_drops, report_gone, with_sign
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, Step, merged, run_tolerantly
from channels.layers.redis.ring import Ring
from channels.layers.redis.shards import Shard
from channels.layers.redis.statistics import Tallies

logger = logging.getLogger("django.channels.layers")

ITEMS_PER_CALL = 256
BYTES_PER_CALL = 4 * 1024 * 1024
"""What one script call carries at most: the server does nothing else while it runs."""


class Sender:
    """Prepares and plans the sends of one layer.

    Args:
        layer: Whose names, capacities and times rule.
        keys: How queues and groups are named.
        ring: Where they are.
        shards: The servers; normal channels pass over those that are lost.
        coder: Encodes messages.
        groups: Ends memberships of those that are gone.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        keys: Keys,
        ring: Ring,
        shards: Sequence[Shard],
        coder: codec.Codec,
        groups: Groups,
    ) -> None:
        self._layer = layer
        self._keys = keys
        self._ring = ring
        self._shards = shards
        self._codec = coder
        self._groups = groups
        self._copier = Copier(layer, ring, self._choose_shard)
        self._turn = itertools.count()
        self._heads = {
            (is_kept, via_group): codec.make_head(coder.flags | codec.KEPT * is_kept | codec.VIA_GROUP * via_group)
            for is_kept in (False, True)
            for via_group in (False, True)
        }
        self._returns_members = ring.size > 1 or bool(layer.channel_capacity) or ring.has_durable
        self._common = (
            keys.prefix,
            round(layer.expiry * 1000),
            round(layer.group_expiry * 1000),
            layer.capacity,
            RECEIVERS_PER_ENTRY,
            int(self._returns_members),
        )

    def prepare(self, outgoing: Outgoing) -> Item:
        """Return ``outgoing`` encoded.

        Raises:
            AssertionError, MessageTooLarge, TypeError: It cannot be sent.
        """
        name, content, to_group = outgoing
        if to_group:
            names.require_group_name(name)
            rest = self._codec.encode(self._layer.require_message(content))
            return Item("g", name, "", -1, 0, rest, via_group=True)
        queue = names.non_local_name(names.require_channel_name(name))
        payload = self._codec.encode(self._layer.require_message(content))
        receivers = (name[len(queue) :],)
        rest = codec.make_rest(receivers, payload)
        kind = "s" if self._ring.is_durable(queue) else "c"
        return Item(kind, name, queue, self._choose_shard(queue), self._layer.get_capacity(queue), rest, receivers)

    def where(self, queues: Sequence[str]) -> dict[int, list[str]]:
        """Return the keys of ``queues`` by shard; messages of a normal channel may be on every shard."""
        wanted: dict[int, list[str]] = {}
        for queue in queues:
            for shard in self._ring.shards_of(queue):
                wanted.setdefault(shard, []).append(self._keys.queue(queue))
        return wanted

    def _choose_shard(self, queue: str) -> int:
        """Return the shard to send to: that of ``queue``; for a normal channel the next in turn that is not lost."""
        if self._ring.size == 1 or not self._ring.is_anywhere(queue):
            return self._ring.shard_of(queue)
        return self._first_not_lost(next(self._turn))

    def _first_not_lost(self, first: int) -> int:
        shards = [(first + number) % self._ring.size for number in range(self._ring.size)]
        return next((shard for shard in shards if not self._shards[shard].health.is_resting), shards[0])

    @property
    def has_one_place(self) -> bool:
        """Whether everything is sent to one server, whatever it is for."""
        return self._ring.size == 1 and not self._ring.group_is_one_place

    def takes_one_step(self, items: Sequence[Item]) -> bool:
        """Return whether the first step of a plan for ``items`` already sends all of them."""
        if self._returns_members and any(item.kind == "g" for item in items):
            return False
        return not self._cut(list(enumerate(items)))[1]

    def plan(self, tallies: Tallies, items: Sequence[Item]) -> Plan[Outcomes]:
        """Send ``items`` in order; returns what each came to, and counts it in ``tallies``.

        Raises:
            LayerUnavailable: None of them can have arrived.
        """
        results = Results(len(items))
        todo: Todo = list(enumerate(items))
        while todo:
            now, todo = self._cut(todo)
            if self._ring.group_is_one_place:
                now = yield from self._read_members(now, results)
            todo = (yield from self._send(now, results, tallies)) + todo
        outcomes = [results.outcome(self._layer, position, item) for position, item in enumerate(items)]
        first = outcomes[0] if outcomes else None
        if isinstance(first, LayerUnavailable) and all(isinstance(other, LayerUnavailable) for other in outcomes):
            raise first from first.__cause__
        return outcomes

    def _send(self, now: Todo, results: Results, tallies: Tallies) -> Plan[Todo]:
        """Send ``now``; return what is to be sent in addition, to other places."""
        calls: dict[int, Todo] = {}
        for position, item in now:
            if results.is_refused(item):
                results.missed[position] = 1
                continue
            for shard in self._ring.group_shards(item.name) if item.kind == "g" else (item.shard,):
                calls.setdefault(shard, []).append((position, item))
        step = {shard: [self._call(part)] for shard, part in calls.items()}
        if self._ring.group_is_one_place:
            step = {shard: [*commands, *self._ask_for_signs(calls[shard])] for shard, commands in step.items()}
        if step and tallies.is_due:
            step = merged(step, tallies.collect())
        replies, errors = yield from run_tolerantly(step)
        more: Todo = []
        gone: list[Item] = []
        for shard, part in calls.items():
            if shard in errors:
                is_all = errors.keys() >= calls.keys()
                more += self._elsewhere(part, results, errors[shard], is_all=is_all)
                continue
            expired, buried, *answers = replies[shard][0]
            if self._ring.group_is_one_place:
                gone += itertools.compress(with_sign(part), [not sign for sign in replies[shard][1:]])
            if expired or buried:
                count_drops(tallies, shard, expired, buried)
            for (position, item), answer in zip(part, answers, strict=True):
                if item.kind == "g":
                    more += self._read_group_answer(position, item, shard, answer, results, tallies)
                elif answer == 2:
                    gone.append(item)
                else:
                    tallies.add(shard, item.queue, 1 - answer, answer)
                    results.missed[position] += answer * len(item.receivers)
                    if answer and item.kind in "cs":
                        results.refused.add(item.queue)
        if gone:
            yield from self._bury(gone, tallies)
        more.sort(key=lambda one: one[0])
        return more

    def _bury(self, gone: Sequence[Item], tallies: Tallies) -> Plan[None]:
        """End the memberships of members that are gone, and remove what waits for them."""
        for item in gone:
            report_gone(item.name, len(item.receivers))
        yield from run_tolerantly(self._groups.end(gone))
        queues = {item.queue: item.shard for item in gone if item.kind == "n"}
        for queue, shard in queues.items():
            key = self._keys.queue(queue)
            notice = scripts.command(b"SET", self._keys.gone(queue), 1, b"PX", self._common[2])
            step = {shard: [scripts.command(b"LLEN", key), scripts.command(b"UNLINK", key), notice]}
            replies, _ = yield from run_tolerantly(step)
            for count, *_ in replies.values():
                tallies.add_drops(queue, "dead_process", count)
                report_drops(0, count)

    def _elsewhere(self, part: Todo, results: Results, error: LayerUnavailable, *, is_all: bool) -> Todo:
        """Return what may go to another shard instead of one that failed; note the others' failure."""
        moved: Todo = []
        for position, item in part:
            # Once each: all of them may refuse, for want of memory, and none of them be lost.
            if not error.was_asked and item.moves < self._ring.size - 1 and self._ring.is_anywhere(item.queue or "!"):
                shard = self._first_not_lost(item.shard + 1)
                if not self._shards[shard].health.is_resting:
                    moved.append((position, item._replace(shard=shard, moves=item.moves + 1)))
                    continue
            if item.kind == "m":
                counters.add("message.dropped.shard_unavailable", len(item.receivers))
                logger.warning("Group %s: %d members are out of reach: %s", item.name, len(item.receivers), error)
            elif item.kind == "g" and not is_all:
                counters.add("message.dropped.shard_unavailable")
                logger.warning("Group %s: the members on one server are out of reach: %s", item.name, error)
            else:
                results.errors[position] = error
        return moved

    def _read_group_answer(
        self, position: int, item: Item, shard: int, answer: Any, results: Results, tallies: Tallies
    ) -> Todo:
        missed, gone, returned, *queues = answer
        results.missed[position] += missed
        report_gone(item.name, gone)
        for at in range(0, len(queues), 3):
            with suppress(ValueError):  # A queue that was named by somebody else is in no statistics.
                tallies.add(shard, self._keys.shown(queues[at].decode()), queues[at + 1], queues[at + 2])
        return self._copier.copies(position, item, self._groups.read(item.name, returned))

    def _ask_for_signs(self, part: Todo) -> list[bytes]:
        """Return commands that ask, in a cluster, whether somebody reads the queues of members.

        The script does not look itself: it may be asked for keys that are on two nodes while their slot moves.
        """
        return [scripts.command(b"EXISTS", self._keys.alive(item.queue)) for item in with_sign(part)]

    def _call(self, part: Todo) -> bytes:
        items = [item for _, item in part]
        keys = [self._keys.queue(item.queue) if item.queue else self._keys.group(item.name) for item in items]
        if self._ring.has_durable:
            keys += apart.streams_of(items, self._keys)
        command = scripts.call(scripts.SEND, keys, self._arguments(items))
        if self._ring.group_is_one_place:
            return apart.Apart(command, lambda: apart.send(self._keys, items, self._arguments))
        return command

    def call_once(self, item: Item, mark: str, mark_ms: int) -> bytes:
        """Return the command that sends ``item``, to a channel, unless the key ``mark`` is there, and then sets it."""
        keys = (self._keys.queue(item.queue), *apart.streams_of([item], self._keys), mark)
        return scripts.call(scripts.SEND_ONCE, keys, (*self._arguments([item]), mark_ms))

    def _arguments(self, items: Iterable[Item]) -> list[scripts.Argument]:
        arguments: list[scripts.Argument] = list(self._common)
        for item in items:
            head = self._heads[item.kind in "sk", item.via_group]
            arguments += (f"{item.kind}{item.capacity}", head, item.rest)
        return arguments

    def _read_members(self, now: Todo, results: Results) -> Plan[Todo]:
        """Replace each message to a group, whose members are in one place, by one for each queue of its members."""
        groups = sorted({item.name for _, item in now if item.kind == "g"})
        if not groups:
            return now
        members, errors = yield from self._groups.members(groups)
        expanded: Todo = []
        for position, item in now:
            if item.kind != "g":
                expanded.append((position, item))
            elif item.name in errors:
                results.errors[position] = errors[item.name]
            else:
                expanded += self._copier.copies(position, item, members[item.name])
        return expanded

    def hand_back(self, deliveries: Sequence[Delivery]) -> Plan[list[tuple[list[Delivery], LayerUnavailable]]]:
        """Put what was taken, and not worked on, first on its queues again; return what failed, and why."""
        step: Step = {}
        parts: dict[int, list[Delivery]] = {}
        for queue, part in by_queue(deliveries).items():
            arguments: list[scripts.Argument] = [self._common[1]]
            for channels, content, via_group in part:
                rest = codec.make_rest([channel[len(queue) :] for channel in channels], self._codec.encode(content))
                arguments += (self._heads[False, via_group], rest)
            call = scripts.call(scripts.HAND_BACK, (self._keys.queue(queue),), arguments)
            shard = self._choose_shard(queue)
            step.setdefault(shard, []).append(call)
            parts.setdefault(shard, []).extend(part)
        _, errors = yield from run_tolerantly(step)
        return [(parts[shard], error) for shard, error in errors.items()]

    def _cut(self, todo: Todo) -> tuple[Todo, Todo]:
        """Return what one round of script calls carries, and what is left."""
        size = 0
        has_group = False
        for count, (_, item) in enumerate(todo):
            size += len(item.rest)
            # What members that are returned get is sent in the next round: nothing for them may come before it.
            overtakes = has_group and item.kind in "cs" and not item.queue.endswith("!")
            if count and (count == ITEMS_PER_CALL or size > BYTES_PER_CALL or overtakes):
                return todo[:count], todo[count:]
            has_group = has_group or (item.kind == "g" and self._returns_members)
        return todo, []
