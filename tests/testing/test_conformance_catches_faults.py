"""The contract suite of layers finds faults: each of these layers breaks one promise, and is caught."""

import asyncio
import io
import time
import unittest
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from channels.exceptions import ChannelFull
from channels.formats import copy_content
from channels.layers.base import Delivery, Outgoing
from channels.layers.inmemory import ChannelLayer
from channels.test.conformance import ConformanceTestCase, waiting
from channels.test.conformance.machine import LayerMachine
from channels.types import Content


class Reversed(ChannelLayer):
    """Delivers the newest message first."""

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        for queue in channels:
            if queue in self._store.queues:
                self._store.queues[queue].rotate(1)
        return super().receive(channels, block)


class Forgetful(ChannelLayer):
    """Loses one message in five."""

    sent = 0

    def send(self, channel: str, message: Content) -> None:
        self.sent += 1
        if self.sent % 5:
            super().send(channel, message)


class Generous(ChannelLayer):
    """Holds one message more than its capacity."""

    def get_capacity(self, channel: str) -> int:
        return super().get_capacity(channel) + 1


class Uniform(ChannelLayer):
    """Has one capacity for all channels."""

    def get_capacity(self, channel: str) -> int:
        return self.reply_capacity if channel.endswith("!") else self.capacity


class Roomy(ChannelLayer):
    """Gives each channel of a process the whole capacity."""

    def get_capacity(self, channel: str) -> int:
        return super().get_capacity(channel) * (3 if channel.endswith("!") else 1)


class Eternal(ChannelLayer):
    """Keeps messages for ever."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "expiry": 1e9})


class Clogged(ChannelLayer):
    """Counts expired messages towards the capacity, until somebody receives."""

    def _put(self, channel: str, content: Content) -> None:
        queue = self.non_local_name(channel)
        if len(self._store.queues.get(queue, ())) >= self.get_capacity(queue):
            raise self.channel_full(channel)
        super()._put(channel, content)


class Sharing(ChannelLayer):
    """Delivers the very dict that was sent."""

    def send(self, channel: str, message: Content) -> None:
        self.valid_channel_name(channel)
        self._put(channel, self.require_message(message))


class Communal(ChannelLayer):
    """Delivers one dict to all members of a group."""

    def send_group(self, group: str, message: Content) -> None:
        self.valid_group_name(group)
        super().send_group(group, message)
        shared = copy_content(message)
        for channel in self.group_channels(group):
            deadline, delivery = self._store.queues[self.non_local_name(channel)].pop()
            self._store.queues[self.non_local_name(channel)].append((deadline, delivery._replace(content=shared)))


class Clinging(ChannelLayer):
    """Never lets a member of a group go."""

    def group_discard(self, group: str, channel: str) -> None:
        self.valid_group_name(group)
        self.valid_channel_name(channel)


class Loyal(ChannelLayer):
    """Ends no membership by itself."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{**kwargs, "group_expiry": 1e9})


class Strict(ChannelLayer):
    """Tells the sender of a group message that a member is full."""

    def send_group(self, group: str, message: Content) -> None:
        for channel in self.group_channels(group):
            queue = self.non_local_name(channel)
            if len(self._store.queues.get(queue, ())) >= self.get_capacity(queue):
                raise self.channel_full(channel)
        super().send_group(group, message)


class Anonymous(ChannelLayer):
    """Does not say that a message came through a group."""

    def _receive(self, *args: Any, **kwargs: Any) -> list[Delivery]:
        return [delivery._replace(via_group=False) for delivery in super()._receive(*args, **kwargs)]


class Stuttering(ChannelLayer):
    """Delivers one message in ten twice."""

    received = 0

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        channel, content = super().receive(channels, block)
        self.received += channel is not None
        if channel is not None and content is not None and self.received % 10 == 0:
            super().send(channel, content)
        return channel, content


class Lax(ChannelLayer):
    """Takes any name for a channel."""

    def send(self, channel: str, message: Content) -> None:
        self._put(str(channel), copy_content(self.require_message(message)))


class Careless(ChannelLayer):
    """Takes anything for a message."""

    def require_message(self, message: Any) -> Content:
        content: Content = message
        return content


