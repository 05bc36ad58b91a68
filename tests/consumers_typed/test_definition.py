"""What is checked when a consumer or a message is defined or routed, and how it is told."""

from abc import ABC
from typing import Any, Generic, Literal, TypeVar

import pytest
from django.contrib.auth.models import Group as Room
from django.core.exceptions import ImproperlyConfigured
from pydantic import ValidationError

from channels import include
from channels.typed import (
    BaseChannelEvent,
    BaseGroupMessage,
    BaseMessage,
    BasePermission,
    PingMessage,
    PongMessage,
    TypedConsumer,
    event_handler,
    ws_handler,
)
from tests.consumers_typed.rooms import Answer, ChatMessage, NotifyEvent, WhoMessage

PING, PONG = {"action": "ping"}, {"action": "pong", "payload": None}


class Heard(BaseGroupMessage):
    """What a group hears."""

    action: Literal["heard"] = "heard"
    payload: None = None


class Answering:
    """Open to everybody; answers with what came."""

    authentication_classes = ()
    permission_classes = ()

    def receive_message(self, message, **kwargs):
        self.send_message(Answer(payload=[type(message).__name__, kwargs]))


# Parameters


def test_consumer_without_parameters_is_told():
    """With a hint how to give one."""
    with pytest.raises(ValueError, match="'Nothing' must specify at least the incoming message type") as caught:
        type("Nothing", (TypedConsumer,), {})
    assert "Hint: class Nothing(TypedConsumer[YourMessageType])" in str(caught.value)


def test_missing_parameters_are_none():
    """A consumer of messages only has no events, no messages to groups and no object."""

    class Small(Answering, TypedConsumer[PingMessage]):
        pass

    protocol = Small.protocol
    assert protocol.incoming == (PingMessage,)
    assert (protocol.events, protocol.group_messages, protocol.model) == ((), (), None)


def test_parameters_may_be_unions():
    """Each is kept as its models."""

    class Full(Answering, TypedConsumer[PingMessage | ChatMessage, NotifyEvent, Heard, Room]):
        pass

    protocol = Full.protocol
    assert protocol.incoming == (PingMessage, ChatMessage)
    assert (protocol.events, protocol.group_messages, protocol.model) == ((NotifyEvent,), (Heard,), Room)


def test_subclasses_inherit_parameters(open_socket):
    """Those of a subclass of a subclass too; one may give its own."""

    class Parent(Answering, TypedConsumer[PingMessage, NotifyEvent]):
        pass

    class Child(Parent):
        pass

    class Other(Child, TypedConsumer[WhoMessage]):
        pass

    assert (Child.protocol.incoming, Child.protocol.events) == ((PingMessage,), (NotifyEvent,))
    assert (Other.protocol.incoming, Other.protocol.events) == ((WhoMessage,), ())
    socket = open_socket(routes=[Child.as_route()])
    socket.send_json(PING)
    assert socket.receive_json()["payload"] == ["PingMessage", {}]


T = TypeVar("T", bound=BaseMessage)


def test_generic_base_leaves_parameters_to_subclasses():
    """As bases of a project do."""

    class Base(Answering, TypedConsumer[T, NotifyEvent], Generic[T]):
        pass

    class Abstract(Answering, TypedConsumer[Any], ABC):
        pass

    class Pinged(Base[PingMessage]):
        pass

    assert not hasattr(Base, "protocol")
    assert not hasattr(Abstract, "protocol")
    assert (Pinged.protocol.incoming, Pinged.protocol.events) == ((PingMessage,), (NotifyEvent,))


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ((int,), "incoming message type of Wrong must be a BaseMessage"),
        ((PingMessage | NotifyEvent,), "incoming message type of Wrong must be a BaseMessage"),
        ((PingMessage, PongMessage), "event type of Wrong must be a BaseChannelEvent"),
        ((PingMessage, None, PongMessage), "group message type of Wrong must be a BaseGroupMessage"),
        ((PingMessage, None, None, str), "model type of Wrong must be a Model"),
    ],
)
def test_parameter_of_a_wrong_kind_is_told(parameters, reason):
    """Which of them, of which class, and what it must be."""
    with pytest.raises(TypeError, match=reason):
        exec("class Wrong(TypedConsumer[parameters]): ...", {"TypedConsumer": TypedConsumer, "parameters": parameters})


