"""Options of typed consumers as attributes and settings: spelling, completions, when messages leave, what is logged."""

import datetime
import json
import logging
import re
import uuid
from typing import Any, Literal

import pytest
from django.test import override_settings
from django.utils.translation import gettext_lazy
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, TypeAdapter

from channels.message import Message
from channels.test import apply_routes
from channels.test.typed import TypedSession, override_typed_settings
from channels.typed import (
    AuthenticationResult,
    BaseAuthenticator,
    BaseMessage,
    PingMessage,
    PongMessage,
    TypedConsumer,
)
from channels.typed.aliases import decamelize_for
from channels.typed.cases import camelize, decamelize
from tests.consumers_typed.rooms import Answer, ChatConsumer, ChatMessage, ChatPayload, NotifyEvent
from tests.support.connection import Connection

PING, PONG = {"action": "ping", "payload": None}, {"action": "pong", "payload": None}
COMPLETE = {"action": "complete", "payload": None}
NOTE = NotifyEvent(payload=NotifyEvent.Payload(content="x"))


class Detail(BaseModel):
    """Something with long names."""

    first_name: str
    home_town: dict[str, int] = {}


class DetailMessage(BaseMessage):
    """Tells something with long names."""

    action: Literal["send_detail"] = "send_detail"
    payload: Detail


class Plain(TypedConsumer[PingMessage | DetailMessage]):
    """Open to everybody; does what a test says."""

    authentication_classes = []
    permission_classes = []

    def answer(self, message):
        """Do something."""
        self.send_message(message)

    def receive_message(self, message, **kwargs):
        self.answer(message)


def plain(answer=Plain.answer, **attributes):
    """Return a routing to a consumer that answers with a function."""
    return [Plain.as_route({"answer": answer, **attributes})]


# Spelling


def test_keys_are_camel_case_for_clients(open_socket, settings):
    """In both directions, nested ones too; values and keys that are no names are let alone."""
    settings.CHANNELS_TYPED = {"CAMELIZE": True}
    taken = []

    def answer(self, message):
        taken.append(message.payload)
        self.send_message(message)
        self.send_json({"other_key": ["some_value", {"inner_key": 1, "a b_c": 2, "_x_y": 3}]})

    socket = open_socket(routes=plain(answer), expect=None)
    assert socket.receive_json()["payload"]["statusCode"] == 200
    payload = {"firstName": "an_na", "homeTown": {"bigCity": 1}}
    socket.send_json({"action": "send_detail", "payload": payload})
    assert socket.receive_json() == {"action": "send_detail", "payload": payload}
    assert taken == [Detail(first_name="an_na", home_town={"big_city": 1})]
    assert socket.receive_json() == {"otherKey": ["some_value", {"innerKey": 1, "a b_c": 2, "_x_y": 3}]}


