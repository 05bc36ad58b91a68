"""Several streams on one socket: whose consumer is called, what goes back, and frames that name no stream."""

import json
import logging

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels import counters
from channels.exceptions import SendNotAvailableOnDemultiplexer
from channels.generic.websockets import (
    JsonWebsocketConsumer,
    WebsocketConsumer,
    WebsocketDemultiplexer,
    WebsocketMultiplexer,
)
from channels.sessions import channel_session, session_for_reply_channel
from tests.support.connection import Connection

CALLS = []


@pytest.fixture(autouse=True)
def calls():
    """What the consumers of this module were called with; empty at the start of each test."""
    CALLS.clear()
    return CALLS


class Echo(JsonWebsocketConsumer):
    """Sends back what it gets, on its stream."""

    def connect(self, message, multiplexer, **kwargs):
        multiplexer.send({"status": "connected"})

    def receive(self, content, multiplexer, **kwargs):
        multiplexer.send({"original": content})

    def disconnect(self, message, multiplexer, **kwargs):
        CALLS.append(("closed", multiplexer.stream))


def note(message, multiplexer, **kwargs):
    """Record a message; a consumer that is a function."""
    CALLS.append((message.channel.name, message.get("text"), multiplexer.stream, kwargs))


class Noting:
    """Has a consumer that is a bound method of a class."""

    @classmethod
    def consumer(cls, message, multiplexer, **kwargs):
        CALLS.append((cls.__name__, message.channel.name))


class Demultiplexer(WebsocketDemultiplexer):
    """Three streams, one per kind of consumer."""

    consumers = {"echo": Echo, "note": note, "method": Noting.consumer}  # noqa: RUF012


def connection(demultiplexer=Demultiplexer, **handshake):
    """Return a connection to a demultiplexer."""
    return Connection([demultiplexer.as_route()], **handshake)


def frame(stream, payload):
    """Return the text of a frame."""
    return json.dumps({"stream": stream, "payload": payload})


def answer(replies):
    """Return the one reply decoded."""
    (reply,) = replies
    return json.loads(reply["text"])


def test_frame_goes_to_the_consumer_of_its_stream():
    """And the answer comes back on it."""
    assert answer(connection().receive(frame("echo", {"a": 1}))) == {
        "stream": "echo",
        "payload": {"original": {"a": 1}},
    }


def test_function_gets_the_payload_as_text(calls):
    """Any consumer of websocket.receive can take a stream."""
    connection().receive(frame("note", {"a": 1}))
    assert calls == [("websocket.receive", '{"a": 1}', "note", {})]


def test_bound_method_is_a_consumer(calls):
    """As bindings are."""
    connection().receive(frame("method", {}))
    assert calls == [("Noting", "websocket.receive")]


def test_connect_accepts_and_calls_all_streams(calls):
    """The socket is accepted before any stream says a word."""
    replies = connection().connect()
    assert replies[0] == {"accept": True}
    assert json.loads(replies[1]["text"]) == {"stream": "echo", "payload": {"status": "connected"}}
    assert calls == [("websocket.connect", None, "note", {}), ("Noting", "websocket.connect")]


def test_disconnect_calls_all_streams(calls):
    """Each stream cleans up."""
    connection().disconnect()
    assert calls == [("closed", "echo"), ("websocket.disconnect", None, "note", {}), ("Noting", "websocket.disconnect")]


def test_what_routing_captured_reaches_the_streams(calls):
    """Keyword arguments go along with the multiplexer."""
    Connection([Demultiplexer.as_route(path=r"^/(?P<room>\w+)/")], path="/lobby/").receive(frame("note", {}))
    assert calls[0][-1] == {"room": "lobby"}


def test_groups_of_streams_are_joined_and_left():
    """A stream's consumer manages groups as it does on a socket of its own."""
    member = type("Member", (JsonWebsocketConsumer,), {"groups": ["news"]})
    socket = connection(type("D", (WebsocketDemultiplexer,), {"consumers": {"news": member}}))
    socket.connect()
    assert socket.layer.group_channels("news") == [socket.reply_channel]
    socket.disconnect()
    assert socket.layer.group_channels("news") == []


# The multiplexer


