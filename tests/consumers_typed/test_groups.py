"""Groups of typed consumers: how long memberships last, what is sent to them and how, names that are safe."""

import datetime
import decimal
import json
import uuid
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import names
from channels.session_stores import session_for_reply_channel
from channels.typed import BaseGroupMessage, PingMessage, TypedConsumer, safe_group_name
from channels.typed.groups import RENEWED, Memberships, ledger_of
from tests.consumers_typed.rooms import ChatConsumer
from tests.support.connection import Connection, make_layer

EXPIRY = 1000.0


class Clock:
    """Time of a layer, which passes when a test says so."""

    def __init__(self):
        self.now = 1.0

    def __call__(self):
        return self.now


@pytest.fixture
def layer(db):
    """A layer whose memberships end after ``EXPIRY`` seconds of its own clock."""
    made = make_layer([ChatConsumer.as_route(path=r"^/chat/(?P<room>\w+)/$")], group_expiry=EXPIRY)
    made.channel_layer.clock = Clock()
    return made


@pytest.fixture
def connection(layer):
    """An admitted connection that has joined one more group."""
    made = Connection(layer=layer, path="/chat/a/")
    made.connect()
    made.receive('{"action": "join", "payload": "extra"}')
    return made


def live_on(connection, seconds):
    """Let time pass while the interface renews the memberships of a socket that is open."""
    layer = connection.layer.channel_layer
    for _ in range(int(seconds * 4 // EXPIRY)):
        layer.clock.now += EXPIRY / 4
        layer.upkeep.renew({connection.reply_channel})


def groups_of(connection):
    """Return what the consumer knows of its groups."""
    (reply,) = connection.receive('{"action": "who"}')
    return json.loads(reply["text"])["payload"]["groups"]


ALL = ["announcements", "extra", "room.a"]


def test_silent_connection_keeps_its_groups(connection, layer):
    """One that only listens for longer than memberships last is still in them, and its consumer knows."""
    live_on(connection, 3 * EXPIRY)
    assert [layer.group_channels(name) for name in ALL] == [[connection.reply_channel]] * 3
    assert groups_of(connection) == ALL


def test_silent_connection_leaves_its_groups_in_the_end(connection, layer):
    """Those that it joined later too."""
    live_on(connection, 3 * EXPIRY)
    connection.disconnect()
    assert [layer.group_channels(name) for name in ALL] == [[]] * 3


def test_group_that_was_left_does_not_come_back(connection):
    """Neither when the list of groups ends nor when it is renewed."""
    connection.receive('{"action": "leave", "payload": "room.a"}')
    live_on(connection, 3 * EXPIRY)
    assert groups_of(connection) == ["announcements", "extra"]


def test_connection_that_left_all_groups_is_in_none(connection):
    """It may join some again."""
    for name in ALL:
        connection.receive(json.dumps({"action": "leave", "payload": name}))
    live_on(connection, 3 * EXPIRY)
    assert groups_of(connection) == []
    connection.receive('{"action": "join", "payload": "extra"}')
    assert groups_of(connection) == ["extra"]


def test_messages_renew_the_list_of_groups(connection, layer):
    """After a quarter of the time that it lasts."""
    session = session_for_reply_channel(connection.reply_channel)
    session[RENEWED] -= EXPIRY / 2
    session.save()
    layer.channel_layer.clock.now += EXPIRY * 0.9
    layer.channel_layer.upkeep.renew({connection.reply_channel})
    assert groups_of(connection) == ALL
    layer.channel_layer.clock.now += EXPIRY * 0.9
    # Without what the session holds.
    assert Memberships(layer, connection.reply_channel, {}).all() == ALL
    assert session_for_reply_channel(connection.reply_channel)[RENEWED] > session[RENEWED]


def test_nothing_of_the_list_stays(connection, layer):
    """When the connection has ended."""
    connection.disconnect()
    assert layer.channel_layer.group_channels(ledger_of(connection.reply_channel)) == []


def test_class_keeps_its_own_groups(connection):
    """What a connection joins is no other's."""
    assert ChatConsumer.groups == ("announcements",)


def test_handshake_that_fails_midway_leaves_its_groups(layer):
    """Some were joined before another turned out to have no name; the client is refused."""

    class Failing(ChatConsumer):
        def build_groups(self):
            return ["joined", "no name!"]

    failing = Connection(layer=make_layer([Failing.as_route()]), path="/")
    (reply,) = failing.connect()
    assert (reply["accept"], reply["close"]) == (True, True)
    assert [failing.layer.group_channels(name) for name in ("announcements", "joined")] == [[], []]


class Everything(BaseGroupMessage):
    """What JSON does not know, and what it does."""

    action: Literal["everything"] = "everything"
    payload: dict[str, Any]


SENT = {
    "at": datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.timezone.utc),
    "id": uuid.UUID(int=7),
    "price": decimal.Decimal("1.50"),
    "letters": "é",
}
HEARD = {"at": "2024-05-06T07:08:09Z", "id": "00000000-0000-0000-0000-000000000007", "price": "1.50", "letters": "é"}


class Sender(TypedConsumer[PingMessage, None, Everything]):
    """Sends as a test says."""

    authentication_classes = []
    permission_classes = []
    groups = ["one", "two"]

    def send_it(self):
        """Send something."""

    def receive_message(self, message, **kwargs):
        self.send_it()


@pytest.fixture
def heard(db):
    """Return a function that gives what the sender and another member of its groups hear of what is sent."""

    def run(send):
        layer = make_layer([Sender.as_route({"send_it": send})])
        sender, other = Connection(layer=layer), Connection(layer=layer)
        sender.connect(), other.connect()
        replies = sender.receive('{"action": "ping"}')
        own = [reply["texts_by_channel"].get(sender.reply_channel) for reply in replies if "texts_by_channel" in reply]
        return [json.loads(reply["text"]) for reply in other.replies()], [text and json.loads(text) for text in own]

    return run


def test_message_to_groups_is_made_json(heard):
    """Values that a layer could not carry are written as pydantic writes them."""
    others, _ = heard(lambda self: self.send_group_message(Everything(payload=SENT), ["one"]))
    assert others == [{"action": "everything", "payload": HEARD, "is_mine": False, "is_current": False}]


def test_json_kind_goes_without_marks(heard):
    """As the model is, but for whose it is."""
    message = Everything(payload={})
    others, _ = heard(lambda self: self.send_group_message(message, ["one"], kind="json"))
    assert others == [{"action": "everything", "payload": {}}]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"said": 1}),
        ({"kind": "json"}, {"said": 1}),
        ({"kind": "message"}, {"said": 1, "is_mine": False, "is_current": False}),
    ],
)
def test_dicts_go_to_groups(heard, options, expected):
    """Without marks unless they are asked for."""
    others, _ = heard(lambda self: self.send_to_groups({"said": 1}, ["one"], **options))
    assert others == [expected]