@given(name=st.from_regex(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", fullmatch=True))
@example("address1")
@example("x_y_z")
@example("is_2fa")
def test_every_name_comes_back_from_camel_case(name):
    """So that no field is out of the reach of clients."""
    (spelled,) = camelize({name: 1})
    assert decamelize({spelled: 1}) == {name: 1}
    assert not re.search("_[a-z]", spelled)


@pytest.mark.parametrize("key", ["UPPER_CASE", "Title", "_private", "with space_x", "größe_x", "7_b", ""])
def test_keys_that_are_no_names_are_let_alone(key):
    """They are data."""
    assert decamelize(camelize({key: {key: 1}})) == camelize({key: {key: 1}}) == {key: {key: 1}}


def test_group_messages_are_camel_case_too(open_socket, settings):
    """Their marks as well."""
    settings.CHANNELS_TYPED = {"CAMELIZE": True}
    socket = open_socket(expect=None)
    socket.receive_json()
    socket.send_json({"action": "chat", "payload": {"content": "hi", "toAll": True}})
    assert socket.receive_json() == {
        "action": "chat_group",
        "payload": {"content": "hi"},
        "isMine": False,
        "isCurrent": True,
    }


class Parcel(BaseModel):
    """Has aliases of both kinds, and models with and without them inside."""

    weight: int = Field(alias="weightInGrams")
    from_whom: str = Field(alias="sender")
    sent_at: int
    parts: list["Parcel | Detail"] = []
    by_colour: dict[str, "Parcel"] = {}


class SendParcel(BaseMessage):
    """Sends a parcel."""

    action: Literal["send_parcel"] = "send_parcel"
    payload: Parcel


class WeighMessage(BaseMessage):
    """Has a field where the other has an alias."""

    action: Literal["weigh"] = "weigh"
    payload: Any = None
    weight_in_grams: int


class Office(TypedConsumer[SendParcel | WeighMessage]):
    """Takes parcels."""

    authentication_classes = []
    permission_classes = []
    send_authentication_message = False

    def receive_message(self, message, **kwargs):
        self.send_message(message)


PARCEL = {"weightInGrams": 1, "sender": "ada", "sentAt": 2}


@pytest.mark.parametrize("key", ["action", "messageKind", "message_kind"])
def test_aliases_are_read_as_they_are(open_socket, settings, key):
    """Other keys of the same model are camelCase, and so are fields of the same name elsewhere."""
    settings.CHANNELS_TYPED = {"CAMELIZE": True, "MESSAGE_ACTION_KEY": key}
    socket = open_socket(routes=[Office.as_route()], expect=None)
    key = "action" if key == "action" else "messageKind"
    detail = {"firstName": "ada", "homeTown": {"bigCity": 1}}
    parcel = {**PARCEL, "parts": [detail, {**PARCEL, "parts": [PARCEL]}], "byColour": {"red": PARCEL}}
    socket.send_json({key: "send_parcel", "payload": parcel})
    answer = socket.receive_json()
    assert answer[key] == "send_parcel"
    inner = {"weight": 1, "fromWhom": "ada", "sentAt": 2, "parts": [], "byColour": {}}
    middle = {**inner, "parts": [inner]}
    assert answer["payload"] == {**inner, "parts": [detail, middle], "byColour": {"red": inner}}
    socket.send_json({key: "weigh", "weightInGrams": 3})
    assert socket.receive_json()["weightInGrams"] == 3


@pytest.mark.parametrize("is_camel", [True, False])
def test_sockets_of_tests_write_aliases(db, settings, is_camel):
    """As clients have to."""
    settings.CHANNELS_TYPED = {"CAMELIZE": is_camel}
    parcel = Parcel(weightInGrams=1, sender="ada", sent_at=2)
    with apply_routes([Office.as_route()]), TypedSession("/") as socket:
        socket.send_message(SendParcel(payload=parcel))
        assert socket.receive_json()["payload"]["weight"] == 1


class Left(BaseModel):
    """One of two that hold each other."""

    it_self: "Left | Right | None" = Field(None, alias="itSelf")


class Right(BaseModel):
    """The other one."""

    it_self: "Left | Right | None" = Field(None, alias="itSelf")


def test_aliases_of_deep_messages_are_looked_for_once():
    """On each level, although each could be one of two models, and those be one of two again."""
    value = None
    for _ in range(100):
        value = {"itSelf": value}
    assert decamelize_for(TypeAdapter(Left), value) == value


def test_errors_name_keys_as_models_do(open_socket, settings):
    """The place of an error is that in the model, in camelCase only what is a key."""
    settings.CHANNELS_TYPED = {"CAMELIZE": True}
    socket = open_socket(routes=plain(), expect=None)
    socket.receive_json()
    socket.send_json({"action": "send_detail", "payload": {"firstName": 1}})
    (detail,) = socket.receive_json()["payload"]
    assert detail["loc"] == ["send_detail", "payload", "first_name"]
    socket.send("{")
    assert socket.receive_json()["payload"][0]["type"] == "json_invalid"


def test_another_key_may_tell_messages_apart(open_socket, settings):
    """For clients; models have their action all the same."""
    settings.CHANNELS_TYPED = {"MESSAGE_ACTION_KEY": "type", "SEND_COMPLETION": True}
    socket = open_socket(expect=None)
    assert socket.receive_json()["type"] == "authentication"
    socket.send_json({"type": "ping"})
    assert socket.receive_json() == {"type": "pong", "payload": None}
    assert socket.receive_json() == {"type": "complete", "payload": None}
    socket.send_json({"type": "chat", "payload": {"content": "hi", "to_all": True}})
    assert list(socket.receive_json()) == ["type", "payload", "is_mine", "is_current"]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"action": "ping"}, "Unable to extract tag using discriminator 'kind'"),
        (
            {"kind": "x"},
            "Input tag 'x' found using 'kind' does not match any of the expected tags: 'ping', 'send_detail'",
        ),
    ],
)
def test_errors_name_the_key_that_clients_know(open_socket, settings, content, expected):
    """And nothing else stands for it."""
    settings.CHANNELS_TYPED = {"MESSAGE_ACTION_KEY": "kind"}
    socket = open_socket(routes=plain(), expect=None)
    socket.receive_json()
    socket.send_json(content)
    (detail,) = socket.receive_json()["payload"]
    assert detail["msg"] == expected


