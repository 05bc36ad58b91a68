"""What only the layer does whose normal channels stay on the machine. A machine is a directory here."""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.exceptions import LayerUnavailable
from channels.layers.base import Delivery, Outgoing
from channels.layers.redis import RedisLocalChannelLayer
from tests.support.redis import RedisServer


@pytest.fixture
def machine(redis_url: str) -> Iterator[Callable[..., RedisLocalChannelLayer]]:
    """A function that makes a layer on the machine with the given name."""
    made: list[RedisLocalChannelLayer] = []
    with tempfile.TemporaryDirectory(prefix="ipc-") as parent:

        def make(name: str, **config: Any) -> RedisLocalChannelLayer:
            made.append(RedisLocalChannelLayer(hosts=[redis_url], directory=Path(parent) / name, **config))
            return made[-1]

        yield make
        for layer in made:
            layer.close()


Make = Callable[..., RedisLocalChannelLayer]


def test_normal_channels_stay_on_the_machine(machine: Make, redis_server: RedisServer) -> None:
    """Another machine does not get them, and Redis never sees them."""
    here, there = machine("one"), machine("two")
    here.send("test.in", {"n": 1})
    assert there.receive(["test.in"]) == (None, None)
    with redis_server.client() as client:
        assert client.keys("asgi:*") == []
    assert machine("one").receive(["test.in"]) == ("test.in", {"n": 1})


def test_replies_and_groups_reach_every_machine(machine: Make) -> None:
    """What has one reader goes over Redis."""
    here, there = machine("one"), machine("two")
    here.group_add("room", "reply!one")
    there.group_add("room", "reply!two")
    here.send("reply!one", {"n": 1})
    there.send_group("room", {"n": 2})
    assert here.receive_batch(["reply!"], 10) == [
        Delivery(("reply!one",), {"n": 1}),
        Delivery(("reply!one", "reply!two"), {"n": 2}, via_group=True),
    ]


def test_normal_member_of_a_group_gets_its_copy_on_the_senders_machine(machine: Make) -> None:
    """Its consumers run on every machine; one of them has it."""
    here, there = machine("one"), machine("two")
    here.group_add("room", "test.in")
    there.group_add("room", "reply!two")
    assert sorted(here.group_channels("room")) == ["reply!two", "test.in"]
    there.send_group("room", {"n": 1})
    assert here.receive(["test.in"]) == (None, None)
    assert there.receive(["test.in"]) == ("test.in", {"n": 1})
    here.group_discard("room", "test.in")
    assert here.group_channels("room") == ["reply!two"]


def test_receive_waits_for_channels_of_both_kinds(machine: Make) -> None:
    """Whichever comes first is taken, soon."""
    layer = machine("one")
    for channel in ("test.in", "test.body?x"):
        received: list[Any] = []
        thread = threading.Thread(
            target=lambda got=received: got.extend(layer.receive_batch(["test.in", "test.body?x"], 1, 20))
        )
        thread.start()
        time.sleep(0.02)  # So that it waits; if it does not yet, nothing changes.
        layer.send(channel, {})
        thread.join(60)
        assert received == [Delivery((channel,), {})]


def test_outcomes_keep_their_places(machine: Make) -> None:
    """A batch of both kinds says for each item what became of it."""
    layer = machine("one", capacity=1)
    layer.group_add("room", "test.in")
    batch = [
        Outgoing("reply!one", {"n": 1}),
        Outgoing("test.in", {"n": 2}),
        Outgoing("reply!one", {"n": 3}),
        Outgoing("room", {"n": 4}, to_group=True),
        Outgoing("bad name", {}),
        Outgoing("test.other", {"n": 5}),
    ]
    expected = ["NoneType", "NoneType", "ChannelFull", "NoneType", "TypeError", "NoneType"]
    assert [type(outcome).__name__ for outcome in layer.send_batch(batch)] == expected


def test_posted_sends_leave_before_the_wait_for_this_machine(machine: Make) -> None:
    """A worker that waits for normal channels has sent its replies before."""
    layer = machine("one")
    settled: list[Any] = []
    layer.post_batch([Outgoing("reply!one", {"n": 1}), Outgoing("test.other", {"n": 2})], settled.append)
    layer.receive_batch(["test.in"], 1, 0.01)
    assert settled == [[None, None]]
    assert layer.receive(["reply!"]) == ("reply!one", {"n": 1})


def test_statistics_and_flush_cover_both(machine: Make) -> None:
    """Counts are added up; afterwards nothing is left."""
    layer = machine("one")
    layer.send("test.in", {})
    layer.send("reply!one", {})
    assert layer.global_statistics()["messages_count"] == 2
    assert layer.channel_statistics("test.in")["messages_pending"] == 1
    assert layer.channel_statistics("reply!one")["messages_pending"] == 1
    layer.flush()
    assert layer.receive(["test.in", "reply!"]) == (None, None)


def test_prefix_names_the_meeting_place() -> None:
    """Colons and the like have no place in a path."""
    assert RedisLocalChannelLayer(prefix="my:site:").local.prefix == "mysite"
    assert RedisLocalChannelLayer(prefix=":").local.prefix == "asgi"


@pytest.fixture
def cut_off() -> Iterator[RedisLocalChannelLayer]:
    """A layer whose Redis is not there."""
    with tempfile.TemporaryDirectory(prefix="ipc-") as directory:
        layer = RedisLocalChannelLayer(hosts=["unix:///nonexistent/redis.sock"], directory=directory)
        yield layer
        layer.close()


@pytest.mark.parametrize("is_async", [False, True])
def test_batch_without_redis_says_what_was_sent(cut_off: RedisLocalChannelLayer, is_async: bool) -> None:
    """What stays on the machine was: whoever tries the rest again must not send it twice."""
    batch = [Outgoing("test.in", {"n": 1}), Outgoing("reply!one", {"n": 2})]
    outcomes = asyncio.run(cut_off.asend_batch(batch)) if is_async else cut_off.send_batch(batch)
    assert [type(outcome) for outcome in outcomes] == [type(None), LayerUnavailable]
    assert cut_off.local.receive(["test.in"]) == ("test.in", {"n": 1})


def test_batch_whose_groups_cannot_be_read_was_not_sent(own_redis: RedisServer) -> None:
    """Nothing of it, so that all of it may be tried again."""
    with tempfile.TemporaryDirectory(prefix="ipc-") as directory:
        layer = RedisLocalChannelLayer(hosts=[own_redis.url], directory=directory)
        layer.send("reply!one", {})
        own_redis.stop()
        with pytest.raises(LayerUnavailable) as caught:
            layer.send_batch([Outgoing("test.in", {"n": 1}), Outgoing("room", {"n": 2}, to_group=True)])
        assert not caught.value.was_asked
        assert layer.local.receive(["test.in"]) == (None, None)
        layer.close()