def test_two_models_with_one_action_are_told():
    """They could not be told apart."""

    class Ping(BaseMessage):
        action: Literal["ping"] = "ping"
        payload: int

    with pytest.raises(TypeError, match="two models with the action 'ping'"):
        exec("class Wrong(TypedConsumer[PingMessage | Ping]): ...", {**globals(), "Ping": Ping})


# Methods


def test_consumer_without_a_method_for_a_message_is_told_when_it_is_routed():
    """Not by a client's first message."""

    class Deaf(TypedConsumer[PingMessage | WhoMessage]):
        @ws_handler
        def ping(self, message: PingMessage) -> None: ...

    with pytest.raises(TypeError, match="Deaf takes WhoMessage and has no method for it: define receive_message"):
        Deaf.as_route()


@pytest.mark.parametrize(
    ("name", "instead"),
    [("connect", "post_authentication"), ("receive", "receive_message"), ("connection_groups", "build_groups")],
)
def test_method_that_nothing_calls_is_told(name, instead):
    """With what typed consumers have in its place."""

    class Part(Answering, TypedConsumer[PingMessage]):
        pass

    with pytest.raises(TypeError, match=f"Part.{name} would never be called: typed consumers have {instead}"):
        Part.as_route({name: lambda self, *args, **kwargs: None})


def test_handlers_come_before_receive_message(open_socket):
    """What no handler takes is for the one method; one with parentheses is like one without."""

    class Mixed(Answering, TypedConsumer[PingMessage | WhoMessage]):
        @ws_handler()
        def ping(self, message: PingMessage) -> PongMessage:
            return PongMessage()

    socket = open_socket(routes=[Mixed.as_route()])
    socket.send_json(PING)
    socket.send_json({"action": "who"})
    assert socket.receive_json() == PONG
    assert socket.receive_json()["payload"] == ["WhoMessage", {}]


def test_handlers_are_found_in_bases(open_socket):
    """In mixins that are no consumers too; a subclass may override one, or take it away."""

    class Pinging:
        @ws_handler
        def ping(self, message: PingMessage) -> PongMessage:
            return PongMessage()

    class Asking:
        @ws_handler
        def who(self, message: WhoMessage) -> Answer:
            return Answer(payload="mixin")

        @event_handler
        def notify(self, event: NotifyEvent) -> None: ...

    class Both(Answering, Pinging, Asking, TypedConsumer):
        @ws_handler
        def who(self, message: WhoMessage) -> Answer:
            return Answer(payload="own")

    class Less(Both):
        notify = None

    assert Both.protocol.incoming == (WhoMessage, PingMessage)
    assert (Both.protocol.events, Less.protocol.events) == ((NotifyEvent,), ())
    socket = open_socket(routes=[Both.as_route()])
    socket.send_json(PING)
    socket.send_json({"action": "who"})
    assert [socket.receive_json()["payload"] for _ in range(2)] == [None, "own"]


def test_what_decorators_are_told_is_kept():
    """For whoever documents the consumer; else it is in the docstring and the annotations."""

    class Told(Answering, TypedConsumer):
        @ws_handler(action="Ping", summary="Sum", description="More", tags=["a"], output_type=PongMessage | Answer)
        def ping(self, message):
            """Not this."""

        ping.__annotations__["message"] = PingMessage

        @ws_handler(input_type=WhoMessage)
        def who(self, message) -> Answer | None:
            """Tell who.

            At length.
            """

    ping, who = (Told.protocol.handlers[action] for action in ("ping", "who"))
    assert (ping.action, ping.summary, ping.description, ping.tags) == ("Ping", "Sum", "More", ("a",))
    assert ping.outputs == (PongMessage, Answer)
    assert (who.action, who.summary, who.description, who.tags) == (None, "Tell who.", "At length.", ())
    assert (who.inputs, who.outputs) == ((WhoMessage,), (Answer,))