def test_single_model_is_told_the_key_too(open_socket, settings):
    """Where the action is a field like any other."""
    settings.CHANNELS_TYPED = {"MESSAGE_ACTION_KEY": "kind"}

    class One(Plain, TypedConsumer[DetailMessage]):
        pass

    socket = open_socket(routes=[One.as_route()], expect=None)
    socket.receive_json()
    socket.send_json({"kind": "x", "payload": {"first_name": "a"}})
    (detail,) = socket.receive_json()["payload"]
    assert (detail["type"], detail["loc"]) == ("literal_error", ["kind"])


# Sending


def test_models_are_sent_as_json(open_socket):
    """With what JSON does not know written as pydantic does."""
    values = {"at": datetime.date(2024, 5, 6), "id": uuid.UUID(int=7), "n": None}
    socket = open_socket(routes=plain(lambda self, message: self.send_message(Answer(payload=values))))
    socket.send_json(PING)
    assert socket.receive_json()["payload"] == {
        "at": "2024-05-06",
        "id": "00000000-0000-0000-0000-000000000007",
        "n": None,
    }


@pytest.mark.parametrize("options", [{}, {"CAMELIZE": True}])
def test_numbers_that_json_lacks_are_null(open_socket, settings, options):
    """Whichever way they are sent."""
    settings.CHANNELS_TYPED = options

    def answer(self, message):
        self.send_message(Answer(payload=float("nan")))
        self.send_json({"action": "answer", "payload": float("inf")})

    socket = open_socket(routes=plain(answer), expect=None)
    socket.receive_json()
    socket.send_json(PING)
    assert [socket.receive_json() for _ in range(2)] == [{"action": "answer", "payload": None}] * 2


@pytest.mark.parametrize("options", [{}, {"CAMELIZE": True}])
def test_lazy_texts_can_be_sent(open_socket, settings, options):
    """In messages of pydantic too, which does not know them."""

    def answer(self, message):
        self.send_message(Answer(payload={"detail": gettext_lazy("yes")}))
        self.send_json({"detail": gettext_lazy("yes")})

    settings.CHANNELS_TYPED = options
    socket = open_socket(routes=plain(answer), expect=None)
    socket.receive_json()
    socket.send_json(PING)
    assert [socket.receive_json()["payload"], socket.receive_json()] == [{"detail": "yes"}] * 2


def test_what_is_no_json_is_told(open_socket, caplog):
    """By its type."""
    socket = open_socket(routes=plain(lambda self, message: self.send_message(Answer(payload=object()))))
    socket.send_json(PING)
    assert socket.receive_json()["action"] == "error"
    assert "Unable to serialize unknown type: <class 'object'>" in caplog.text


def test_json_may_be_the_last_that_is_sent(open_socket):
    """With a close behind it, of a code."""
    socket = open_socket(routes=plain(lambda self, message: self.send_json(["bye"], close=4001)))
    socket.send_json(PING)
    assert socket.receive_json() == ["bye"]
    assert socket.receive_close() == 4001


def test_message_of_another_type_is_told(open_socket, caplog):
    """The log says what to use for it."""
    socket = open_socket(routes=plain(lambda self, message: self.send_message({"action": "pong"})))
    socket.send_json(PING)
    assert socket.receive_json()["action"] == "error"
    assert "send_message takes a BaseMessage, not dict; send_json takes dicts." in caplog.text


