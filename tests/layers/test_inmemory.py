"""What only the in-memory layer promises: whose it is, what expiry does to groups, who is woken."""

import asyncio
import threading
from typing import Any

import pytest

from channels import counters
from channels.exceptions import ChannelFull
from channels.layers.base import Outgoing
from channels.layers.inmemory import ChannelLayer


class Clock:
    """A clock that stands still until told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock at zero."""
    return Clock()


@pytest.fixture
def layer(clock: Clock) -> ChannelLayer:
    """An empty layer whose time is ``clock``."""
    layer = ChannelLayer()
    layer.clock = clock
    return layer


def test_layer_holds_ten_messages_by_default(layer: ChannelLayer) -> None:
    """The default capacity is the one of 1.x."""
    for _ in range(10):
        layer.send("test", {})
    with pytest.raises(ChannelFull, match="'channel_capacity'"):
        layer.send("test", {})


def test_subclass_does_not_inherit_local_only() -> None:
    """A layer built on this one says of itself whether it stays in its process."""

    class Elsewhere(ChannelLayer):
        pass

    assert vars(ChannelLayer)["local_only"] is True
    assert "local_only" not in vars(Elsewhere)


def test_expired_message_ends_the_memberships_of_its_channel(layer: ChannelLayer, clock: Clock) -> None:
    """The channel whose message nobody read leaves its groups; the others of its process stay."""
    for channel in ("test.p!gone", "test.p!here"):
        layer.group_add("group", channel)
    layer.send("test.p!gone", {})
    clock.now += layer.expiry
    assert layer.receive(["test.p!"]) == (None, None)
    assert layer.group_channels("group") == ["test.p!here"]


def test_expired_group_message_ends_the_memberships_of_all_receivers(layer: ChannelLayer, clock: Clock) -> None:
    """A message to a group that expires unread tells that each of its receivers is gone."""
    for channel in ("test.p!one", "test.p!two", "test.q!three"):
        layer.group_add("group", channel)
    layer.send_group("group", {})
    layer.receive(["test.q!"])
    clock.now += layer.expiry
    layer.send_group("group", {})
    assert layer.group_channels("group") == ["test.q!three"]


def test_expired_messages_are_counted_and_logged(
    layer: ChannelLayer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """What is dropped leaves a trace."""
    before = counters.value("message.dropped.expired")
    layer.send("test", {})
    layer.send("test", {})
    clock.now += layer.expiry
    layer.receive(["test"])
    assert counters.value("message.dropped.expired") == before + 2
    assert "2 messages expired unread, the first on test." in caplog.text


def test_group_message_to_a_full_member_is_counted_and_logged(
    layer: ChannelLayer, caplog: pytest.LogCaptureFixture
) -> None:
    """Members that were left out are counted."""
    before = counters.value("message.dropped.member_full")
    layer.group_add("group", "test")
    for _ in range(11):
        layer.send_group("group", {})
    assert counters.value("message.dropped.member_full") == before + 1
    assert "Group group: 1 members" in caplog.text


def test_abandoned_queues_are_forgotten(layer: ChannelLayer, clock: Clock) -> None:
    """A queue that nobody ever reads costs no memory once its messages have expired."""
    for number in range(100):
        layer.send(f"test.body?{number}", {})
    clock.now += layer.expiry
    layer.send("test", {})
    assert layer.channel_statistics("test.body?1")["messages_pending"] == 0
    assert list(layer._store.queues) == ["test"]


def test_groups_are_looked_through_once_for_all_that_expired(layer: ChannelLayer, clock: Clock) -> None:
    """Else thousands of abandoned queues beside thousands of groups would stop the layer for half a minute."""

    class Groups(dict[str, dict[str, float]]):
        looks = 0

        def values(self) -> Any:
            self.looks += 1
            return super().values()

    groups = layer._store.groups = Groups()
    for number in range(20):
        layer.group_add(f"group.{number}", f"test?{number}")
        layer.send(f"test?{number}", {})
    clock.now += layer.expiry + 1
    layer.send("other", {})
    assert groups == {}
    assert groups.looks == 1


def test_send_batch_takes_contents_as_they_are(layer: ChannelLayer) -> None:
    """A batch was given away by its sender, so nothing is copied."""
    content = {"list": [1]}
    layer.send_batch([Outgoing("test", content)])
    assert layer.receive(["test"])[1] is content


def test_send_copies_once(layer: ChannelLayer) -> None:
    """What was sent and what arrives share nothing."""
    content = {"list": [1]}
    layer.send("test", content)
    received = layer.receive(["test"])[1]
    assert received is not None
    assert received["list"] is not content["list"]


def test_each_waiting_thread_gets_a_message(layer: ChannelLayer) -> None:
    """One message wakes one receiver, two wake two, wherever they wait."""
    results: list[str | None] = []
    threads = [
        threading.Thread(target=lambda: results.append(layer.receive(["test.a", "test.b"], block=True)[0]))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for number in range(4):
        layer.send("test.a" if number % 2 else "test.b", {})
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, results)) == ["test.a", "test.a", "test.b", "test.b"]


def test_event_loops_of_several_threads_wait_beside_each_other(layer: ChannelLayer) -> None:
    """Each loop gets what it waits for."""
    results: list[str | None] = []

    def run(queue: str) -> None:
        results.append(asyncio.run(layer.areceive([queue]))[0])

    threads = [threading.Thread(target=run, args=(queue,)) for queue in ("test.p!", "test.q!", "test.r!")]
    for thread in threads:
        thread.start()
    for queue in ("test.q!", "test.r!", "test.p!"):
        layer.send(queue + "one", {})
    for thread in threads:
        thread.join(60)
    assert sorted(map(str, results)) == ["test.p!one", "test.q!one", "test.r!one"]


def test_loop_that_was_closed_while_it_waited_does_not_hinder_senders(layer: ChannelLayer) -> None:
    """A message for a receiver whose loop is gone stays for the next."""
    loop = asyncio.new_event_loop()
    waiting = loop.create_task(layer.areceive_batch(["test"], 1, 60))
    loop.run_until_complete(asyncio.sleep(0.01))
    loop.close()
    layer.send("test", {"n": 1})
    assert layer.receive(["test"]) == ("test", {"n": 1})
    waiting.get_coro().close()
    waiting._log_destroy_pending = False  # type: ignore[attr-defined]


def test_receive_loop_lets_other_tasks_run(layer: ChannelLayer) -> None:
    """A loop that always finds messages must still give way."""

    async def main() -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await asyncio.sleep(0)
                turns += 1

        task = asyncio.create_task(other())
        for number in range(10):
            layer.send("test", {"n": number})
        for _ in range(10):
            await layer.areceive(["test"])
        task.cancel()
        return turns

    assert asyncio.run(main()) >= 8


def test_statistics_start_again_after_a_flush(layer: ChannelLayer) -> None:
    """Flushed means flushed."""
    layer.send("test", {})
    layer.flush()
    assert layer.global_statistics() == {"messages_count": 0, "channel_full_count": 0}
