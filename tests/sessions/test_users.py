"""Users of connections: carried over from the visitor, checked on every message, explained when anonymous."""

import logging

import pytest
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.models import Session
from django.core.cache import cache

from channels.auth import (
    channel_and_http_session_user_from_http,
    channel_login,
    channel_logout,
    channel_session_user,
    channel_session_user_from_http,
    http_session_user,
    transfer_user,
)
from channels.message import Message
from channels.session_stores import session_key
from channels.sessions import (
    channel_and_http_session,
    channel_session,
    enforce_ordering,
    http_session,
    session_for_reply_channel,
)
from tests.support.connection import make_layer

REPLY = "websocket.send.process!socket"
DECORATORS = [
    channel_session,
    http_session,
    channel_and_http_session,
    channel_session_user,
    http_session_user,
    channel_session_user_from_http,
    channel_and_http_session_user_from_http,
    enforce_ordering,
]


@pytest.fixture
def message():
    """Return a function that makes the messages of one socket."""
    layer = make_layer()

    def make(channel="websocket.connect", order=0, **content):
        return Message({"reply_channel": REPLY, "path": "/", "order": order, **content}, channel, layer)

    return make


def name(consumer):
    """Return ``consumer`` as one that gives the user's name, or None for an anonymous one."""
    return consumer(lambda message: message.user.username if message.user.is_authenticated else None)


def test_user_of_the_visitor_is_that_of_the_socket(message, user, login, cookie):
    """The connect consumer sees who opened the page."""
    assert name(http_session_user)(message(headers=cookie(login(user)))) == "ada"


def test_user_is_carried_over_to_later_messages(message, user, login, cookie):
    """The channel session remembers who connected."""
    name(channel_session_user_from_http)(message(headers=cookie(login(user))))
    assert name(channel_session_user)(message("websocket.receive", text="x")) == "ada"


def test_user_equals_a_user(message, user, login, cookie):
    """The user that is looked up when used behaves as one."""
    made = message(headers=cookie(login(user)))
    http_session_user(lambda message: None)(made)
    assert made.user == user
    assert isinstance(made.user, get_user_model())


def test_user_from_http_works_on_every_message(message, user, login, cookie):
    """Decorating all three consumers alike is no mistake."""
    consumer = name(channel_session_user_from_http)
    consumer(message(headers=cookie(login(user))))
    assert consumer(message("websocket.receive", text="x")) == "ada"
    assert consumer(message("websocket.disconnect", code=1000)) == "ada"


def test_transfer_copies_a_complete_login_only():
    """Half a login is none."""
    to_session = {}
    transfer_user({SESSION_KEY: "1"}, to_session)
    assert to_session == {}


def test_transfer_by_hand_still_works(message, user, login, cookie):
    """1.x consumers call transfer_user themselves, inside a decorator that already did."""

    @channel_session_user_from_http
    def consumer(message):
        transfer_user(message.http_session, message.channel_session)

    consumer(message(headers=cookie(login(user))))
    assert name(channel_session_user)(message("websocket.receive", text="x")) == "ada"


def test_logout_of_the_visitor_does_not_reach_the_channel_session(message, user, login, cookie):
    """The user is that of the connect, as documented."""
    session = login(user)
    name(channel_session_user_from_http)(message(headers=cookie(session)))
    session.flush()
    assert name(channel_session_user)(message("websocket.receive", text="x")) == "ada"


def test_logout_of_the_visitor_reaches_a_socket_with_both_sessions(message, user, login, cookie):
    """Who asks for the visitor's session on every message notices that it has ended."""
    session = login(user)
    consumer = name(channel_and_http_session_user_from_http)
    consumer(message(headers=cookie(session)))
    assert consumer(message("websocket.receive", text="x")) == "ada"
    session.flush()
    assert consumer(message("websocket.receive", text="x")) is None
    assert consumer(message("websocket.receive", text="x")) is None