@pytest.mark.parametrize("where", ["attribute", "setting"])
@pytest.mark.parametrize("is_immediate", [True, False])
def test_messages_leave_at_once_or_in_the_end(db, settings, where, is_immediate):
    """What has left before the consumer ends is at the layer by then."""
    seen = []

    def answer(self, message):
        self.send_message(PongMessage())
        seen.extend(connection.replies())

    if where == "setting":
        settings.CHANNELS_TYPED = {"SEND_MESSAGE_IMMEDIATELY": is_immediate}
    attributes = {"send_message_immediately": is_immediate} if where == "attribute" else {}
    connection = Connection(plain(answer, **attributes))
    connection.connect()
    later = connection.receive(json.dumps(PING))
    assert [len(seen), len(later)] == ([1, 0] if is_immediate else [0, 1])


def test_handshake_is_decided_before_anything_is_sent(db):
    """Messages of the handshake wait for its end also where others leave at once."""
    attributes = {
        "send_message_immediately": True,
        "post_authentication": lambda self: self.send_message(PongMessage()),
    }
    replies = Connection(plain(**attributes)).connect()
    assert [reply.get("accept") for reply in replies] == [True, None]
    assert [json.loads(reply["text"])["action"] for reply in replies] == ["authentication", "pong"]


def test_completion_follows_answers_and_events(open_socket):
    """Of the class that asks for it."""
    socket = open_socket(routes=[ChatConsumer.as_route({"send_completion": True})])
    socket.send_json(PING)
    assert [socket.receive_json() for _ in range(2)] == [PONG, COMPLETE]
    ChatConsumer.send_channel_event("announcements", NOTE)
    assert [socket.receive_json()["action"] for _ in range(2)] == ["answer", "complete"]


def test_attribute_comes_before_the_setting(open_socket, settings):
    """In both directions."""
    settings.CHANNELS_TYPED = {"SEND_COMPLETION": True}
    socket = open_socket(routes=plain(send_completion=False))
    socket.send_json(PING)
    socket.receive_json()
    assert socket.receive_nothing()


def test_settings_are_read_when_they_are_needed(open_socket):
    """A change counts at once, also for sockets that are open, and ends with the block or function."""
    socket = open_socket(routes=plain())

    def complete():
        socket.send_json(PING)
        return [socket.receive_json()["action"] for _ in range(2)]

    with override_settings(CHANNELS_TYPED={"SEND_COMPLETION": True}):
        assert complete() == ["ping", "complete"]
    assert override_typed_settings(SEND_COMPLETION=True)(complete)() == ["ping", "complete"]
    socket.send_json(PING)
    socket.receive_json()
    assert socket.receive_nothing()


# Logging


@pytest.fixture
def lines(caplog):
    """A function that returns what was logged on messages since it was last called, as (text, record)."""

    def taken():
        found = [
            (record.args[0], record)
            for record in caplog.records
            if record.name == "django.channels.typed" and "websocket json" in str(record.args[0])
        ]
        caplog.clear()
        return found

    with caplog.at_level(logging.INFO, "django.channels.typed"):
        yield taken


@pytest.mark.parametrize("where", ["attribute", "setting"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["Received websocket json: ping", "Sent websocket json: pong"]),
        ({"log_received_message": False}, ["Sent websocket json: pong"]),
        ({"log_sent_message": False}, ["Received websocket json: ping"]),
        ({"log_ignored_actions": ["ping"]}, ["Sent websocket json: pong"]),
        ({"log_ignored_actions": ["ping", "pong"]}, []),
    ],
)
def test_messages_are_logged_as_options_say(open_socket, settings, lines, where, options, expected):
    """Those received, those sent, all but some."""
    if where == "setting":
        settings.CHANNELS_TYPED = {name.upper(): value for name, value in options.items()}
        options = {}
    socket = open_socket(routes=plain(lambda self, message: self.send_message(PongMessage()), **options))
    lines()
    socket.send_json(PING)
    socket.receive_json()
    assert [text for text, _ in lines()] == expected


def test_log_lines_have_the_context_of_their_connection(open_socket, user, lines):
    """Path, user, address, the id of the request and of the message; those of one connection share all but the last."""
    socket = open_socket("/chat/a/", user=user, headers={"x-request-id": "from-a-proxy"})
    lines()
    for _ in range(2):
        socket.send_json(PING)
        socket.receive_json()
    records = [record for _, record in lines()]
    assert {(each.path, each.user_id, each.request_id) for each in records} == {
        ("/chat/a/", str(user.pk), "from-a-proxy")
    }
    assert [each.order for each in records] == [1, 1, 2, 2]
    assert [getattr(each, "received_action", None) for each in records] == ["ping", None] * 2
    assert [getattr(each, "sent_action", None) for each in records] == [None, "pong"] * 2
    assert {each.reply_channel for each in records} == {records[0].reply_channel}
    assert all(hasattr(each, "ip") for each in records)


