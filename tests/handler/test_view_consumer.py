"""ViewConsumer: responses leave at once, and a client that cannot take them does not hold a worker."""

import logging

import pytest
from django.http import StreamingHttpResponse

from channels import counters
from channels.exceptions import ChannelFull
from channels.handler import AsgiHandler, ViewConsumer
from channels.layers.inmemory import ChannelLayer
from channels.message import Message
from channels.pending import pending_message_store
from tests.support.http import REPLY_CHANNEL, collect, message

QUEUE = REPLY_CHANNEL.partition("!")[0] + "!"


def taken(layer):
    """Return the contents that wait on the reply channel."""
    contents = []
    while (delivery := layer.receive_batch([QUEUE])) != []:
        contents.append(delivery[0].content)
    return contents


@pytest.fixture
def layer():
    """Return a layer of its own, whose reply queue holds two messages."""
    return ChannelLayer(channel_capacity={"http.response.*": 2})


def parts_for(handler_class, events, count):
    """Return a consumer whose only page is a stream that notes its parts and its end."""

    def parts():
        try:
            for number in range(count):
                events.append(number)
                yield b"part"
        finally:
            events.append("closed")

    class Streaming(handler_class):
        def get_response(self, request):
            return StreamingHttpResponse(parts())

    return type("Consumer", (ViewConsumer,), {"handler_class": Streaming, "full_timeout": 0.05})()


def test_consumer_answers_on_the_reply_channel(layer):
    """The page of the view, on the channel of the client."""
    ViewConsumer()(message("/", layer=layer))
    assert collect(taken(layer)).body == b"Hello world"


def test_stream_leaves_while_its_consumer_runs():
    """Only its end waits for the end of the consumer, and leaves with what else the worker has to say."""
    layer = ChannelLayer()
    pending_message_store.prepare()
    try:
        ViewConsumer()(message("/stream/", layer=layer))
        parts = taken(layer)
        assert [part["content"] for part in parts] == [b"one,", b"two,", b"three"]
    finally:
        pending_message_store.send_and_flush()
    assert collect(parts + taken(layer)).body == b"one,two,three"


def test_whole_response_leaves_after_what_its_view_sent(layer):
    """In one batch with it, in the order in which it was made."""
    pending_message_store.prepare()
    ViewConsumer()(message("/publish/", layer=layer))
    assert taken(layer) == []
    pending_message_store.send_and_flush()
    assert collect(taken(layer)).body == b"published"


def test_consumer_sends_nothing_for_a_deferred_response(layer):
    """Somebody else answers."""
    ViewConsumer()(message("/later/", layer=layer))
    assert taken(layer) == []


def test_consumer_needs_a_reply_channel(layer):
    """A message without one is a mistake of its sender."""
    made = Message({"path": "/", "method": "GET"}, "http.request", layer)
    with pytest.raises(ValueError, match="reply_channel"):
        ViewConsumer()(made)


def test_consumer_makes_one_handler():
    """Middleware is loaded with the consumer, not with each request."""
    made = []

    class Handler(AsgiHandler):
        def __init__(self):
            made.append(self)
            super().__init__()

    consumer = type("Consumer", (ViewConsumer,), {"handler_class": Handler})()
    consumer(message("/"))
    consumer(message("/"))
    assert len(made) == 1


def test_consumer_waits_while_the_reply_channel_is_full(layer, monkeypatch):
    """A busy interface gets every part, in order."""
    pauses = []
    collected = []

    def make_room(seconds):
        pauses.append(seconds)
        collected.extend(taken(layer))

    monkeypatch.setattr("channels.handler.time.sleep", make_room)
    events = []
    consumer = parts_for(AsgiHandler, events, 5)
    consumer.full_timeout = 10
    consumer(message("/", layer=layer))
    assert collect(collected + taken(layer)).body == b"part" * 5
    assert pauses != []


def test_consumer_drops_the_rest_when_nobody_reads(layer, caplog):
    """The producer is closed, the log says which channel, the drop is counted."""
    events = []
    before = counters.value("response.dropped.channel_full")
    parts_for(AsgiHandler, events, 100)(message("/endless/", layer=layer))
    assert events == [0, 1, 2, "closed"]
    assert counters.value("response.dropped.channel_full") == before + 1
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert REPLY_CHANNEL in record.getMessage()
    assert "/endless/" in record.getMessage()


def test_consumer_has_a_documented_patience():
    """Ten seconds unless a project says otherwise."""
    assert ViewConsumer.full_timeout == 10


def test_consumer_does_not_hide_other_errors(layer):
    """A message that the layer refuses is the worker's to report; the response is closed first."""

    class Refusing(ChannelLayer):
        def send(self, channel, message):
            raise RuntimeError("no")

        def send_batch(self, batch):
            raise RuntimeError("no")

    events = []
    with pytest.raises(RuntimeError, match="no"):
        parts_for(AsgiHandler, events, 3)(message("/", layer=Refusing()))
    assert events == [0, "closed"]


def test_full_channels_raise_what_the_consumer_waits_for(layer):
    """The premise of the tests above."""
    layer.send(REPLY_CHANNEL, {"content": b""})
    layer.send(REPLY_CHANNEL, {"content": b""})
    with pytest.raises(ChannelFull):
        layer.send(REPLY_CHANNEL, {"content": b""})