def test_dict_to_all_groups(heard):
    """Every group of the sender where none is named."""
    others, _ = heard(lambda self: self.send_to_groups({"said": 1}))
    assert others == [{"said": 1}] * 2


@pytest.mark.parametrize(
    ("message", "groups", "reason"),
    [
        (PingMessage(), None, "Sender sends Everything to groups, not PingMessage"),
        (Everything(payload={}), "one", "Groups must be a list of names, not the text 'one'"),
        (Everything(payload={}), ["no name!"], "no name!"),
    ],
)
def test_wrong_message_to_groups_is_told(heard, caplog, message, groups, reason):
    """Where it is sent."""
    assert heard(lambda self: self.send_group_message(message, groups))[0] == []
    assert reason in caplog.text


def test_group_completion_goes_where_the_message_went(heard, settings):
    """To those who heard it."""
    settings.CHANNELS_TYPED = {"SEND_COMPLETION": True}
    others, own = heard(lambda self: self.send_group_message(Everything(payload={}), ["one"]))
    assert [each["action"] for each in others] == ["everything", "group_complete"]
    assert own == [None, None]


PARTS = st.lists(st.text(max_size=120) | st.integers() | st.uuids(), min_size=1, max_size=4)


@given(parts=PARTS)
def test_safe_name_is_a_group_name(parts):
    """Whatever the parts are."""
    assert names.require_group_name(safe_group_name(*parts, namespace="chat")).startswith("chat.")
    assert safe_group_name(*parts) == safe_group_name(*parts)


@given(first=PARTS, second=PARTS)
def test_safe_names_differ_where_their_parts_do(first, second):
    """Also where the same letters are cut in other places."""
    texts = [str(part) for part in first], [str(part) for part in second]
    assert (safe_group_name(*first) == safe_group_name(*second)) == (texts[0] == texts[1])


def test_safe_name_can_be_read():
    """Its beginning says what it is."""
    assert safe_group_name("room", 7).startswith("room-7.")
    assert safe_group_name("Größe", "x y").startswith("Gr-e-x-y.")
    assert safe_group_name("???").startswith("group.")


@pytest.mark.parametrize(
    ("parts", "namespace", "reason"),
    [((), None, "at least one part"), (("a",), "a b", "a b"), (("a",), "n" * 95, "no room")],
)
def test_name_that_cannot_be_made_is_told(parts, namespace, reason):
    """What is wrong with what it is made of."""
    with pytest.raises(TypeError, match=reason):
        safe_group_name(*parts, namespace=namespace)
