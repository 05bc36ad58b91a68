"""WebsocketConsumer and BaseConsumer: what they call, join, send and refuse."""

import pytest

from channels import Group, route_class
from channels.exceptions import DenyConnection
from channels.generic import BaseConsumer
from channels.generic.websockets import WebsocketConsumer
from channels.message import Message
from channels.registry import channel_layers
from channels.routing import RouteClass
from channels.sessions import channel_session
from tests.support.connection import Connection, make_layer


@pytest.fixture
def default_layer():
    """A fresh layer in the place of the default one."""
    layer = make_layer()
    old = channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", old)


class Recorder(WebsocketConsumer):
    """Keeps what it was called with in its class attribute ``calls``, which tests replace."""

    calls: list

    def connect(self, message, **kwargs):
        self.calls.append(("connect", kwargs))
        super().connect(message, **kwargs)

    def receive(self, text=None, bytes=None, **kwargs):
        self.calls.append(("receive", text, bytes, kwargs))

    def disconnect(self, message, **kwargs):
        self.calls.append(("disconnect", message["code"], kwargs))


@pytest.fixture
def recorder():
    """A subclass of Recorder with a list of its own."""
    return type("OwnRecorder", (Recorder,), {"calls": []})


def connection(consumer, **handshake):
    """Return a connection whose messages ``consumer`` takes."""
    return Connection([consumer.as_route()], **handshake)


# BaseConsumer


def test_base_consumer_calls_the_mapped_method():
    """The channel of the message decides."""
    calls = []

    class Consumer(BaseConsumer):
        method_mapping = {"a.channel": "first", "b.channel": "second"}  # noqa: RUF012

        def first(self, message, **kwargs):
            calls.append(("first", kwargs))

        def second(self, message, **kwargs):
            calls.append(("second", kwargs))

    Consumer(Message({}, "b.channel", make_layer()), room="lobby")
    assert calls == [("second", {"room": "lobby"})]
    assert Consumer.channel_names() == {"a.channel", "b.channel"}


def test_calling_a_consumer_returns_the_instance(recorder):
    """Tests look at the message, the arguments and the path of what ran."""
    made = Connection().message(text="hello")
    instance = recorder(made, room="lobby")
    assert (instance.message, instance.kwargs, instance.path) == (made, {"room": "lobby"}, "/")


def test_each_message_has_its_own_instance(recorder):
    """What is stored on self does not reach the next message."""
    made = Connection().message(text="hello")
    assert recorder(made) is not recorder(made)


def test_dispatch_can_be_overridden():
    """A choice that no mapping can express."""
    calls = []

    class Consumer(BaseConsumer):
        @classmethod
        def channel_names(cls):
            return {"any.channel"}

        def dispatch(self, message, **kwargs):
            calls.append(message.channel.name)

    Connection([route_class(Consumer)]).run("any.channel")
    assert calls == ["any.channel"]


def test_message_without_a_method_names_the_channel():
    """The error says which channel is not mapped."""
    with pytest.raises(KeyError, match=r"other\.channel"):
        BaseConsumer(Message({}, "other.channel", make_layer()))


# as_route


def test_as_route_routes_the_class_with_filters(recorder):
    """The same as route_class."""
    made = recorder.as_route(path=r"^/chat/(?P<room>\w+)/")
    assert isinstance(made, RouteClass)
    socket = Connection([made], path="/chat/lobby/")
    socket.connect()
    assert recorder.calls == [("connect", {"room": "lobby"})]


def test_as_route_with_attrs_leaves_the_class_alone(recorder):
    """Each route gets attributes of its own."""
    made = recorder.as_route(attrs={"groups": ["one"]})
    assert made.consumer is not recorder
    assert (made.consumer.__name__, made.consumer.groups, recorder.groups) == ("OwnRecorder", ["one"], None)


def test_as_route_refuses_attrs_that_are_no_dict(recorder):
    """1.x's error."""
    with pytest.raises(AssertionError, match="attrs must be a dict"):
        recorder.as_route(attrs=[("groups", [])])


# The three messages


def test_life_of_a_socket(recorder):
    """Connect, text, bytes, disconnect."""
    socket = connection(recorder)
    socket.connect()
    socket.receive("hello")
    socket.receive(data=b"\x00")
    socket.disconnect(1001)
    assert recorder.calls == [
        ("connect", {}),
        ("receive", "hello", None, {}),
        ("receive", None, b"\x00", {}),
        ("disconnect", 1001, {}),
    ]


