"""What projects of 1.x override, mix in and route: each hook is still called, with what it was called with."""

import functools

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.utils.decorators import method_decorator

from channels import Group, include, route
from channels.auth import channel_session_user_from_http
from channels.exceptions import SendNotAvailableOnDemultiplexer
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketConsumer, WebsocketDemultiplexer
from channels.routing import Router
from channels.security.websockets import allowed_hosts_only
from channels.sessions import channel_session, enforce_ordering, http_session
from tests.support.connection import Connection

CALLS = []


@pytest.fixture(autouse=True)
def calls():
    """What was called in this test."""
    CALLS.clear()
    return CALLS


def noted(func):
    """Decorate a consumer as projects do."""

    @functools.wraps(func)
    def inner(message, *args, **kwargs):
        CALLS.append(message.channel.name)
        return func(message, *args, **kwargs)

    return inner


# Consumers of every kind


def answer(message, extra="", **kwargs):
    """Say what came."""
    message.reply_channel.send({"text": message["text"] + extra})


class Callable:
    """Instances are consumers, and so are all kinds of methods."""

    def __call__(self, message):
        answer(message)

    def method(self, message):
        """Be bound."""
        answer(message)

    @classmethod
    def of_class(cls, message):
        """Be bound to the class."""
        answer(message)

    @staticmethod
    def of_nothing(message):
        """Be a function."""
        answer(message)

    @channel_session
    def decorated(self, message):
        """Have a session."""
        answer(message, extra=str(message.channel_session.get("none", "")))


class OldStyle:
    """A class of no base: to make it is to consume."""

    def __init__(self, message, **kwargs):
        answer(message)


@pytest.mark.parametrize(
    "consumer",
    [
        answer,
        f"{__name__}.answer",
        functools.partial(answer, extra=""),
        lambda message: answer(message),
        Callable(),
        Callable().method,
        Callable.of_class,
        Callable.of_nothing,
        Callable().decorated,
        OldStyle,
        noted(answer),
        channel_session(functools.partial(answer, extra="")),
        channel_session(Callable()),
        channel_session(OldStyle),
    ],
)
def test_anything_that_takes_a_message_is_a_consumer(db, consumer):
    """Functions, methods, partials, classes and instances, decorated or not."""
    assert Connection([route("websocket.receive", consumer)]).receive("hello") == [{"text": "hello"}]


def test_route_of_any_consumer_can_be_read():
    """Logs and checks name it."""
    names = [str(route("c", consumer)) for consumer in (functools.partial(answer), Callable(), Callable().method)]
    assert names == [f"c -> {__name__}.{name}" for name in ("answer", "Callable", "Callable.method")]


DECORATORS = [enforce_ordering, channel_session_user_from_http, http_session, allowed_hosts_only, noted]


@pytest.mark.parametrize("turn", range(len(DECORATORS)))
def test_decorators_may_stand_in_any_order(calls, db, turn):
    """Ours and a project's own."""

    def connect(message, room):
        CALLS.append((room, message.user.is_anonymous, message.http_session))
        message.channel_session["room"] = room
        message.reply_channel.send({"accept": True})

    for decorate in DECORATORS[turn:] + DECORATORS[:turn]:
        connect = decorate(connect)
    routing = [route("websocket.connect", connect, path=r"^/(?P<room>\w+)/$")]
    socket = Connection(routing, path="/lobby/", headers=[[b"origin", b"http://localhost"]])
    assert socket.connect() == [{"accept": True}]
    assert calls[0] == "websocket.connect"
    assert calls[1:] == [("lobby", True, None)]


# Hooks of class-based consumers


