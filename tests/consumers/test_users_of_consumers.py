"""Sessions, users and permission by class attributes, and what they cost per message."""

import logging

import pytest

from channels import sessions
from channels.generic.websockets import WebsocketConsumer
from channels.session_stores import session_key
from channels.sessions import session_for_reply_channel
from tests.support.connection import Connection


def consumer(**attributes):
    """Return a consumer class that sends the name of its user on every message, and the list it also goes to."""
    seen = []

    class Seeing(WebsocketConsumer):
        def connect(self, message, **kwargs):
            super().connect(message)
            seen.append(self.message.user.get_username())

        def receive(self, text=None, bytes=None, **kwargs):
            seen.append(self.message.user.get_username())

        def disconnect(self, message, **kwargs):
            seen.append(message.user.get_username())

    return type("Seeing", (Seeing,), attributes), seen


def connection(consumer, session=None, cookie=None):
    """Return a connection of a browser which holds ``session``."""
    return Connection([consumer.as_route()], headers=cookie(session) if session else [])


@pytest.mark.parametrize("attribute", ["http_user", "http_user_and_session", "login_required"])
def test_user_is_there_on_all_messages(attribute, user, login, cookie):
    """One attribute is enough."""
    made, seen = consumer(**{attribute: True})
    socket = connection(made, login(user), cookie)
    socket.connect()
    socket.receive("x")
    socket.disconnect()
    assert seen == ["ada", "ada", "ada"]


def test_channel_session_user_alone_knows_nobody(user, login, cookie):
    """It reads what was stored; nothing carries the visitor over."""
    made, seen = consumer(channel_session_user=True)
    connection(made, login(user), cookie).connect()
    assert seen == [""]


def test_message_of_self_and_argument_are_one(user, login, cookie):
    """What is set on one is seen on the other."""
    same = []

    class Comparing(WebsocketConsumer):
        http_user = True

        def connect(self, message, **kwargs):
            same.append(self.message is message)

    connection(Comparing, login(user), cookie).connect()
    assert same == [True]


def test_http_session_is_there_on_all_messages(user, login, cookie):
    """http_user_and_session brings the visitor's session along."""
    themes = []

    class Themed(WebsocketConsumer):
        http_user_and_session = True

        def receive(self, text=None, bytes=None, **kwargs):
            themes.append(self.message.http_session["theme"])

    socket = connection(Themed, login(user, theme="dark"), cookie)
    socket.connect()
    socket.receive("x")
    assert themes == ["dark"]


def test_channel_session_attribute_gives_a_session(db):
    """Kept from the connect to the disconnect, and then gone."""

    class Counting(WebsocketConsumer):
        channel_session = True

        def receive(self, text=None, bytes=None, **kwargs):
            count = self.message.channel_session["count"] = self.message.channel_session.get("count", 0) + 1
            self.send(text=str(count))

    socket = connection(Counting)
    assert socket.receive("x") == [{"text": "1"}]
    assert socket.receive("x") == [{"text": "2"}]
    socket.disconnect()
    store = session_for_reply_channel(socket.reply_channel)
    assert not store.exists(session_key(socket.reply_channel))


def test_attributes_and_decorators_share_what_is_open(db, django_assert_num_queries):
    """A decorated method of a class with the attribute reads and saves nothing twice."""

    class Both(WebsocketConsumer):
        channel_session = True

        @sessions.channel_session
        def raw_receive(self, message, **kwargs):
            message.channel_session["seen"] = True

    socket = connection(Both)
    with django_assert_num_queries(4):
        socket.receive("x")


# Permission


def test_anonymous_socket_is_refused_with_403(db):
    """login_required decides before connect runs, and no group is joined."""
    made, seen = consumer(login_required=True, groups=["members"])
    socket = connection(made)
    (reply,) = socket.connect()
    assert (reply["close"], reply["status"], bool(reply["reason"])) == (True, 403, True)
    assert seen == []
    assert socket.layer.group_channels("members") == []


def test_socket_is_closed_when_its_user_is_gone(user, login, cookie, caplog):
    """A deleted user, or a changed password, ends the socket at its next frame."""
    made, seen = consumer(login_required=True)
    socket = connection(made, login(user), cookie)
    socket.connect()
    user.delete()
    with caplog.at_level(logging.INFO, "django.channels"):
        assert socket.receive("x") == [{"close": 4403}]
    assert seen == ["ada"]
    assert "its user is not logged in any more" in caplog.text


def test_disconnect_runs_for_anybody(db):
    """Cleaning up needs no permission."""
    made, seen = consumer(login_required=True)
    connection(made).disconnect()
    assert seen == [""]


def test_login_required_works_with_other_sources_of_the_user(user, login, cookie):
    """It implies http_user only where no other attribute gives the user."""
    made, seen = consumer(login_required=True, http_user_and_session=True)
    session = login(user)
    socket = connection(made, session, cookie)
    socket.connect()
    session.flush()
    assert socket.receive("x") == [{"close": 4403}]
    assert seen == ["ada"]


# What it costs with the database engine; a write is three queries, the savepoint included


@pytest.mark.parametrize(
    ("attribute", "connect", "receive", "disconnect"),
    [
        # Visitor's session, channel session, user; the channel session is inserted. At the end it is deleted: Django
        # reads it first.
        ("http_user", 3 + 3, 2, 2 + 2),
        # The same and the visitor's session on each message.
        ("http_user_and_session", 3 + 3, 3, 3 + 2),
    ],
)
def test_queries_per_message(attribute, connect, receive, disconnect, user, login, cookie, django_assert_num_queries):
    """Sessions and users are read once, and written once where they changed."""
    made, seen = consumer(**{attribute: True})
    socket = connection(made, login(user), cookie)
    for expected, message in [
        (connect, socket.connect),
        (receive, lambda: socket.receive("x")),
        (disconnect, socket.disconnect),
    ]:
        with django_assert_num_queries(expected):
            message()
    assert seen == ["ada"] * 3


def test_queries_of_a_user_that_is_not_looked_at(user, login, cookie, django_assert_num_queries):
    """A consumer that never asks who is there pays at the ends of the connection only."""

    class Blind(WebsocketConsumer):
        http_user = True

    socket = connection(Blind, login(user), cookie)
    with django_assert_num_queries(2 + 3):
        socket.connect()
    with django_assert_num_queries(0):
        socket.receive("x")
    with django_assert_num_queries(2):
        socket.disconnect()