def test_multiplexer_knows_where_it_is(calls):
    """Stream, reply channel and the demultiplexer that made it."""
    seen = []

    def consumer(message, multiplexer):
        seen.append((multiplexer.stream, multiplexer.reply_channel.name, type(multiplexer.demultiplexer)))

    made = type("D", (WebsocketDemultiplexer,), {"consumers": {"s": consumer}})
    socket = connection(made)
    socket.receive(frame("s", {}))
    assert [entry[:2] for entry in seen] == [("s", socket.reply_channel)]
    assert issubclass(seen[0][2], WebsocketDemultiplexer)


def test_message_of_the_demultiplexer_stays_as_it_came():
    """The stream gets a message of its own."""
    texts = []

    def consumer(message, multiplexer):
        texts.append((message["text"], multiplexer.demultiplexer.message["text"]))

    connection(type("D", (WebsocketDemultiplexer,), {"consumers": {"s": consumer}})).receive(frame("s", {"a": 1}))
    assert texts == [('{"a": 1}', frame("s", {"a": 1}))]


@pytest.mark.parametrize("owner", [WebsocketMultiplexer, WebsocketDemultiplexer])
def test_encode_is_on_both_classes(owner):
    """Code outside consumers makes frames with either."""
    assert owner.encode("s", {"a": 1}) == {"text": '{"stream": "s", "payload": {"a": 1}}'}


def test_encoder_can_be_replaced():
    """A multiplexer class of the project encodes answers, errors and what ``encode`` returns."""

    class Shouting(WebsocketMultiplexer):
        @classmethod
        def encode_json(cls, content):
            return json.dumps(content).upper()

    made = type("D", (Demultiplexer,), {"multiplexer_class": Shouting})
    assert connection(made).receive(frame("echo", {}))[0]["text"] == '{"STREAM": "ECHO", "PAYLOAD": {"ORIGINAL": {}}}'
    assert made.encode("s", {}) == {"text": '{"STREAM": "S", "PAYLOAD": {}}'}


@pytest.mark.parametrize(("close", "expected"), [(False, {}), (True, {"close": True}), (4001, {"close": 4001})])
def test_group_send_names_the_stream(close, expected):
    """A group of multiplexed sockets gets multiplexed frames."""
    socket = connection()
    socket.layer.group_add("news", socket.reply_channel)
    WebsocketMultiplexer.group_send("news", "s", {"a": 1}, close=close, channel_layer=socket.layer)
    assert socket.replies() == [{"text": '{"stream": "s", "payload": {"a": 1}}', **expected}]


# send


def test_send_of_the_demultiplexer_is_refused():
    """A frame must name its stream."""
    demultiplexer = Demultiplexer(connection().message("websocket.disconnect", code=1000))
    with pytest.raises(SendNotAvailableOnDemultiplexer, match=r"Use multiplexer\.send"):
        demultiplexer.send({"a": 1})
    with pytest.raises(SendNotAvailableOnDemultiplexer, match=r"Use WebsocketMultiplexer\.group_send"):
        Demultiplexer.group_send("news", {"a": 1})


def test_send_of_a_stream_is_refused_for_the_instance_only():
    """The same class serves sockets of its own, before and after."""

    class Sending(JsonWebsocketConsumer):
        def receive(self, content, **kwargs):
            try:
                self.send(content)
            except SendNotAvailableOnDemultiplexer as error:
                CALLS.append(str(error))

    connection(type("D", (WebsocketDemultiplexer,), {"consumers": {"s": Sending}})).receive(frame("s", {}))
    assert CALLS == ["Use multiplexer.send of the multiplexer kwarg."]
    assert Connection([Sending.as_route()]).receive('{"a": 1}') == [{"text": '{"a": 1}'}]


def test_stream_can_close_the_socket():
    """Closing needs no stream."""
    closing = type("Closing", (WebsocketConsumer,), {"receive": lambda self, **kwargs: self.close(4001)})
    socket = connection(type("D", (WebsocketDemultiplexer,), {"consumers": {"s": closing}}))
    assert socket.receive(frame("s", {})) == [{"close": 4001}]


# Bad frames