class Hooked(WebsocketConsumer):
    """Overrides all that the documentation of 1.x names."""

    method_mapping = {**WebsocketConsumer.method_mapping, "chat.message": "chat_message"}  # noqa: RUF012

    def raw_connect(self, message, **kwargs):
        CALLS.append("raw_connect")
        super().raw_connect(message, **kwargs)

    def raw_receive(self, message, **kwargs):
        CALLS.append("raw_receive")
        super().raw_receive(message, **kwargs)

    def raw_disconnect(self, message, **kwargs):
        CALLS.append("raw_disconnect")
        super().raw_disconnect(message, **kwargs)

    def connection_groups(self, room, **kwargs):
        return [f"room-{room}"]

    def connect(self, message, room, **kwargs):
        CALLS.append(("connect", room))
        super().connect(message, room=room, **kwargs)

    def receive(self, text=None, bytes=None, **kwargs):
        CALLS.append(("receive", text, bytes, kwargs))

    @method_decorator(noted)
    def disconnect(self, message, **kwargs):
        CALLS.append(("disconnect", kwargs))

    def chat_message(self, message, room):
        CALLS.append(("chat", room))


def test_hooks_are_called_with_what_they_take(calls):
    """The raw ones around the others, all with what routing captured."""
    socket = Connection([Hooked.as_route(path=r"^/(?P<room>\w+)/$")], path="/lobby/")
    assert socket.connect() == [{"accept": True}]
    socket.receive("hello")
    socket.receive(data=b"\x00")
    socket.run("chat.message")
    socket.disconnect()
    assert calls == [
        *("raw_connect", ("connect", "lobby")),
        *("raw_receive", ("receive", "hello", None, {"room": "lobby"})),
        *("raw_receive", ("receive", None, b"\x00", {"room": "lobby"})),
        ("chat", "lobby"),
        *("raw_disconnect", "websocket.disconnect", ("disconnect", {"room": "lobby"})),
    ]


def test_raw_connect_of_a_project_may_join_groups_by_itself():
    """As that of 1.x did, before it connects."""

    class Own(WebsocketConsumer):
        groups = ("all",)

        def raw_connect(self, message, **kwargs):
            for name in self.connection_groups(**kwargs):
                Group(name, channel_layer=message.channel_layer).add(message.reply_channel)
            self.connect(message, **kwargs)

    socket = Connection([Own.as_route()])
    assert socket.connect() == [{"accept": True}]
    assert socket.layer.group_channels("all") == [socket.reply_channel]


def test_attributes_may_be_properties_of_a_mixin(calls, db):
    """They are read from the instance, which knows its message."""

    class Mixin:
        @property
        def groups(self):
            return [f"room-{self.kwargs['room']}"]

        @property
        def http_user(self):
            return True

        @property
        def strict_ordering(self):
            return False

        def connect(self, message, **kwargs):
            CALLS.append(message.user.is_anonymous)
            super().connect(message, **kwargs)

    class Own(Mixin, JsonWebsocketConsumer):
        pass

    socket = Connection([Own.as_route(path=r"^/(?P<room>\w+)/$")], path="/lobby/")
    assert socket.connect() == [{"accept": True}]
    assert calls == [True]
    assert socket.layer.group_channels("room-lobby") == [socket.reply_channel]


def test_function_may_call_a_consumer_class(calls, db):
    """Inside decorators of its own."""

    class Own(WebsocketConsumer):
        http_user = True

        def receive(self, text=None, **kwargs):
            self.send(text=f"{text} {self.message.user.is_anonymous} {kwargs}")

    @channel_session_user_from_http
    def receive(message, room):
        CALLS.append(type(Own(message, room=room)))

    socket = Connection([route("websocket.receive", receive, path=r"^/(?P<room>\w+)/$")], path="/lobby/")
    assert socket.receive("hello") == [{"text": "hello True {'room': 'lobby'}"}]
    assert calls == [Own]


@pytest.mark.parametrize("name", ["connect", "receive", "raw_disconnect"])
def test_method_that_nobody_would_await_is_refused(name):
    """A check that never ran would let everybody in."""

    async def method(self, *args, **kwargs):
        self.close()

    with pytest.raises(ImproperlyConfigured, match="Consumers are synchronous"):
        type("Own", (WebsocketConsumer,), {name: method})
    with pytest.raises(ImproperlyConfigured, match="Consumers are synchronous"):
        type("Own", (type("Mixin", (), {name: method}), WebsocketConsumer), {})