def _wrong_handlers():
    async def waits(self, message: PingMessage) -> None: ...

    def untyped(self, message): ...

    def number(self, message: int) -> None: ...

    def unknown(self, message: "Nonsense") -> None: ...  # noqa: F821

    def texts(self, message: PingMessage) -> str: ...

    def event(self, message: NotifyEvent) -> None: ...

    return [
        (waits, "Handlers are synchronous, but .*waits is an async function"),
        (untyped, "first argument of .*untyped must be annotated with a BaseMessage"),
        (number, "first argument of .*number must be annotated with a BaseMessage"),
        (unknown, "annotations of .*unknown cannot be read .*Nonsense.*: give the decorator input_type"),
        (texts, "texts may only return a BaseMessage or None"),
        (event, "first argument of .*event must be annotated with a BaseMessage"),
    ]


@pytest.mark.parametrize(("method", "reason"), _wrong_handlers())
def test_wrong_handler_is_told(method, reason):
    """By the name of the method, when the class is made."""
    with pytest.raises(TypeError, match=reason):
        type("Wrong", (TypedConsumer,), {"method": ws_handler(method)})


def test_two_handlers_of_one_message_are_told():
    """By both their names."""
    with pytest.raises(TypeError, match="Wrong has two handlers for 'ping': first and second"):

        class Wrong(TypedConsumer):
            @ws_handler
            def first(self, message: PingMessage) -> None: ...

            @ws_handler
            def second(self, message: PingMessage) -> None: ...


# Groups


def test_groups_are_inherited_from_mixins(open_socket):
    """From whichever class comes first, as all attributes are; they are joined, and more can be."""

    class Mixed:
        groups = ("mixed",)

    class Parent(Answering, TypedConsumer[PingMessage]):
        groups = ("parent",)

    class Child(Mixed, Parent):
        def receive_message(self, message, **kwargs):
            self.join_group("more")
            self.send_json({"groups": self.groups})

    class Grandchild(Child): ...

    class Other(Parent, Mixed): ...

    assert [each.groups for each in (Parent, Child, Grandchild, Other)] == [
        ("parent",),
        ("mixed",),
        ("mixed",),
        ("parent",),
    ]
    socket = open_socket(routes=[Grandchild.as_route()])
    socket.send_json(PING)
    assert socket.receive_json() == {"groups": ["mixed", "more"]}


def test_groups_that_are_one_text_are_told():
    """Each of its letters would be a group."""
    with pytest.raises(TypeError, match="Groups must be a list of names, not the text 'lobby'"):

        class Wrong(Answering, TypedConsumer[PingMessage]):
            groups = "lobby"


# Models


@pytest.mark.parametrize(("base", "field"), [(BaseMessage, "action"), (BaseChannelEvent, "handler")])
def test_model_without_a_literal_is_told(base, field):
    """The field that tells models apart must be one; bases of others are let alone."""
    with pytest.raises(TypeError, match=f"Class 'Missing' must define an '{field}' field"):
        type("Missing", (base,), {})
    with pytest.raises(TypeError, match=f"Class 'Text' requires the field '{field}' to be a `Literal` type"):
        type("Text", (base,), {"__annotations__": {field: str}})
    assert issubclass(type("Base", (base, ABC), {}), base)


