"""Frames of any content: for consumers of JSON, streams and bindings, and typed consumers."""

import datetime
import json
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, ClassVar, Literal

from django.db import transaction
from django.test import override_settings
from hypothesis import strategies as st
from pydantic import BaseModel

from channels import route_class
from channels.binding import changes
from channels.binding.base import BindingMetaclass
from channels.binding.websockets import WebsocketBinding
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketDemultiplexer
from channels.typed import BaseMessage, PingMessage, PongMessage, TypedConsumer, ws_handler
from tests.abuse.target import Check, target
from tests.binding.desk.models import Box, Card, Label, Ticket
from tests.support.connection import Connection

TEXTS = st.text(st.characters(), max_size=8) | st.sampled_from(
    ["\0", "\ud800", "\u202e", "1", "-1", "1e999", "NaN", "0" * 200, "' OR 1=1 --", "pk", "__proto__", "{0.__class__}"]
)

NUMBERS = st.sampled_from([0, -1, 1, 2**31, 2**63, -(2**63) - 1, 10**400, 1.5, 1e308]) | st.floats() | st.integers(1, 5)

JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)

NOT_JSON = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    [
        "",
        "{",
        "[" * 100_000,
        '{"a":' * 100_000,
        "9" * 5000,
        '"\\ud800"',
        '{"stream": NaN}',
        "1e99999",
        "\ufeff{}",
        "nul",
    ]
)

FIELDS = st.sampled_from(
    ["id", "pk", "title", "note", "secret", "place", "due", "is_stamped", "box", "box_id", "labels", "text", "card"]
)

CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["create", "update", "delete", "", "x", "__init__", "create "]) | JSON,
        "pk": JSON | st.integers(1, 3),
        "data": st.dictionaries(FIELDS | TEXTS, JSON | st.lists(st.integers(1, 3)), max_size=5) | JSON,
        "model": JSON,
    },
)

SHAPED = st.fixed_dictionaries(
    {
        "stream": st.sampled_from(["cards", "tickets"]),
        "payload": st.fixed_dictionaries(
            {
                "action": st.sampled_from(["create", "update", "delete"]),
                "pk": st.integers(1, 3) | st.none() | JSON,
                "data": st.dictionaries(
                    FIELDS, st.integers(1, 3) | TEXTS | JSON | st.lists(JSON, max_size=2), max_size=6
                )
                | st.fixed_dictionaries({"title": TEXTS}, optional={"place": NUMBERS, "box": NUMBERS, "note": TEXTS}),
            }
        ),
    }
)
"""Changes that only their values keep from being made."""

FRAMES = st.one_of(
    SHAPED,
    JSON,
    st.fixed_dictionaries(
        {"stream": st.sampled_from(["cards", "tickets", "echo"]) | JSON, "payload": CHANGES | JSON},
        optional={"reply_channel": TEXTS, "error": JSON},
    ),
)


def as_text(value: Any) -> str:
    """Return ``value`` as a client may write it: surrogates escaped, numbers as long as they are."""
    return json.dumps(value)


class Echo(JsonWebsocketConsumer):
    """Sends back what it gets, on its stream or on the socket."""

    def receive(self, content: Any, multiplexer: Any = None, **kwargs: Any) -> None:
        """Say it again."""
        (multiplexer or self).send({"echo": content})


def _speaks_to_nobody_else(socket: Connection) -> bool:
    """Return whether all that was sent, whatever a frame named, went to ``socket``."""
    names = socket.layer.inspection.channels()
    return not any(socket.layer.channel_statistics(name)["messages_pending"] for name in names)


def _serves(socket: Connection, frame: str, answer: Any) -> bool:
    """Return whether ``frame`` is answered with ``answer`` and nothing else."""
    return [json.loads(reply["text"]) for reply in socket.receive(frame)] == [answer]


def _make_binding(bound: Any, fields: list[str]) -> Any:
    """Return a binding by which anybody may change rows."""
    return type(WebsocketBinding)(
        "Open",
        (WebsocketBinding,),
        {
            "model": bound,
            "stream": "cards",
            "fields": fields,
            "group_names": classmethod(lambda cls, instance: []),
            "has_permission": lambda self, user, action, pk: True,
        },
    )


