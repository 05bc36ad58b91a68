"""JsonWebsocketConsumer: values in, values out, and frames that are no JSON."""

import datetime
import decimal
import json
import logging
import uuid

import pytest
from django.utils.translation import gettext_lazy

from channels import counters
from channels.generic.websockets import JsonWebsocketConsumer
from tests.support.connection import Connection


class Echo(JsonWebsocketConsumer):
    """Sends back what it gets."""

    def receive(self, content, **kwargs):
        self.send(content)


@pytest.fixture
def socket():
    """A connection to the echo."""
    return Connection([Echo.as_route()])


@pytest.mark.parametrize("text", ['{"a": [1, null]}', '"text"', "3", "[]", "null"])
def test_json_goes_round(socket, text):
    """Any JSON value is content."""
    assert socket.receive(text) == [{"text": text}]


def test_values_of_django_can_be_sent():
    """Dates, decimals, UUIDs and lazy texts need no conversion."""

    class Values(JsonWebsocketConsumer):
        def receive(self, content, **kwargs):
            self.send([datetime.date(2017, 1, 2), decimal.Decimal("1.5"), uuid.UUID(int=1), gettext_lazy("yes")])

    assert Connection([Values.as_route()]).receive("{}") == [
        {"text": '["2017-01-02", "1.5", "00000000-0000-0000-0000-000000000001", "yes"]'}
    ]


@pytest.mark.parametrize("text", ["", "{", "{'a': 1}", "undefined", "[" * 100_000])
def test_bad_json_closes_with_1007(socket, text, caplog):
    """The client made a mistake: an INFO line, no traceback, a code that says so."""
    with caplog.at_level(logging.INFO, "django.channels"):
        assert socket.receive(text) == [{"close": 1007}]
    assert [record.levelname for record in caplog.records] == ["INFO"]


@pytest.mark.parametrize("depth", [201, 960, 970, 980, 9_900, 9_990])
def test_json_that_is_nested_too_deeply_closes_with_1007(socket, depth):
    """More can be decoded than can be encoded again."""
    assert socket.receive("[" * depth + "]" * depth) == [{"close": 1007}]
    assert socket.receive('{"a":' * depth + "1" + "}" * depth) == [{"close": 1007}]


def test_json_may_be_nested(socket):
    """As deep as anybody needs, and as wide as a frame."""
    for text in ("[" * 200 + "]" * 200, json.dumps([[]] * 1000), json.dumps("[" * 1000)):
        assert socket.receive(text) == [{"text": text}]


def test_binary_frame_closes_with_1003(socket, caplog):
    """Bytes are no JSON here."""
    with caplog.at_level(logging.INFO, "django.channels"):
        assert socket.receive(data=b"{}") == [{"close": 1003}]
    assert "No text section for incoming WebSocket frame!" in caplog.text


def test_bad_frames_are_counted(socket):
    """Every dropped message has a counter."""
    before = counters.value("message.dropped.invalid_json")
    socket.receive("{")
    assert counters.value("message.dropped.invalid_json") == before + 1


def test_answer_to_bad_frames_can_be_overridden():
    """A project may tell the client what is wrong and keep the socket open."""

    class Lenient(Echo):
        def receive_invalid(self, frame, error, **kwargs):
            self.send({"error": type(error).__name__, "frame": frame})

    assert Connection([Lenient.as_route()]).receive("{") == [{"text": '{"error": "JSONDecodeError", "frame": "{"}'}]


def test_decoder_and_encoder_can_be_overridden():
    """Both are class methods."""

    class Shouting(Echo):
        @classmethod
        def decode_json(cls, text):
            return text.upper()

        @classmethod
        def encode_json(cls, content):
            return f"<{content}>"

    assert Connection([Shouting.as_route()]).receive("hello") == [{"text": "<HELLO>"}]


def test_send_may_close(socket):
    """The close follows the frame."""
    consumer = JsonWebsocketConsumer(socket.message("websocket.connect"))
    socket.replies()
    consumer.send({"a": 1}, close=4001)
    assert socket.replies() == [{"text": '{"a": 1}', "close": 4001}]


def test_group_send_encodes():
    """A group gets the same frames as a socket."""
    socket = Connection()
    socket.layer.group_add("news", socket.reply_channel)
    JsonWebsocketConsumer.group_send("news", {"when": datetime.date(2017, 1, 2)}, channel_layer=socket.layer)
    assert socket.replies() == [{"text": '{"when": "2017-01-02"}'}]


def test_value_that_cannot_be_encoded_is_an_error_of_the_consumer(socket):
    """Nothing half-made is sent."""
    consumer = JsonWebsocketConsumer(socket.message("websocket.disconnect"))
    with pytest.raises(TypeError):
        consumer.send(object())
    assert socket.replies() == []