def test_binary_frame_with_an_empty_text_key_is_binary(recorder):
    """Interfaces may send both keys, one of them None."""
    connection(recorder).run("websocket.receive", text=None, bytes=b"\x00")
    assert recorder.calls == [("receive", None, b"\x00", {})]


def test_empty_text_is_text(recorder):
    """An empty frame is not a missing one."""
    connection(recorder).receive("")
    assert recorder.calls == [("receive", "", None, {})]


def test_default_connect_accepts():
    """A class without a connect of its own lets everybody in."""
    assert connection(WebsocketConsumer).connect() == [{"accept": True}]


def test_path_is_that_of_the_message(recorder):
    """On all three messages."""
    recorder.receive = lambda self, **kwargs: self.calls.append(self.path)
    connection(recorder, path="/chat/").receive("x")
    assert recorder.calls == ["/chat/"]


# Groups


class Member(WebsocketConsumer):
    """In a group named after its room."""

    def connection_groups(self, **kwargs):
        return [f"room-{kwargs['room']}"]


def members(socket, name):
    """Return the members of a group on the layer of ``socket``."""
    return socket.layer.group_channels(name)


def test_socket_is_in_its_groups_from_connect_to_disconnect():
    """Names come from what routing captured."""
    socket = Connection([Member.as_route(path=r"^/(?P<room>\w+)/")], path="/lobby/")
    socket.connect()
    assert members(socket, "room-lobby") == [socket.reply_channel]
    socket.disconnect()
    assert members(socket, "room-lobby") == []


def test_groups_attribute_names_fixed_groups():
    """No method needed where the names never change."""
    socket = connection(type("Fixed", (WebsocketConsumer,), {"groups": ["news", "weather"]}))
    socket.connect()
    assert members(socket, "news") == members(socket, "weather") == [socket.reply_channel]


def refuse_by_close(self, message, **kwargs):
    """Close instead of accepting."""
    self.close()


def refuse_at_once(self, message, **kwargs):
    """Refuse without waiting for the end of the consumer."""
    message.reply_channel.send({"close": True}, immediately=True)


def refuse_by_reply(self, message, **kwargs):
    """Say no."""
    message.reply_channel.send({"accept": False})


def refuse_by_signal(self, message, **kwargs):
    """Raise what refuses."""
    raise DenyConnection


def fail(self, message, **kwargs):
    """Make a mistake."""
    raise KeyError("room")


@pytest.mark.parametrize("connect", [refuse_by_close, refuse_at_once, refuse_by_reply, refuse_by_signal, fail])
def test_refused_socket_joins_no_group(connect):
    """A broadcast must not reach who was not let in."""
    socket = connection(type("Refusing", (WebsocketConsumer,), {"groups": ["news"], "connect": connect}))
    socket.connect()
    assert members(socket, "news") == []


def accept_and_close(self, message, **kwargs):
    """Let in, and close at once."""
    super(type(self), self).connect(message)
    self.close(4000)


def greet(self, message, **kwargs):
    """Accept by sending."""
    self.send(text="welcome")
    self.close()


def decide_nothing(self, message, **kwargs):
    """Leave it to the setting."""


@pytest.mark.parametrize("connect", [accept_and_close, greet, decide_nothing])
def test_accepted_socket_joins_its_groups(connect):
    """The first reply that decides is the one that counts, as for the interface."""
    socket = connection(type("Accepting", (WebsocketConsumer,), {"groups": ["news"], "connect": connect}))
    socket.connect()
    assert members(socket, "news") == [socket.reply_channel]


def test_groups_are_joined_before_the_replies_leave():
    """Who announces itself to its group hears it."""

    class Announcing(WebsocketConsumer):
        groups = ("news",)

        def connect(self, message, **kwargs):
            super().connect(message)
            Group("news", channel_layer=message.channel_layer).send({"text": "I am here"})

    assert connection(Announcing).connect() == [{"accept": True}, {"text": "I am here"}]


def test_groups_are_left_before_disconnect_runs():
    """What disconnect tells the others does not go to who left."""
    left = []

    class Leaving(WebsocketConsumer):
        groups = ("news",)

        def disconnect(self, message, **kwargs):
            left.append(message.channel_layer.group_channels("news"))

    socket = connection(Leaving)
    socket.connect()
    socket.disconnect()
    assert left == [[]]


# Sending


@pytest.fixture
def sender():
    """A consumer instance and a function that returns what it sent."""
    socket = Connection()
    return WebsocketConsumer(socket.message(text="x")), socket.replies