@target(SHAPED.map(as_text) | NOT_JSON | FRAMES.map(as_text))
def streams() -> Iterator[Check]:
    """Multiplexed frames, and changes that bindings are to make: at most one answer each, on a socket that stays."""
    before, BindingMetaclass.binding_classes = BindingMetaclass.binding_classes, []
    cards = _make_binding(Card, ["title", "note", "place", "due", "is_stamped", "box", "labels"])
    tickets = _make_binding(Ticket, ["__all__"])

    class Streams(WebsocketDemultiplexer):
        consumers: ClassVar[Any] = {"cards": cards.consumer, "tickets": tickets.consumer, "echo": Echo}

    socket = Connection([route_class(Streams)])
    socket.connect()

    def try_frame(frame: str) -> None:
        card = Card.objects.create(pk=1, title="kept", secret="untouched", box=Box.objects.create(pk=1, name="box"))
        Label.objects.create(pk=1, name="label")
        Ticket.objects.create(pk=1, text="kept", card=card)
        replies = socket.receive(frame)
        assert all(set(reply) == {"text"} for reply in replies)
        assert len(replies) <= 1
        echo = {"stream": "echo", "payload": {"echo": {"a": 1}}}
        assert _serves(socket, '{"stream": "echo", "payload": {"a": 1}}', echo)
        assert _speaks_to_nobody_else(socket)
        assert set(Card.objects.values_list("secret", flat=True)) <= {"untouched", "safe"}

    def check(frame: str) -> None:
        with transaction.atomic():  # Each frame finds the same rows.
            try_frame(frame)
            transaction.set_rollback(True)

    try:
        yield check
    finally:
        for binding in BindingMetaclass.binding_classes:
            binding.unregister()
        BindingMetaclass.binding_classes = before
        assert not any(watcher.bindings for watcher in changes._watchers.values())


@target(st.binary(max_size=20))
def frames_of_bytes() -> Iterator[Check]:
    """Bytes for streams, whose frames are text: each is refused."""

    class Streams(WebsocketDemultiplexer):
        consumers: ClassVar[Any] = {}

    socket = Connection([route_class(Streams)])
    socket.connect()

    def check(data: bytes) -> None:
        (reply,) = socket.receive(data=data)
        assert json.loads(reply["text"])["error"]["code"] == "invalid_json"

    yield check


@target(NOT_JSON | JSON.map(as_text))
def json_frames() -> Iterator[Check]:
    """Frames for a consumer of JSON: what is JSON comes back as it was, everything else closes with 1007."""
    socket = Connection([route_class(Echo)])
    socket.connect()

    def check(frame: str) -> None:
        (reply,) = socket.receive(frame)
        assert "echo" in json.loads(reply["text"]) if "text" in reply else reply == {"close": 1007}
        assert _serves(socket, "[1]", {"echo": [1]})

    yield check


class Things(BaseModel):
    """A value of every kind that is parsed."""

    number: int = 0
    ratio: float = 0.0
    price: Decimal = Decimal(0)
    day: datetime.date | None = None
    moment: datetime.datetime | None = None
    span: datetime.timedelta | None = None
    key: uuid.UUID | None = None
    data: bytes = b""
    names: list[str] = []
    table: dict[str, Any] = {}


class ThingsMessage(BaseMessage):
    """Carries things."""

    action: Literal["things"] = "things"
    payload: Things


class ThingsAnswer(BaseMessage):
    """Brings them back."""

    action: Literal["things_answer"] = "things_answer"
    payload: Things


class Thinker(TypedConsumer):
    """Says what it was told."""

    authentication_classes: ClassVar[Any] = []
    permission_classes: ClassVar[Any] = []

    @ws_handler
    def ping(self, message: PingMessage) -> PongMessage:
        """Answer a ping."""
        return PongMessage()

    @ws_handler(output_type=ThingsAnswer)
    def things(self, message: ThingsMessage) -> ThingsAnswer:
        """Say it again."""
        return ThingsAnswer(payload=message.payload)


TYPED = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {"action": st.just("things"), "payload": st.dictionaries(st.sampled_from(list(Things.model_fields)), JSON)},
        optional={"handler": TEXTS, "reply_channel": TEXTS},
    ),
    st.fixed_dictionaries({"action": st.sampled_from(["ping", "authentication", "error", "complete"]) | JSON}),
)


def _typed_check(spelling: dict[str, Any]) -> Iterator[Check]:
    consumer = type("Thinker", (Thinker,), {})
    key = spelling.get("MESSAGE_ACTION_KEY", "action")

    def check(frame: str) -> None:
        socket = Connection([route_class(consumer)])
        socket.connect()
        for reply in socket.receive(frame):
            assert json.loads(reply["text"])[key] in ("error", "pong", "things_answer", "complete")
        first, *_ = socket.receive(json.dumps({key: "ping", "payload": None}))
        assert json.loads(first["text"])[key] == "pong"
        assert _speaks_to_nobody_else(socket)

    with override_settings(CHANNELS_TYPED={**spelling, "SEND_AUTHENTICATION_MESSAGE": False}):
        yield check


@target(NOT_JSON | TYPED.map(as_text))
def typed_frames() -> Iterator[Check]:
    """Frames for a typed consumer: answered with what was asked for, or with an error."""
    yield from _typed_check({})


@target(NOT_JSON | TYPED.map(as_text))
def typed_frames_in_camel_case() -> Iterator[Check]:
    """The same with names in camel case, and another key for the action."""
    yield from _typed_check({"CAMELIZE": True, "MESSAGE_ACTION_KEY": "kind"})
