"""A model of a layer in a few lines, and a machine that does the same to both: any order of sends, receives, joins."""

from collections import deque
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from channels.exceptions import ChannelFull
from channels.layers.base import Outgoing

CAPACITY = 3
EXPIRY = 10
GROUP_EXPIRY = 40

channels = st.sampled_from(["a", "b", "s?x", "p!1", "p!2", "q!1"])
readable = st.sampled_from(["a", "b", "s?x", "p!", "q!"])
groups = st.sampled_from(["g", "h"])


def queue_of(channel: str) -> str:
    """Return the queue that ``channel`` is read from."""
    return channel[: channel.index("!") + 1] if "!" in channel else channel


class LayerMachine(RuleBasedStateMachine):
    """Does the same to a layer and to a model, and compares what comes out."""

    layer: Any

    takes_whole_entries = False
    """Whether an entry for several receivers leaves its queue, and makes room, with the first of them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.number = 0
        self.queues: dict[str, deque[tuple[float, list[str], int]]] = {}
        self.groups: dict[str, dict[str, float]] = {}

    def settle(self, *queues: str) -> None:
        """Drop what expired in ``queues`` of the model, with the memberships of its receivers."""
        for queue in queues:
            entries = self.queues.get(queue, deque())
            while entries and entries[0][0] <= self.now:
                for channel in entries.popleft()[1]:
                    for members in self.groups.values():
                        members.pop(channel, None)

    def settle_all(self) -> None:
        """Drop whatever expired, in both."""
        self.settle_layer()
        self.settle(*self.queues)
        for members in self.groups.values():
            for channel in [channel for channel, until in members.items() if until <= self.now]:
                del members[channel]

    def settle_layer(self) -> None:
        """Make the layer drop whatever expired."""

    def put(self, receivers: list[str]) -> bool:
        """Put the next message into the model and return whether it fits."""
        entries = self.queues.setdefault(queue_of(receivers[0]), deque())
        if len(entries) >= CAPACITY:
            return False
        entries.append((self.now + EXPIRY, receivers, self.number))
        return True

    @rule(channel=channels)
    def send(self, channel: str) -> None:
        """A send is refused exactly if the model is full."""
        self.settle_all()
        self.number += 1
        fits = self.put([channel])
        try:
            self.layer.send(channel, {"n": self.number})
        except ChannelFull:
            assert not fits
        else:
            assert fits

    @rule(group=groups, in_batch=st.booleans())
    def send_group(self, group: str, in_batch: bool) -> None:
        """A group message goes to the queue of every member once."""
        self.settle_all()
        self.number += 1
        by_queue: dict[str, list[str]] = {}
        for channel in self.groups.get(group, {}):
            by_queue.setdefault(queue_of(channel), []).append(channel)
        for receivers in by_queue.values():
            self.put(receivers)
        if in_batch:
            assert self.layer.send_batch([Outgoing(group, {"n": self.number}, to_group=True)]) == [None]
        else:
            self.layer.send_group(group, {"n": self.number})

    @rule(queue=readable)
    def receive(self, queue: str) -> None:
        """A receive takes what the model has at its head, for one of its receivers."""
        self.settle_all()
        entries = self.queues.get(queue)
        if not entries:
            assert self.layer.receive([queue]) == (None, None)
            return
        receivers, number = entries[0][1:]
        for _ in range(len(receivers) if self.takes_whole_entries else 1):
            channel, content = self.layer.receive([queue])
            assert content == {"n": number}
            receivers.remove(str(channel))
        if not receivers:
            entries.popleft()

    @rule(queue=readable, limit=st.integers(1, 4))
    def receive_batch(self, queue: str, limit: int) -> None:
        """A batch is the first entries of the model."""
        self.settle_all()
        entries = self.queues.get(queue, deque())
        expected = [entries.popleft() for _ in range(min(limit, len(entries)))]
        deliveries = self.layer.receive_batch([queue], limit)
        assert [(sorted(d.channels), d.content["n"]) for d in deliveries] == [(sorted(r), n) for _, r, n in expected]

    @rule(group=groups, channel=channels)
    def group_add(self, group: str, channel: str) -> None:
        """Joining lasts for group_expiry from now."""
        self.settle_all()
        self.groups.setdefault(group, {})[channel] = self.now + GROUP_EXPIRY
        self.layer.group_add(group, channel)

    @rule(group=groups, channel=channels)
    def group_discard(self, group: str, channel: str) -> None:
        """Leaving ends it."""
        self.groups.get(group, {}).pop(channel, None)
        self.layer.group_discard(group, channel)

    @invariant()
    def members_agree(self) -> None:
        """Both know the same members."""
        self.settle_all()
        for group in ("g", "h"):
            assert sorted(self.layer.group_channels(group)) == sorted(self.groups.get(group, {}))