def test_unknown_keys_of_a_message_are_ignored(open_socket):
    """As pydantic does; a model may forbid them."""

    class Strict(PingMessage, extra="forbid"):
        action: Literal["strict"] = "strict"

    class Both(Answering, TypedConsumer[PingMessage | Strict]):
        pass

    socket = open_socket(routes=[Both.as_route()])
    socket.send_json({**PING, "more": 1})
    assert socket.receive_json()["payload"] == ["PingMessage", {}]
    socket.send_json({"action": "strict", "more": 1})
    assert socket.receive_json()["payload"][0]["type"] == "extra_forbidden"


def test_single_model_needs_its_action(open_socket):
    """Without a union the action is a field like any other."""

    class Single(BaseMessage):
        action: Literal["single"]
        payload: int

    class One(Answering, TypedConsumer[Single]):
        pass

    socket = open_socket(routes=[One.as_route()])
    for content, kind, loc in (
        ({"payload": 1}, "missing", ["action"]),
        ({"action": "x", "payload": 1}, "literal_error", ["action"]),
        ({"action": "single", "payload": "x"}, "int_parsing", ["payload"]),
    ):
        socket.send_json(content)
        (detail,) = socket.receive_json()["payload"]
        assert (detail["type"], detail["loc"]) == (kind, loc)
    socket.send_json({"action": "single", "payload": 1})
    assert socket.receive_json()["payload"] == ["Single", {}]


def test_group_message_is_nobodys_by_itself():
    """Whose it is is found out where it is delivered."""
    assert Heard().model_dump() == {"action": "heard", "payload": None, "is_mine": False, "is_current": False}
    with pytest.raises(ValidationError):
        Heard(is_mine="perhaps")


# Routing


def test_routes_are_included_like_others(open_socket):
    """Below a prefix, and what they capture comes to the methods."""

    class Part(Answering, TypedConsumer[PingMessage]):
        pass

    inner = [Part.as_route(path=r"^/(?P<word>\w+)/(?P<number>\d+)/$")]
    socket = open_socket("/below/a/7/", routes=[include(inner, path=r"^/below")])
    socket.send_json(PING)
    assert socket.receive_json()["payload"] == ["PingMessage", {"word": "a", "number": "7"}]


def test_attributes_may_be_given_where_it_is_routed():
    """They are those of a subclass, with its own protocol."""

    class Part(Answering, TypedConsumer[PingMessage]):
        pass

    routed = Part.as_route({"groups": ["given"], "send_completion": True}).consumer
    assert (routed.groups, routed.send_completion) == (("given",), True)
    assert (Part.groups, Part.send_completion) == ((), None)
    assert routed.protocol.incoming == (PingMessage,)


def test_attribute_that_would_do_nothing_is_told():
    """A project that sets it counts on it."""

    class Leaving(Answering, TypedConsumer[PingMessage]):
        http_user_and_session = True

    with pytest.raises(TypeError, match="Leaving has http_user_and_session, which does nothing"):
        Leaving.as_route()


@pytest.mark.parametrize("name", ["receive_message", "receive_event", "build_groups", "post_authentication"])
def test_method_that_nobody_would_await_is_told(name):
    """It would never run."""

    async def method(self, *args, **kwargs): ...

    with pytest.raises(ImproperlyConfigured, match="is an async function"):

        class Waiting(TypedConsumer[PingMessage]):
            locals()[name] = method


@pytest.mark.parametrize("name", ["has_permission", "has_object_permission"])
def test_permission_that_nobody_would_await_is_told(name):
    """It would be everybody's."""

    async def method(self, *args):
        return False

    with pytest.raises(ImproperlyConfigured, match="is an async function"):
        type("Waiting", (BasePermission,), {name: method})


def test_unknown_option_is_told(settings):
    """By its name, with those that there are."""
    settings.CHANNELS_TYPED = {"SEND_COMPLETON": True}

    class Part(Answering, TypedConsumer[PingMessage]):
        pass

    with pytest.raises(ImproperlyConfigured, match="CHANNELS_TYPED has no SEND_COMPLETON; it has SEND_COMPLETION"):
        Part.as_route()