def test_send_makes_text_and_binary_frames(sender):
    """One key per frame."""
    consumer, replies = sender
    consumer.send(text="hello")
    consumer.send(bytes=b"\x00")
    consumer.send(text="")
    assert replies() == [{"text": "hello"}, {"bytes": b"\x00"}, {"text": ""}]


def test_send_prefers_text(sender):
    """Both given: the text goes out."""
    consumer, replies = sender
    consumer.send(text="hello", bytes=b"\x00")
    assert replies() == [{"text": "hello"}]


def test_send_may_close_too(sender):
    """With a frame before it or without."""
    consumer, replies = sender
    consumer.send(text="bye", close=4001)
    consumer.send(close=True)
    assert replies() == [{"text": "bye", "close": 4001}, {"close": True}]


@pytest.mark.parametrize("data", [bytearray(b"x"), memoryview(b"x")])
def test_send_takes_bytes_of_any_kind(sender, data):
    """As databases and buffers give them."""
    consumer, replies = sender
    consumer.send(bytes=data)
    assert replies() == [{"bytes": b"x"}]


def test_send_needs_something_to_send(sender):
    """1.x's error."""
    with pytest.raises(ValueError, match=r"^You must pass text or bytes$"):
        sender[0].send()


@pytest.mark.parametrize("arguments", [{"text": b"x"}, {"text": {"a": 1}}, {"bytes": "x"}])
def test_send_refuses_the_wrong_type(sender, arguments):
    """The error comes where the mistake is, not at the interface."""
    with pytest.raises(TypeError, match=r"must be (str|bytes), not "):
        sender[0].send(**arguments)


@pytest.mark.parametrize("code", [0, False, 999, 1004, 1005, 1006, 1015, 2999, 5000, "1000", None])
def test_close_refuses_codes_that_may_not_be_sent(sender, code):
    """RFC 6455 reserves some of them."""
    with pytest.raises(ValueError, match="invalid close code"):
        sender[0].close(code)


@pytest.mark.parametrize("code", [True, 1000, 1001, 1011, 1013, 3000, 4999])
def test_close_sends_the_code(sender, code):
    """True stands for 1000."""
    consumer, replies = sender
    consumer.close(code)
    assert replies() == [{"close": code}]


def test_group_send_uses_the_default_layer(default_layer):
    """A class knows no message, so no layer either."""
    default_layer.group_add("news", "websocket.send.process!socket")
    WebsocketConsumer.group_send("news", text="hello")
    assert default_layer.receive(["websocket.send.process!"])[1] == {"text": "hello"}


def test_group_send_takes_another_layer():
    """Projects with several layers say which."""
    socket = Connection()
    socket.layer.group_add("news", socket.reply_channel)
    WebsocketConsumer.group_send("news", bytes=b"\x00", close=True, channel_layer=socket.layer)
    assert socket.replies() == [{"bytes": b"\x00", "close": True}]


# Decorators


def test_get_handler_can_be_decorated(recorder):
    """The documented place for decorators; the handler is a plain callable with the name of its method."""
    seen = []

    def decorate(handler):
        def inner(message, **kwargs):
            seen.append((handler.__name__, kwargs))
            return handler(message, **kwargs)

        return inner

    class Decorated(recorder):
        channel_session = True

        def get_handler(self, *args, **kwargs):
            return decorate(super().get_handler(*args, **kwargs))

    Connection([Decorated.as_route(path="/(?P<room>.*)")], path="/lobby").receive("x")
    assert seen == [("raw_receive", {"room": "lobby"})]
    assert Decorated.calls == [("receive", "x", None, {"room": "lobby"})]


def test_method_decorator_works_on_methods_that_take_the_message(db):
    """Django's utility, and the decorator directly."""
    from django.utils.decorators import method_decorator

    found = []

    class Decorated(WebsocketConsumer):
        @method_decorator(channel_session)
        def connect(self, message, **kwargs):
            message.channel_session["room"] = "lobby"

        @channel_session
        def disconnect(self, message, **kwargs):
            found.append(message.channel_session["room"])

    socket = connection(Decorated)
    socket.connect()
    socket.disconnect()
    assert found == ["lobby"]


def test_slight_ordering_warns_and_does_nothing():
    """Classes of 1.x set it."""
    with pytest.warns(DeprecationWarning, match="remove slight_ordering from .*Old"):

        class Old(WebsocketConsumer):
            slight_ordering = True

    assert connection(Old).connect() == [{"accept": True}]