def test_beginning_and_end_of_a_connection_are_logged(open_socket, caplog):
    """With the close code."""
    with caplog.at_level(logging.INFO, "django.channels.typed"):
        socket = open_socket(routes=plain())
        socket.close(4002)
        socket.receive_nothing()
    first, last = [record for record in caplog.records if "ebsocket" in record.msg % record.args]
    assert (first.args[0], last.args[0]) == ("Websocket connected", "Disconnecting websocket")
    assert (first.request_id, last.code) == (last.request_id, 4002)


def test_connections_without_a_request_id_get_one(open_socket, lines):
    """Each its own."""
    for _ in range(2):
        socket = open_socket(routes=plain())
        socket.send_json(PING)
        socket.receive_json()
    ids = [record.request_id for _, record in lines()]
    assert len(set(ids)) == 2
    assert all(uuid.UUID(each) for each in ids)


def test_group_messages_are_logged_once(open_socket, lines):
    """With their groups."""
    socket = open_socket()
    lines()
    socket.send_json(ChatMessage(payload=ChatPayload(content="hi", groups=["room.a", "b"])).model_dump())
    socket.receive_nothing()
    (_, sent) = [record for _, record in lines()]
    assert (sent.sent_action, sent.groups) == ("chat_group", ["room.a", "b"])


# Authenticators


class ByName(BaseAuthenticator):
    """Admits whoever gives a name."""

    asked: list[Any] = []

    @classmethod
    def validate_configuration(cls, consumer):
        cls.asked = [*cls.asked, consumer.__name__]

    def check(self, request, kwargs):
        name = request.GET.get("name")
        if name is None:
            return AuthenticationResult(False, 418, "I'm a Teapot", {"detail": "No name."})
        return AuthenticationResult(True, 200, "OK", {"hello": name, "for": self.consumer.path}, user=request.user)


def test_authenticator_may_be_a_projects_own(open_socket):
    """It is asked when the consumer is routed, and for each handshake."""
    routes = plain(authenticator_class=ByName)
    assert ByName.asked[-1] == "Plain"
    admitted = open_socket("/?name=ada", routes=routes, expect=None)
    assert admitted.receive_json()["payload"]["data"] == {"hello": "ada", "for": "/"}
    refused = open_socket("/", routes=routes, expect=None)
    assert refused.receive_json()["payload"] == {
        "status_code": 418,
        "status_text": "I'm a Teapot",
        "data": {"detail": "No name."},
    }
    assert refused.receive_close() == 1000


@pytest.mark.parametrize("method", ["get", "post", "put", "patch", "delete", "options"])
def test_handshake_stands_for_any_method(open_socket, method):
    """Permissions see it as the request's."""
    from rest_framework.permissions import BasePermission

    seen = []

    class Looks(BasePermission):
        def has_permission(self, request, view):
            seen.append((request.method, request.path, request.COOKIES.get("theme"), request.query_params["x"]))
            return True

    routes = plain(auth_method=method, permission_classes=[Looks])
    open_socket("/there/?x=1", routes=routes, headers={"cookie": "theme=dark"})
    assert seen == [(method.upper(), "/there/", "dark", "1")]


def test_only_the_handshake_is_at_hand_in_the_handshake(db):
    """Asking for what is not known yet is told as such."""
    found = {}

    class Early(Plain):
        def get_openers(self):
            for name in ("obj", "scope"):
                try:
                    getattr(self, name)
                except RuntimeError as error:
                    found[name] = str(error)
            return super().get_openers()

    Connection([Early.as_route()]).connect()
    assert set(found) == {"obj", "scope"}
    assert all("not authenticated yet" in text for text in found.values())


def test_consumer_is_no_consumer_of_other_messages():
    """It is called with those of sockets and events."""
    with pytest.raises(KeyError):
        Plain(Message({"reply_channel": "websocket.send.x!y"}, "http.request", None))
