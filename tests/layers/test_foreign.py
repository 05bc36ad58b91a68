"""Layers of others, as they were written for Channels 1.x: an object that can send and receive, and no more."""

import asyncio
import threading
import time
from collections import defaultdict, deque

import pytest

from channels import Channel, Group, exceptions, route
from channels.exceptions import ChannelFull, ConsumeLater, LayerUnavailable, MessageTooLarge
from channels.interface.application import ChannelsApplication
from channels.layers.base import BaseChannelLayer, Outgoing
from channels.layers.batches import POLL_SECONDS
from channels.layers.foreign import RECEIVING, SENDING, make_asynchronous, overrides
from channels.layers.inmemory import ChannelLayer
from channels.layers.ipc import IPCChannelLayer
from channels.layers.redis import RedisChannelLayer, RedisClusterChannelLayer, RedisLocalChannelLayer
from channels.message import pending_message_store
from channels.registry import ChannelLayerWrapper
from channels.worker import Worker
from tests.support.asgi import FakeServer, in_loop
from tests.support.counting import grows

CAPACITY = 3


class OldLayer:
    """Keeps everything in one process; whatever ``block`` says, it does not wait."""

    class ChannelFull(Exception):
        """Its own, as the draft asks of a layer."""

    class MessageTooLarge(Exception):
        """Its own, too."""

    extensions = ()

    def __init__(self):
        self.queues = defaultdict(deque)
        self.received = 0

    def send(self, channel, message):
        """Put a message on a channel."""
        if "large" in message:
            raise self.MessageTooLarge(channel)
        if "odd" in message:
            raise OverflowError("no layer of this package raises this")
        if len(self.queues[channel]) >= CAPACITY:
            raise self.ChannelFull(channel)
        self.queues[channel].append(message)

    def receive(self, channels, block=False):
        """Return a message, or that there is none."""
        self.received += 1
        for channel in channels:
            if self.queues[channel]:
                return channel, self.queues[channel].popleft()
        return None, None


@pytest.fixture
def raw():
    """Such a layer."""
    return OldLayer()


@pytest.fixture
def run(raw):
    """Run a worker with some routes until a condition is met."""

    def start(routes, until):
        worker = Worker(ChannelLayerWrapper(raw, "old", routes), signal_handlers=False)
        thread = threading.Thread(target=worker.run)
        thread.start()
        deadline = time.monotonic() + 30
        while not until() and time.monotonic() < deadline:
            time.sleep(0.005)
        worker.termed = True
        thread.join(30)
        assert until()

    return start


def test_worker_pauses_where_a_receive_does_not_wait(raw, run):
    """An idle worker leaves the processor alone."""
    began = time.monotonic()
    run([route("c", lambda message: None)], until=lambda: raw.received >= 2 and time.monotonic() > began + 0.3)
    assert raw.received <= (time.monotonic() - began) / POLL_SECONDS + 5


def test_event_loop_pauses_where_a_receive_does_not_wait(raw):
    """So does an interface."""
    began = time.monotonic()
    assert asyncio.run(make_asynchronous(raw).areceive_batch(["c"], timeout=1)) == []
    assert time.monotonic() - began >= POLL_SECONDS / 2


@pytest.mark.parametrize(("kind", "content"), [(ChannelFull, {}), (MessageTooLarge, {"large": True})])
def test_interface_is_told_in_its_own_words(raw, kind, content):
    """It counts and answers by the class of the error."""
    for _ in range(CAPACITY):
        raw.send("c", {})
    with pytest.raises(kind) as caught:
        asyncio.run(make_asynchronous(raw).asend("c", content))
    assert type(caught.value) is kind


@pytest.mark.parametrize(("name", "content"), [("ChannelFull", {}), ("MessageTooLarge", {"large": True})])
def test_error_of_the_layer_is_one_of_the_package_too(raw, name, content):
    """Projects catch the one or the other."""
    layer = ChannelLayerWrapper(raw, "old", [])
    for _ in range(CAPACITY):
        Channel("c", channel_layer=layer).send({})
    for theirs in (getattr(layer, name), getattr(exceptions, name)):
        with pytest.raises(theirs, match=r"^c$"):
            Channel("c", channel_layer=layer).send(content)
        with pytest.raises(theirs, match=r"^c$"):
            layer.send("c", content)


