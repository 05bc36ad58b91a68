"""Sends that may be tried again, on Redis: what has a known mark is not sent, what was not sent has no mark."""

import threading
import time

import pytest

from channels.exceptions import ChannelFull, MessageTooLarge
from channels.layers.base import Outgoing
from channels.layers.once import Marked, once_of
from channels.layers.redis import RedisChannelLayer, RedisLocalChannelLayer
from channels.registry import ChannelLayerWrapper
from tests.support.layers import making


@pytest.fixture(params=["newest", "oldest"])
def make(request):
    """Return a function that makes layers on the newest or the oldest server."""
    server = request.getfixturevalue("redis_server" if request.param == "newest" else "old_redis_server")
    with making(RedisChannelLayer, hosts=[server.url]) as make_layer:
        yield make_layer


def marked(channel, mark, **content):
    """Return a message and its mark."""
    return Marked(Outgoing(channel, content or {"mark": mark}), mark)


def drain(layer, channel):
    """Return what waits on a channel."""
    contents = []
    while (content := layer.receive([channel])[1]) is not None:
        contents.append(content)
    return contents


def test_message_is_sent_once(make):
    """However often it is tried, and by whom."""
    first, second = make(), make()
    for layer in (first, second, first):
        assert layer.once.send([marked("a", "m1"), marked("a", "m2")], 60) == [None, None]
    assert drain(first, "a") == [{"mark": "m1"}, {"mark": "m2"}]


def test_new_messages_leave_beside_known_ones(make):
    """Each mark is looked at by itself."""
    layer = make()
    layer.once.send([marked("a", "m1")], 60)
    drain(layer, "a")
    assert layer.once.send([marked("a", "m1"), marked("b", "m2")], 60) == [None, None]
    assert (drain(layer, "a"), drain(layer, "b")) == ([], [{"mark": "m2"}])


def test_refused_message_has_no_mark(make):
    """It may be tried again when there is room."""
    layer = make(capacity=1)
    layer.send("a", {})
    assert [type(error) for error in layer.once.send([marked("a", "m1")], 60)] == [ChannelFull]
    assert drain(layer, "a") == [{}]
    assert layer.once.send([marked("a", "m1")], 60) == [None]
    assert drain(layer, "a") == [{"mark": "m1"}]


def test_message_that_cannot_be_sent_leaves_the_others(make):
    """Its error is its own."""
    layer = make()
    batch = [marked("no channel", "m1"), marked("a", "m2", big=b"x" * (17 * 1024 * 1024)), marked("a", "m3")]
    assert [type(error) for error in layer.once.send(batch, 60)] == [TypeError, MessageTooLarge, type(None)]
    assert drain(layer, "a") == [{"mark": "m3"}]


def test_mark_is_known_for_its_time(make):
    """Then the message is a new one."""
    layer = make()
    layer.once.send([marked("a", "m1")], 60)
    layer.once.keep([marked("a", "m1")], 0.05)
    deadline = time.monotonic() + 30
    while layer.connection(0).keys("*:once:*"):
        assert time.monotonic() < deadline
    layer.once.send([marked("a", "m1")], 60)
    assert len(drain(layer, "a")) == 2


def test_marks_are_kept_longer_or_shorter(make):
    """In milliseconds of the server."""
    layer = make()
    layer.once.send([marked("a", "m1")], 604_800)
    layer.once.keep([marked("a", "m1")], 60)
    assert 0 < layer.connection(0).pttl("asgi::once:m1") <= 60_000


def test_known_message_on_several_servers(make, redis_server, old_redis_server):
    """A channel that is on all of them has one place for each mark."""
    layer = make(hosts=[redis_server.url, old_redis_server.url], capacity=1000)
    batch = [marked("a", f"m{number}") for number in range(300)]
    for _ in range(3):
        assert layer.once.send(batch, 60) == [None] * 300
    assert len(drain(layer, "a")) == 300
    assert all(layer.connection(index).keys("*:once:*") for index in (0, 1))


def test_many_at_once_send_one(make):
    """Whichever comes first."""
    layer = make(capacity=10_000)
    batch = [marked("a", f"m{number}") for number in range(200)]
    threads = [threading.Thread(target=layer.once.send, args=(batch, 60)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(drain(layer, "a")) == 200


def test_durable_channel_takes_a_message_once(make):
    """Delivery at least once is another matter."""
    layer = make(delivery={"a": "at-least-once"})
    for _ in range(2):
        layer.once.send([marked("a", "m1")], 60)
    assert [content["mark"] for content in drain(layer, "a")] == ["m1"]


def test_message_in_hand_is_known_again(make):
    """The same mark at each delivery; another one for a message that says the same."""
    layer = make(delivery={"a": "at-least-once"}, redelivery_after=0.05)
    layer.send("a", {"n": 1})
    layer.send("a", {"n": 1})
    deliveries = layer.receive_batch(["a"], 10, 10)
    marks = [layer.once.identify(delivery.content) for delivery in deliveries]
    assert len(set(marks)) == 2
    assert layer.once.identify({"n": 1}) is None
    for delivery in deliveries:
        layer.finish_deliveries([delivery.content], False)
    again = []
    while len(again) < 2:
        again += layer.receive_batch(["a"], 10, 10)
    assert {layer.once.identify(delivery.content) for delivery in again} == set(marks)


def test_layer_says_whether_it_can(make, redis_url):
    """Local workers' normal channels never reach Redis."""
    layer = make()
    assert once_of(ChannelLayerWrapper(layer, "default", [])) is layer.once
    local = RedisLocalChannelLayer(hosts=[redis_url])
    assert once_of(local) is None
    local.close()
