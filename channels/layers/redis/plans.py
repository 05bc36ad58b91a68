"""What a plan is: a generator that says what to ask of which shard, and is sent the answers. Nothing here does I/O.

Threads (``links``) and event loops (``loops``) carry out the same plans. A shard is a number: a server's place in the
list of hosts or, in a cluster, a hash slot, which ``cluster_map`` turns into a server.
"""

from collections.abc import Generator, Mapping, Sequence
from typing import Any, TypeVar

from channels.exceptions import LayerUnavailable

T = TypeVar("T")

Step = dict[int, list[bytes]]
"""Shard to the commands for it."""

Replies = dict[int, list[Any]]
"""The answers to a step, in the same shape."""

Plan = Generator[Step, Replies, T]
"""Yields steps, is sent the answers, returns its result."""


class SomeUnavailable(LayerUnavailable):
    """Thrown into a plan when shards of a step failed; plans that do not mind catch it.

    Args:
        errors: What went wrong, by shard.
        replies: What the other shards answered.
    """

    def __init__(self, errors: Mapping[int, LayerUnavailable], replies: Replies) -> None:
        super().__init__("; ".join(str(error) for error in errors.values()))
        self.errors = dict(errors)
        self.replies = replies


def advance(plan: Plan[Any], replies: Replies, errors: Mapping[int, LayerUnavailable]) -> Step:
    """Tell ``plan`` what its step came to and return its next one.

    Raises:
        StopIteration: It is over; the value is its result.
        LayerUnavailable: Shards failed, and the plan cannot do without them.
    """
    if not errors:
        return plan.send(replies)
    try:
        return plan.throw(SomeUnavailable(errors, replies))
    except SomeUnavailable as failure:
        first = next(iter(failure.errors.values()))
        raise first from first.__cause__


def merged(first: Step, second: Step) -> Step:
    """Return one step of two: on each shard the commands of ``first`` come first."""
    if not second:
        return first
    return {shard: [*first.get(shard, ()), *second.get(shard, ())] for shard in {**first, **second}}


def run_tolerantly(step: Step) -> Plan[tuple[Replies, dict[int, LayerUnavailable]]]:
    """Plan: carry out ``step`` and return the answers, and what went wrong with shards that gave none."""
    if not step:
        return {}, {}
    try:
        return (yield step), {}
    except SomeUnavailable as failure:
        return failure.replies, failure.errors


def together(plans: Sequence[Plan[T]]) -> Plan[list[T]]:
    """Carry out several plans at the same time, step by step, and return what each returns."""
    results: dict[int, T] = {}
    waiting: dict[int, tuple[Plan[T], Step]] = {}
    for number, plan in enumerate(plans):
        try:
            waiting[number] = (plan, next(plan))
        except StopIteration as end:
            results[number] = end.value
    while waiting:
        step: Step = {}
        begins: dict[tuple[int, int], int] = {}
        for number, (_, part) in waiting.items():
            for shard, commands in part.items():
                begins[number, shard] = len(step.setdefault(shard, []))
                step[shard] += commands
        replies = yield step
        going_on = {}
        for number, (plan, part) in waiting.items():
            own = {shard: replies[shard][(at := begins[number, shard]) : at + len(part[shard])] for shard in part}
            try:
                going_on[number] = (plan, plan.send(own))
            except StopIteration as end:
                results[number] = end.value
        waiting = going_on
    return [results[number] for number in range(len(plans))]