@pytest.mark.parametrize(
    ("text", "stream", "code"),
    [
        ("{", None, "invalid_json"),
        ("[]", None, "invalid_frame"),
        ('"stream payload"', None, "invalid_frame"),
        ('{"stream": "echo"}', None, "invalid_frame"),
        ('{"payload": {}}', None, "invalid_frame"),
        ('{"stream": ["echo"], "payload": {}}', None, "invalid_frame"),
        ('{"stream": "other", "payload": {}}', "other", "unknown_stream"),
        ('{"stream": "echo", "payload": []}', "echo", "invalid_payload"),
        ('{"stream": "echo", "payload": null}', "echo", "invalid_payload"),
    ],
)
def test_bad_frame_is_answered(text, stream, code, caplog):
    """The client is told on the socket, which stays open; the log has one INFO line and no traceback."""
    before = counters.value(f"message.dropped.{code}")
    with caplog.at_level(logging.INFO, "django.channels"):
        replied = answer(connection().receive(text))
    assert (replied["stream"], replied["error"]["code"]) == (stream, code)
    assert replied["error"]["detail"]
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert counters.value(f"message.dropped.{code}") == before + 1


def test_binary_frame_is_answered():
    """Streams are text."""
    assert answer(connection().receive(data=b"\x00"))["error"]["code"] == "invalid_json"


# Sessions


@pytest.mark.parametrize("decorate", [False, True])
def test_all_streams_share_one_session(decorate, django_assert_num_queries, db):
    """What every stream changes is read once and saved once, at the end."""

    class First(JsonWebsocketConsumer):
        channel_session = True

        def connect(self, message, **kwargs):
            message.channel_session["first"] = 1

    @channel_session
    def second(message, multiplexer):
        message.channel_session["second"] = message.channel_session["first"] + 1

    made = type(
        "D", (WebsocketDemultiplexer,), {"consumers": {"first": First, "second": second}, "channel_session": decorate}
    )
    socket = connection(made)
    with django_assert_num_queries(4):
        socket.connect()
    assert dict(session_for_reply_channel(socket.reply_channel).items()) == {"first": 1, "second": 2}


def test_session_lasts_until_all_streams_are_disconnected(db):
    """The first stream to go does not take the others' data with it."""

    @channel_session
    def consumer(message, multiplexer):
        if message.channel.name == "websocket.connect":
            message.channel_session["room"] = "lobby"
        else:
            CALLS.append((multiplexer.stream, message.channel_session["room"]))

    socket = connection(type("D", (WebsocketDemultiplexer,), {"consumers": {"a": consumer, "b": consumer}}))
    socket.connect()
    socket.disconnect()
    assert CALLS == [("a", "lobby"), ("b", "lobby")]


def test_user_of_the_demultiplexer_is_that_of_its_streams(user, login, cookie):
    """http_user on the outside is enough."""

    def consumer(message, multiplexer):
        multiplexer.send({"user": message.user.username})

    made = type("D", (WebsocketDemultiplexer,), {"consumers": {"s": consumer}, "http_user": True})
    socket = connection(made, headers=cookie(login(user)))
    socket.connect()
    assert answer(socket.receive(frame("s", {})))["payload"] == {"user": "ada"}


def test_mapping_to_channels_is_refused_with_the_remedy():
    """Channels 1.0 had one; to ignore it would leave every frame unread."""
    with pytest.raises(ImproperlyConfigured, match=r"Old has a mapping .* consumers = \{stream: consumer\}"):
        type("Old", (WebsocketDemultiplexer,), {"mapping": {"echo": "echo.receive"}, "__qualname__": "Old"})


@pytest.mark.parametrize("depth", [199, 960, 970, 980, 9_987])
def test_frame_that_is_nested_too_deeply_is_refused(depth):
    """On every interpreter, before a stream could fail on it."""
    error = answer(connection().receive(f'{{"stream": "echo", "payload": {{"a": {"[" * depth + "]" * depth}}}}}'))
    assert error["error"]["code"] == "invalid_json"


def test_consumer_of_a_stream_that_nobody_would_await_is_refused():
    """It would take frames and do nothing."""

    async def forgotten(message, multiplexer, **kwargs): ...

    with pytest.raises(ImproperlyConfigured, match="forgotten is an async function"):
        type("Own", (WebsocketDemultiplexer,), {"consumers": {"a": forgotten}})