def test_later_login_of_the_visitor_reaches_a_socket_with_both_sessions(message, user, visitor, login, cookie):
    """The visitor logs in on the page while the socket stays open."""
    session = visitor(theme="dark")
    consumer = name(channel_and_http_session_user_from_http)
    assert consumer(message(headers=cookie(session))) is None
    session.update(dict(login(user).items()))
    session.save()
    assert consumer(message("websocket.receive", text="x")) == "ada"


# Why somebody is anonymous


@pytest.fixture
def reasons(caplog):
    """The log at DEBUG."""
    caplog.set_level(logging.DEBUG, "django.channels")
    return caplog


def test_no_session_is_the_reason(message, db, reasons):
    """No cookie, no user; the log tells both."""
    assert name(http_session_user)(message()) is None
    assert "the message leads to no HTTP session" in reasons.text


def test_anonymous_without_a_session_is_an_anonymous_user(message, db):
    """Code that asks ``is_authenticated`` needs no check for None."""
    made = message()
    http_session_user(lambda message: None)(made)
    assert isinstance(made.user, AnonymousUser)


def test_nobody_logged_in_is_the_reason(message, visitor, cookie, reasons):
    """A session without a login says so."""
    assert name(http_session_user)(message(headers=cookie(visitor(theme="dark")))) is None
    assert "nobody is logged in to its session" in reasons.text


def test_unknown_backend_is_the_reason(message, user, login, cookie, reasons, settings):
    """A backend that was removed from the settings is named."""
    session = login(user)
    settings.AUTHENTICATION_BACKENDS = ["somewhere.else.Backend"]
    assert name(http_session_user)(message(headers=cookie(session))) is None
    assert "'django.contrib.auth.backends.ModelBackend' is not in AUTHENTICATION_BACKENDS" in reasons.text


def test_changed_password_is_the_reason(message, user, login, cookie, reasons):
    """A password that changed elsewhere ends the login of the socket."""
    name(channel_session_user_from_http)(message(headers=cookie(login(user))))
    user.set_password("difference")
    user.save()
    assert name(channel_session_user)(message("websocket.receive", text="x")) is None
    assert "the password or SECRET_KEY has changed since the login" in reasons.text


def test_changed_secret_is_the_reason(message, user, login, cookie, reasons, settings):
    """A new SECRET_KEY makes stored sessions unreadable; nobody is logged in to what is left."""
    headers = cookie(login(user))
    settings.SECRET_KEY = "another"
    assert name(channel_session_user_from_http)(message(headers=headers)) is None
    assert "nobody is logged in to its session" in reasons.text


def test_deleted_user_is_the_reason(message, user, login, cookie, reasons):
    """A user that is gone is anonymous, not an error."""
    name(channel_session_user_from_http)(message(headers=cookie(login(user))))
    user.delete()
    assert name(channel_session_user)(message("websocket.receive", text="x")) is None
    assert "the user does not exist any more or is not active" in reasons.text