class Textual(ChannelLayer):
    """Makes text of bytes, as a careless encoding does."""

    def send(self, channel: str, message: Content) -> None:
        if isinstance(message, dict):
            message = {
                key: value.decode("latin-1") if isinstance(value, bytes) else value for key, value in message.items()
            }
        super().send(channel, message)


class Small(ChannelLayer):
    """Carries no large messages."""

    def send(self, channel: str, message: Content) -> None:
        if isinstance(message, dict) and any(isinstance(v, bytes) and len(v) > 500_000 for v in message.values()):
            raise self.MessageTooLarge("Too large.")
        super().send(channel, message)


class Biased(ChannelLayer):
    """Looks at the first channel first, always."""

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        for channel in channels:
            found = super().receive([channel])
            if found[0] is not None:
                return found
        return super().receive(channels, block)


class Sleepy(ChannelLayer):
    """Is not woken by a message: looks again when its time is over."""

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        taken = super().receive_batch(channels, limit, 0)
        if taken or not timeout:
            return taken
        time.sleep(timeout)
        return super().receive_batch(channels, limit, 0)


class Hasty(ChannelLayer):
    """Returns at once where it was to wait."""

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        return super().receive_batch(channels, limit, 0)


class Leaky(ChannelLayer):
    """Loses what it had taken when a receive is cancelled."""

    async def areceive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        taken = await super().areceive_batch(channels, limit, timeout)
        await asyncio.sleep(0.001)
        return taken


class Abrupt(ChannelLayer):
    """Gives up a batch at the first item that cannot be sent."""

    def send_batch(self, batch: Sequence[Outgoing]) -> list[Exception | None]:
        outcomes: list[Exception | None] = [None] * len(batch)
        for position, item in enumerate(batch):
            try:
                (self.send_group if item.to_group else self.send)(item.name, item.content)
            except Exception as error:
                outcomes[position:] = [error] * (len(batch) - position)
                break
        return outcomes


class GroupsFirst(ChannelLayer):
    """Sends the messages of a batch to groups before the others."""

    def send_batch(self, batch: Sequence[Outgoing]) -> list[Exception | None]:
        order = sorted(range(len(batch)), key=lambda position: not batch[position].to_group)
        outcomes = dict(zip(order, super().send_batch([batch[position] for position in order]), strict=True))
        return [outcomes[position] for position in range(len(batch))]


class Keeping(ChannelLayer):
    """Remembers its groups when it is flushed."""

    def flush(self) -> None:
        groups = self._store.groups
        super().flush()
        self._store.groups = groups


class Silent(ChannelLayer):
    """Does not count what it refuses."""

    def channel_statistics(self, channel: str) -> dict[str, float]:
        return {**super().channel_statistics(channel), "channel_full_count": 0}


class Jumbled(ChannelLayer):
    """Mixes up what it is asked about several channels."""

    def statistics_of(self, channels: Iterable[str]) -> dict[str, dict[str, float]]:
        found = super().statistics_of(channels)
        return dict(zip(found, reversed(found.values()), strict=True))


class Boastful(ChannelLayer):
    """Lists an extension that it does not have."""

    channel_statistics = property()  # type: ignore[assignment]


class Predictable(ChannelLayer):
    """Makes the same new channel each time."""

    def new_channel(self, pattern: str) -> str:
        super().new_channel(pattern)
        return pattern + "x"