def test_sends_of_a_consumer_to_a_full_channel_are_tried_again(raw, run, monkeypatch):
    """What has room is sent, and the rest when there is some, in order."""
    monkeypatch.setattr(pending_message_store, "retry_interval", 0.01)
    taken = []

    def sends(message):
        for n in range(CAPACITY + 2):
            Channel("out", channel_layer=message.channel_layer).send({"n": n})

    def is_done():
        if raw.queues["out"]:
            taken.append(raw.queues["out"].popleft()["n"])
        return len(taken) >= CAPACITY + 2

    raw.send("c", {})
    run([route("c", sends)], until=is_done)
    assert taken == list(range(CAPACITY + 2))


def test_send_that_fails_in_a_way_of_its_own_takes_no_other_with_it(raw, run):
    """The sends after it leave, and it alone is counted as lost."""

    def sends(message):
        for content in ({"n": 0}, {"odd": True}, {"n": 1}):
            Channel("out", channel_layer=message.channel_layer).send(content)

    raw.send("c", {})
    with grows("message.dropped.refused"):
        run([route("c", sends)], until=lambda: len(raw.queues["out"]) == 2)
    assert [message["n"] for message in raw.queues["out"]] == [0, 1]


def test_lost_server_is_asked_once_for_a_batch(raw):
    """What came before is not reported as lost, so that nobody sends it again."""
    asked = []

    def send(channel, message):
        asked.append(message["n"])
        if message["n"]:
            raise LayerUnavailable("gone")

    layer = ChannelLayerWrapper(raw, "old", [])
    layer.send = send
    outcomes = layer.send_batch([Outgoing("c", {"n": n}) for n in range(3)])
    assert asked == [0, 1]
    assert [type(outcome) for outcome in outcomes] == [type(None), LayerUnavailable, LayerUnavailable]


def test_message_is_put_back(raw, run):
    """``ConsumeLater`` asks nothing of the layer that it lacks."""
    seen = []

    def later(message):
        seen.append(message.get("__retries__", 0))
        if len(seen) < 3:
            raise ConsumeLater

    raw.send("c", {})
    run([route("c", later)], until=lambda: len(seen) == 3)
    assert seen == [0, 1, 2]


class SealedLayer(ChannelLayer):
    """Closes what is sent and opens what is received, as a subclass for 1.x would."""

    def send(self, channel, message):
        """Seal and send."""
        super().send(channel, {"sealed": message})

    def send_group(self, group, message):
        """Seal and send."""
        super().send_group(group, {"sealed": message})

    def receive(self, channels, block=False):
        """Receive and open; what is not sealed is an error."""
        channel, message = super().receive(channels, block)
        return (None, None) if channel is None else (channel, message["sealed"])


def say(message):
    """Answer, and tell the group."""
    Group("all", channel_layer=message.channel_layer).add(message.reply_channel)
    Group("all", channel_layer=message.channel_layer).send({"text": f"all: {message['text']}"})
    message.reply_channel.send({"text": message["text"]})


@in_loop
async def test_subclass_of_a_layer_is_used_by_both_sides():
    """What it does when it sends is undone when it receives, so nobody may go past it."""
    layer = SealedLayer()
    wrapper = ChannelLayerWrapper(layer, "sealed", [route("websocket.receive", say)])
    wrapper.router.check_default()
    worker = Worker(wrapper, signal_handlers=False)
    thread = threading.Thread(target=worker.run)
    thread.start()
    app = ChannelsApplication(layer)
    server = FakeServer(app, type="websocket")
    try:
        server.put(type="websocket.connect")
        assert (await server.take())["type"] == "websocket.accept"
        server.put(type="websocket.receive", text="hello")
        assert [(await server.take())["text"] for _ in range(2)] == ["all: hello", "hello"]
        server.put(type="websocket.disconnect", code=1000)
        assert await server.end() == []
    finally:
        worker.termed = True
        await app.close()
        await asyncio.to_thread(thread.join, 30)


class NewLayer(BaseChannelLayer):
    """Written for this package: with what it can do better than the base, and no more."""

    def send(self, channel, message):
        """Do nothing."""

    def receive(self, channels, block=False):
        """Return nothing."""
        return None, None

    async def areceive_batch(self, channels, limit=1, timeout=0):
        """Return nothing."""
        return []


@pytest.mark.parametrize(
    "layer",
    [NewLayer, ChannelLayer, IPCChannelLayer, RedisChannelLayer, RedisLocalChannelLayer, RedisClusterChannelLayer],
)
def test_layers_for_this_package_need_no_help(layer):
    """They are used as they are, also by a subclass that changes nothing of what they send and receive."""
    for kind in (layer, type("Own", (layer,), {"asend": layer.asend})):
        made = kind.__new__(kind)
        assert make_asynchronous(made) is made
        assert not overrides(made, SENDING, "send_batch")
        assert not overrides(made, RECEIVING, "receive_batch")