def test_rotated_secret_keeps_user_and_sessions(message, user, login, cookie, settings):
    """SECRET_KEY_FALLBACKS: the login stays valid, and the browser's session keeps the key it knows."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    cache.clear()  # Other tests had a socket of this name.
    session = login(user)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    assert name(channel_session_user_from_http)(message(headers=cookie(session))) == "ada"
    assert session.exists(session.session_key)
    settings.SECRET_KEY_FALLBACKS = []
    assert name(channel_session_user)(message("websocket.receive", text="x")) == "ada"


def test_rotated_secret_keeps_the_sessions_of_open_sockets(message, user, login, cookie, settings):
    """They were begun with a secret that is among SECRET_KEY_FALLBACKS now; nothing is left of them at the end."""
    name(channel_session_user_from_http)(message(headers=cookie(login(user))))
    rows = Session.objects.count()
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", ["older", settings.SECRET_KEY]

    @channel_session_user
    def consumer(message):
        message.channel_session["room"] = "lobby"

    consumer(message("websocket.receive", text="x"))
    assert name(channel_session_user)(message("websocket.receive", text="x")) == "ada"
    assert Session.objects.count() == rows
    channel_session(lambda message: None)(message("websocket.disconnect"))
    assert Session.objects.count() == rows - 1


def test_failed_check_keeps_the_key_of_the_channel_session(message, user, login, cookie):
    """What is stored after the flush is found by the next message."""
    name(channel_session_user_from_http)(message(headers=cookie(login(user))))
    user.set_password("difference")
    user.save()

    @channel_session_user
    def consumer(message):
        assert not message.user.is_authenticated
        message.channel_session["room"] = "lobby"

    consumer(message("websocket.receive", text="x"))
    assert dict(session_for_reply_channel(REPLY).items()) == {"room": "lobby"}


# Logging in over the socket


def test_login_over_the_socket_lasts(message, user):
    """A consumer that checked a token logs the user in for the rest of the connection."""

    @channel_session_user
    def consumer(message):
        channel_login(message, user)
        assert message.user == user

    consumer(message("websocket.receive", text="x"))
    assert name(channel_session_user)(message("websocket.receive", text="x")) == "ada"


def test_logout_over_the_socket_keeps_the_rest(message, user):
    """Logging out forgets the user only."""

    @channel_session
    def consumer(message):
        message.channel_session["room"] = "lobby"
        channel_login(message, user)
        channel_logout(message)
        assert not message.user.is_authenticated

    consumer(message("websocket.receive", text="x"))
    assert dict(session_for_reply_channel(REPLY).items()) == {"room": "lobby"}


@pytest.mark.parametrize("function", [lambda message: channel_login(message, None), channel_logout])
def test_login_needs_a_channel_session(message, function):
    """The error says which decorator is missing."""
    with pytest.raises(ValueError, match="decorate the consumer with channel_session"):
        function(message())


def test_login_needs_to_know_the_backend(message, user, settings):
    """With several backends the caller must choose."""
    settings.AUTHENTICATION_BACKENDS = ["a.A", "b.B"]

    @channel_session
    def consumer(message):
        channel_login(message, user)

    with pytest.raises(ValueError, match="You have several authentication backends"):
        consumer(message())


# What it costs


def test_connect_of_a_user_costs(message, user, login, cookie, django_assert_num_queries):
    """Visitor's session, channel session, user: one SELECT each; one INSERT in a savepoint."""
    made = message(headers=cookie(login(user)))
    with django_assert_num_queries(3 + 3):
        name(channel_session_user_from_http)(made)


def test_connect_of_nobody_costs_nothing(message, db, django_assert_num_queries):
    """Without a cookie there is nothing to look up and nothing to store."""
    with django_assert_num_queries(0):
        channel_session_user_from_http(lambda message: None)(message())


def test_receive_costs_two_selects(message, user, login, cookie, django_assert_num_queries):
    """Channel session and user, and only where the user is looked at."""
    name(channel_session_user_from_http)(message(headers=cookie(login(user))))
    made = message("websocket.receive", text="x")
    with django_assert_num_queries(2):
        name(channel_session_user)(made)
    with django_assert_num_queries(0):
        channel_session_user(lambda message: None)(message("websocket.receive", text="x"))


@pytest.mark.parametrize("outer", DECORATORS)
@pytest.mark.parametrize("inner", DECORATORS)
def test_any_two_decorators_share_what_is_open(
    message, user, login, cookie, outer, inner, django_assert_max_num_queries
):
    """Any order and nesting: each session is read once, written once, and the user is the visitor."""
    session = login(user)
    made = message(headers=cookie(session))

    @channel_session_user_from_http
    @outer
    @inner
    def consumer(message):
        assert message.user.username == "ada"
        message.channel_session["room"] = "lobby"

    with django_assert_max_num_queries(3 + 3):
        consumer(made)
    assert session_for_reply_channel(REPLY)["room"] == "lobby"
    assert Session.objects.filter(pk=session_key(REPLY)).count() == 1