FAULTS: dict[type[ChannelLayer], str] = {
    Reversed: "messages_of_one_channel_keep_their_order",
    Forgetful: "many_threads_take_each_message_once",
    Stuttering: "messages_of_one_channel_keep_their_order",
    Generous: "send_to_a_full_channel_is_refused",
    Uniform: "channel_capacity_rules_where_it_matches",
    Roomy: "capacity_is_shared_by_the_channels_of_a_process",
    Eternal: "expired_message_is_not_delivered",
    Clogged: "expired_messages_make_room",
    Sharing: "changing_a_sent_message_does_not_change_what_arrives",
    Communal: "members_do_not_share_what_they_receive",
    Clinging: "former_member_gets_nothing",
    Loyal: "membership_expires",
    Strict: "group_message_skips_full_members",
    Anonymous: "group_message_arrives_once_for_a_queue",
    Lax: "bad_names_are_refused",
    Careless: "message_with_the_reserved_key_is_refused",
    Textual: "values_keep_their_types",
    Small: "message_of_a_megabyte_arrives",
    Biased: "quiet_channel_is_served_beside_a_busy_one",
    Sleepy: "blocked_receive_returns_when_a_message_comes",
    Hasty: "blocked_receive_returns_when_its_time_is_over",
    Leaky: "cancelled_areceive_loses_no_message",
    Abrupt: "send_batch_says_what_became_of_each_item",
    GroupsFirst: "send_batch_keeps_the_order_of_a_channel",
    Keeping: "flush_forgets_messages_and_groups",
    Silent: "statistics_count_messages_and_refusals",
    Jumbled: "statistics_of_several_channels_are_those_of_each",
    Boastful: "extensions_are_there_if_and_only_if_they_are_listed",
    Predictable: "new_channel_begins_with_its_pattern",
}
"""Each fault, and the test that is there to find it."""

FOUND_BY_THE_MODEL = [Reversed, Forgetful, Generous, Roomy, Eternal, Clinging, Loyal, Strict]


def run_contract(layer_class: type[ChannelLayer], name: str | None = None) -> unittest.TestResult:
    """Run the test ``name``, or all tests, on ``layer_class``."""

    class Contract(ConformanceTestCase, unittest.TestCase):
        def setUp(self) -> None:
            self.now = 0.0

        def make_layer(self, **config: Any) -> ChannelLayer:
            layer = layer_class(**config)
            layer.clock = lambda: self.now
            return layer

        def pass_time(self, seconds: float) -> None:
            self.now += seconds

    loader = unittest.defaultTestLoader
    suite = unittest.TestSuite([Contract(f"test_{name}")]) if name else loader.loadTestsFromTestCase(Contract)
    return unittest.TextTestRunner(stream=io.StringIO()).run(suite)


@pytest.mark.parametrize("layer_class", FAULTS, ids=lambda layer_class: layer_class.__name__)
def test_fault_is_caught(layer_class: type[ChannelLayer], monkeypatch: pytest.MonkeyPatch) -> None:
    """The test that is there to find it finds it."""
    monkeypatch.setattr(waiting, "PATIENCE_SECONDS", 2.0)
    assert not run_contract(layer_class, FAULTS[layer_class]).wasSuccessful()


@pytest.mark.parametrize("layer_class", FOUND_BY_THE_MODEL)
def test_model_finds_the_fault_by_itself(layer_class: type[ChannelLayer]) -> None:
    """Trying any order of steps comes upon it."""

    class Machine(LayerMachine):
        has_clock = True

        def make_layer(self, **config: Any) -> ChannelLayer:
            layer = layer_class(**config)
            layer.clock = lambda: self.now
            return layer

    # The first way to the fault will do; the shortest would take time.
    steps = settings(max_examples=300, phases=[Phase.generate], derandomize=True, deadline=None, database=None)
    with pytest.raises((AssertionError, ChannelFull)):
        run_state_machine_as_test(Machine, settings=steps)


def test_sound_layer_passes() -> None:
    """The faults are found because they are there."""
    result = run_contract(ChannelLayer)
    assert result.wasSuccessful(), result.failures + result.errors
    assert not result.skipped


@pytest.mark.parametrize(
    "name",
    [
        "expired_message_is_not_delivered",
        "expired_messages_make_room",
        "membership_expires",
        "renewed_memberships_outlive_their_expiry",
    ],
)
def test_machine_that_stands_still_is_no_fault_of_the_layer(name: str) -> None:
    """Where more time went by than a test let pass, it is tried again."""
    pauses = [0.3, 0.0]

    class Contract(ConformanceTestCase, unittest.TestCase):
        expiry = 0.2

        def make_layer(self, **config: Any) -> ChannelLayer:
            return ChannelLayer(**config)

        def pass_time(self, seconds: float) -> None:
            super().pass_time(seconds + (pauses.pop() if pauses else 0))

    result = unittest.TextTestRunner(stream=io.StringIO()).run(Contract(f"test_{name}"))
    assert result.wasSuccessful(), result.failures + result.errors
    assert pauses == []
