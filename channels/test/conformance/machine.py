"""Conformance: a model of a layer in a few lines, and a machine that does the same to both. Needs hypothesis."""

from collections import deque
from typing import Any, NamedTuple

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from channels.exceptions import ChannelFull
from channels.layers.base import Outgoing
from channels.names import non_local_name

CAPACITY = 3

EXPIRY = 1000
GROUP_EXPIRY = 4000
"""Seconds; so many that the time which the test itself takes does not matter."""

CHANNELS = ["a?x", "b?y", "p!1", "p!2", "q!1"]
GROUPS = ["g", "h"]


class Entry(NamedTuple):
    """A message in a queue of the model."""

    until: float
    receivers: list[str]
    number: int


class LayerMachine(RuleBasedStateMachine):
    """Does the same to a layer and to a model, and compares what comes out. Subclasses give the layer."""

    has_clock = False
    """Whether time can be made to pass."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = self.make_layer(capacity=CAPACITY, expiry=EXPIRY, group_expiry=GROUP_EXPIRY)
        self.layer.flush()  # Each run begins anew, also where layers share a server.
        self.now = 0.0
        self.number = 0
        self.queues: dict[str, deque[Entry]] = {non_local_name(channel): deque() for channel in CHANNELS}
        self.groups: dict[str, dict[str, float]] = {group: {} for group in GROUPS}

    def make_layer(self, **config: Any) -> Any:
        """Return an empty layer."""
        raise NotImplementedError

    def pass_time(self, seconds: float) -> None:
        """Let ``seconds`` go by for the layer."""

    def release_layer(self) -> None:
        """Release what the layer holds."""

    def teardown(self) -> None:
        """End one run."""
        self.release_layer()

    def put(self, receivers: list[str]) -> bool:
        """Put the next message into the model and return whether it fits."""
        entries = self.queues[non_local_name(receivers[0])]
        if len(entries) < CAPACITY:
            entries.append(Entry(self.now + EXPIRY, receivers, self.number))
            return True
        return False

    def compare_batch(self, queue: str, limit: int) -> None:
        """Take a batch from both."""
        entries = self.queues[queue]
        expected = [entries.popleft() for _ in range(min(limit, len(entries)))]
        taken = [(sorted(d.channels), d.content["n"]) for d in self.layer.receive_batch([queue], limit)]
        assert taken == [(sorted(entry.receivers), entry.number) for entry in expected]

    @rule(channel=st.sampled_from(CHANNELS), in_batch=st.booleans())
    def send(self, channel: str, in_batch: bool) -> None:
        """A send is refused if the model is full, and only then."""
        self.number += 1
        content = {"n": self.number}
        if in_batch:
            (error,) = self.layer.send_batch([Outgoing(channel, content)])
        else:
            try:
                error = self.layer.send(channel, content)
            except ChannelFull as full:
                error = full
        assert isinstance(error, ChannelFull | None)
        assert (error is None) == self.put([channel])

    @rule(group=st.sampled_from(GROUPS), in_batch=st.booleans())
    def send_group(self, group: str, in_batch: bool) -> None:
        """A message to a group goes once to the queue of every member that is not full."""
        self.number += 1
        by_queue: dict[str, list[str]] = {}
        for channel in self.groups[group]:
            by_queue.setdefault(non_local_name(channel), []).append(channel)
        for receivers in by_queue.values():
            self.put(receivers)
        if in_batch:
            assert self.layer.send_batch([Outgoing(group, {"n": self.number}, to_group=True)]) == [None]
        else:
            self.layer.send_group(group, {"n": self.number})

    @rule(queue=st.sampled_from(CHANNELS).map(non_local_name))
    def receive(self, queue: str) -> None:
        """One at a time comes what the model has at its head, for each of its receivers."""
        if not self.queues[queue]:
            assert self.layer.receive([queue]) == (None, None)
            return
        _, receivers, number = self.queues[queue].popleft()
        taken = [self.layer.receive([queue]) for _ in receivers]
        assert [content for _, content in taken] == [{"n": number}] * len(receivers)
        assert sorted(channel for channel, _ in taken) == sorted(receivers)

    @rule(queue=st.sampled_from(CHANNELS).map(non_local_name), limit=st.integers(1, 4))
    def receive_batch(self, queue: str, limit: int) -> None:
        """A batch is the first entries of the model."""
        self.compare_batch(queue, limit)

    @rule(queue=st.sampled_from(CHANNELS).map(non_local_name), limit=st.integers(1, 4), begun=st.integers(0, 2))
    def hand_back(self, queue: str, limit: int, begun: int) -> None:
        """What is taken and not begun is the first again, and expires with what follows it."""
        entries = self.queues[queue]
        taken = self.layer.receive_batch([queue], limit)
        expected = [entries.popleft() for _ in taken]
        if taken[begun:] and not self.layer.hand_back(taken[begun:]):
            until = entries[0].until if entries else self.now + EXPIRY
            entries.extendleft(entry._replace(until=until) for entry in reversed(expected[begun:]))

    @rule(group=st.sampled_from(GROUPS), channel=st.sampled_from(CHANNELS))
    def group_add(self, group: str, channel: str) -> None:
        """A membership lasts for ``group_expiry`` from the last time it was asked for."""
        self.groups[group][channel] = self.now + GROUP_EXPIRY
        self.layer.group_add(group, channel)

    @rule(group=st.sampled_from(GROUPS), channel=st.sampled_from(CHANNELS))
    def group_discard(self, group: str, channel: str) -> None:
        """A membership that is given up has ended, and one that never was may be given up."""
        self.groups[group].pop(channel, None)
        self.layer.group_discard(group, channel)

    @precondition(lambda self: self.has_clock)
    @rule(seconds=st.sampled_from([100, 400, 900, 1000, 3000]))
    def wait(self, seconds: int) -> None:
        """What expired is not delivered; what came after it is."""
        self.now += seconds
        self.pass_time(seconds)
        for members in self.groups.values():
            for channel in [channel for channel, until in members.items() if until <= self.now]:
                del members[channel]
        for queue, entries in self.queues.items():
            expired: set[str] = set()
            while entries and entries[0].until <= self.now:
                expired.update(entries.popleft().receivers)
            if expired:
                self.compare_batch(queue, 1)
            # Layers may end the memberships of those who did not read what they were sent.
            for channel in expired:
                for group in GROUPS:
                    self.group_discard(group, channel)

    @invariant()
    def members_agree(self) -> None:
        """Both know the same members."""
        for group in GROUPS:
            assert sorted(self.layer.group_channels(group)) == sorted(self.groups[group])


def run_machine(machine: type[LayerMachine], runs: int) -> None:
    """Let ``machine`` do as it likes, ``runs`` times.

    Raises:
        AssertionError: Layer and model differ; what was printed shows the shortest way there.
    """
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=30,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
