"""The life of a typed connection: admitted, in its groups, answered, told of events, gone."""

import pytest
from django.contrib.auth.models import User

from channels.registry import channel_layers
from channels.typed.groups import Memberships
from tests.consumers_typed.rooms import ChatConsumer, CloseEvent, NotifyEvent


def say(text, **payload):
    """Return a chat message."""
    return {"action": "chat", "payload": {"content": text, **payload}}


def heard(text, is_mine, is_current):
    """Return what a member hears of it."""
    return {"action": "chat_group", "payload": {"content": text}, "is_mine": is_mine, "is_current": is_current}


def test_ping_is_answered_in_the_documented_shape(open_socket):
    """The answer has its action and a payload of null."""
    socket = open_socket()
    socket.send_json({"action": "ping"})
    assert socket.receive_json() == {"action": "pong", "payload": None}


def test_admitted_client_is_told_so(open_socket, user):
    """The first message says 200, OK."""
    socket = open_socket(user=user, expect=None)
    assert socket.receive_json() == {
        "action": "authentication",
        "payload": {"status_code": 200, "status_text": "OK", "data": {"detail": "OK"}},
    }


def test_group_message_is_marked_for_each_member(open_socket, user):
    """Another user, another tab of the sender and the sender itself each see whose it is."""
    other = User.objects.create_user("bob")
    sender, tab, stranger, nobody = (open_socket(user=who) for who in (user, user, other, None))
    sender.send_json(say("hi", to_all=True))
    assert sender.receive_json() == heard("hi", True, True)
    assert tab.receive_json() == heard("hi", True, False)
    assert stranger.receive_json() == heard("hi", False, False)
    assert nobody.receive_json() == heard("hi", False, False)


def test_sender_is_left_out_of_its_group_message(open_socket, user):
    """By default the sending connection gets nothing, its user's other ones do."""
    sender, tab = open_socket(user=user), open_socket(user=user)
    sender.send_json(say("hi"))
    assert tab.receive_json() == heard("hi", True, False)
    sender.send_json({"action": "ping"})
    assert sender.receive_json()["action"] == "pong"


def test_message_goes_to_every_group_of_the_sender(open_socket):
    """Unless groups are named; a member of two of them hears it twice."""
    sender, other, elsewhere = open_socket(), open_socket(), open_socket("/chat/b/")
    sender.send_json(say("hi", groups=None))
    assert [other.receive_json() for _ in range(2)] == [heard("hi", False, False)] * 2
    assert elsewhere.receive_json() == heard("hi", False, False)
    assert other.receive_nothing()
    assert elsewhere.receive_nothing()


def test_message_of_an_anonymous_client_is_nobodys(open_socket):
    """Two anonymous clients are not the same user; the connection is still told its own."""
    sender, other = open_socket(), open_socket()
    sender.send_json(say("hi", to_all=True))
    assert sender.receive_json() == heard("hi", False, True)
    assert other.receive_json() == heard("hi", False, False)


def test_consumer_knows_its_connection_on_every_message(open_socket, user):
    """User, groups, URL, query string, headers and what the handshake noted are at hand; credentials are not."""
    socket = open_socket("/chat/a/?token=1&x=2", user=user, headers={"host": "testserver"})
    socket.send_json({"action": "who"})
    assert socket.receive_json()["payload"] == {
        "user": "ada",
        "groups": ["announcements", "room.a"],
        "kwargs": {"room": "a"},
        "scope_query": "token=1&x=2",
        "query": {"token": "1", "x": "2"},
        "host": "testserver",
        "cookies": {},
        "request_user": "ada",
        "noted": "hello ada",
    }


def test_groups_are_joined_and_left_at_run_time(open_socket):
    """A group that was joined is among the connection's groups until it is left."""
    socket = open_socket()
    for action, groups in (("join", ["announcements", "extra", "room.a"]), ("leave", ["announcements", "room.a"])):
        socket.send_json({"action": action, "payload": "extra"})
        socket.send_json({"action": "who"})
        assert socket.receive_json()["payload"]["groups"] == groups


def test_groups_end_with_the_connection(open_socket):
    """Groups that were joined at run time are left as well, and nothing of the list is kept."""
    socket = open_socket()
    socket.send_json({"action": "join", "payload": "extra"})
    socket.send_json({"action": "ping"})
    socket.receive_json()
    layer = channel_layers["default"]
    (channel,) = layer.group_channels("extra")
    socket.close()
    assert socket.receive_nothing()
    assert [layer.group_channels(name) for name in ("extra", "announcements", "room.a")] == [[], [], []]
    assert Memberships(layer, channel, {}).all() == []


def test_event_runs_the_consumer_of_every_member(open_socket, user):
    """Each has its own context."""
    sockets = open_socket(user=user), open_socket()
    ChatConsumer.send_channel_event("announcements", NotifyEvent(payload=NotifyEvent.Payload(content="x")))
    assert [socket.receive_json()["payload"] for socket in sockets] == ["INFO: x for ada", "INFO: x for "]


def test_event_that_fails_does_not_end_anything(open_socket, caplog):
    """The client is not told, the log is, and the next event arrives."""
    socket = open_socket()
    ChatConsumer.send_channel_event("announcements", CloseEvent(handler="fail"))
    ChatConsumer.send_channel_event("announcements", NotifyEvent(payload=NotifyEvent.Payload(content="x")))
    assert socket.receive_json()["payload"] == "INFO: x for "
    assert "Failed to process channel event" in caplog.text
    assert "an event that fails" in caplog.text


def test_event_may_close_the_socket(open_socket):
    """What an event's handler does to its connection happens to it alone."""
    socket = open_socket()
    ChatConsumer.send_channel_event("room.a", CloseEvent(handler="close", payload=4001))
    assert socket.receive_close() == 4001


def test_event_of_another_type_is_refused_where_it_is_sent():
    """The sender finds out, not the members."""
    with pytest.raises(TypeError, match="ChatConsumer takes NotifyEvent, CloseEvent, not str"):
        ChatConsumer.send_channel_event("announcements", "text")


def test_handlers_are_chosen_by_annotation(open_socket):
    """A decorated method takes the message that its annotation names, and what it returns is sent."""
    socket = open_socket("/decorated/")
    socket.send_json({"action": "ping"})
    socket.send_json(say("again"))
    assert socket.receive_json() == {"action": "pong", "payload": None}
    assert socket.receive_json() == {"action": "answer", "payload": "again"}
    socket.send_json(say(""))
    assert socket.receive_nothing()