def test_helpers_may_be_asynchronous():
    """Who calls them knows how."""

    class Own(WebsocketConsumer):
        async def fetch(self):
            return "fetched"

        def receive(self, text=None, **kwargs):
            self.send(text=async_to_sync(self.fetch)())

    assert Connection([Own.as_route()]).receive("x") == [{"text": "fetched"}]


@pytest.mark.parametrize(
    "decorate", [enforce_ordering, channel_session_user_from_http, http_session, allowed_hosts_only]
)
def test_decorated_function_that_nobody_would_await_is_refused(decorate):
    """The decorator sees what the route could not."""

    async def connect(message):
        message.reply_channel.send({"close": True})

    with pytest.raises(ImproperlyConfigured, match="connect is an async function"):
        decorate(connect)


# Demultiplexers


class Stream(JsonWebsocketConsumer):
    """A stream that notes its connect."""

    def connection_groups(self, multiplexer, **kwargs):
        return [f"stream-{multiplexer.stream}"]

    def connect(self, message, multiplexer, **kwargs):
        CALLS.append(("connect", multiplexer.stream))


class Demultiplexer(WebsocketDemultiplexer):
    """Refuses some, and speaks for itself where it must not."""

    consumers = {"one": Stream}  # noqa: RUF012

    def connect(self, message, room, **kwargs):
        if room == "closed":
            self.close()
            return
        super().connect(message, room=room, **kwargs)
        with pytest.raises(SendNotAvailableOnDemultiplexer, match=r"Use multiplexer\.send"):
            self.send({"hello": room})
        message.reply_channel.send(self.encode("one", {"hello": room}))

    def receive(self, content, **kwargs):
        CALLS.append(content)
        super().receive(content, **kwargs)

    def get_handler(self, message, **kwargs):
        return noted(super().get_handler(message, **kwargs))


@pytest.fixture
def demultiplexed():
    """Return a socket on a path of a demultiplexer."""
    return lambda path: Connection([Demultiplexer.as_route(path=r"^/(?P<room>\w+)/$")], path=path)


def test_demultiplexer_may_send_by_hand_when_it_connects(calls, demultiplexed):
    """In the form of a stream; its own send names none and is refused."""
    replies = demultiplexed("/open/").connect()
    assert replies[0] == {"accept": True}
    assert replies[-1] == Demultiplexer.encode("one", {"hello": "open"})
    assert calls == ["websocket.connect", ("connect", "one")]


def test_demultiplexer_may_refuse(calls, demultiplexed):
    """No stream hears of it, and no group is joined."""
    socket = demultiplexed("/closed/")
    assert socket.connect() == [{"close": True}]
    assert calls == ["websocket.connect"]
    assert socket.layer.group_channels("stream-one") == []


def test_receive_of_a_demultiplexer_sees_the_whole_frame(calls, demultiplexed):
    """Before the stream does."""
    socket = demultiplexed("/open/")
    socket.connect()
    calls.clear()
    socket.receive('{"stream": "one", "payload": {"a": 1}}')
    assert calls == ["websocket.receive", {"stream": "one", "payload": {"a": 1}}]


# Routing

ROOMS = [route("chat.message", answer, path=rb"^/(?P<room>\w+)/(?P<id>\d+)?$", method="")]
ROUTING = [include(f"{__name__}.ROOMS", path=r"^/(?P<org>\w+)/chat", method=r"^(?:POST|GET)$")]


def test_include_takes_patterns_for_several_keys():
    """Each cuts its own value; an optional group that takes no part is None."""
    message = Connection().message("chat.message", path="/acme/chat/lobby/", method="POST")
    assert Router(f"{__name__}.ROUTING").match(message) == (answer, {"org": "acme", "id": None, "room": "lobby"})
