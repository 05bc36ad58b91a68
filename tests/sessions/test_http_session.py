"""HTTP sessions seen from a socket: found, read, never made."""

import logging
import os
import time

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session

from channels.layers.inmemory import ChannelLayer
from channels.message import Message
from channels.sessions import (
    channel_and_http_session,
    channel_session,
    enforce_ordering,
    http_session,
    session_for_reply_channel,
)

REPLY = "websocket.send.process!socket"


def message(channel="websocket.connect", **content):
    """Return a message with the parts of a handshake given."""
    return Message({"reply_channel": REPLY, "path": "/", "order": 0, **content}, channel, object())


@http_session
def seen(message):
    """Return the session the consumer gets."""
    return message.http_session


def test_cookie_leads_to_the_session(engine, visitor, cookie):
    """The session is that of the browser."""
    assert seen(message(headers=cookie(visitor(theme="dark"))))["theme"] == "dark"


def test_get_parameter_comes_before_the_cookie(visitor, cookie):
    """A page on another port hands over its key in the URL."""
    by_url = visitor(by="url")
    found = seen(message(headers=cookie(visitor(by="cookie")), query_string=f"session_key={by_url.session_key}"))
    assert found["by"] == "url"


@pytest.mark.parametrize("form", ["bytes", "str"])
def test_query_string_may_be_bytes_or_text(visitor, form):
    """Interfaces send bytes; 1.x code also made text."""
    query = f"a=b&session_key={visitor(by=form).session_key}"
    assert seen(message(query_string=query.encode() if form == "bytes" else query))["by"] == form


def test_headers_may_be_a_dict(visitor):
    """The old form of headers still works."""
    key = visitor(by="dict").session_key
    assert seen(message(headers={"cookie": f"{settings.SESSION_COOKIE_NAME}={key}".encode()}))["by"] == "dict"


def test_cookies_may_be_split_over_headers(visitor, cookie):
    """Clients of HTTP/2 send one header per cookie."""
    headers = [[b"cookie", b"first=1"], *cookie(visitor(by="split")), [b"cookie", b"last=1"]]
    assert seen(message(headers=headers))["by"] == "split"


def test_message_may_offer_parsed_cookies_and_parameters(visitor):
    """Messages of other protocols carry dicts named cookies and get."""
    one, two = visitor(by="cookies"), visitor(by="get")
    assert seen(message(cookies={settings.SESSION_COOKIE_NAME: one.session_key}))["by"] == "cookies"
    assert seen(message(get={"session_key": two.session_key}))["by"] == "get"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"headers": []}, "it has neither a cookie"),
        ({"query_string": "session_key=nobodyhasthiskey00000000000000000"}, "there is no session of the key"),
        ({"query_string": "session_key=short"}, "there is no session of the key"),
        ({"query_string": "session_key=" + "x" * 5000}, "there is no session of the key"),
        ({"query_string": "session_key=../../../etc/passwd"}, "there is no session of the key"),
        ({"query_string": "session_key=nul%00nul%00nul"}, "there is no session of the key"),
        ({"headers": [[b"cookie", b"\xff\xfe;;=;\x01"]]}, "it has neither a cookie"),
    ],
)
def test_no_session_is_none_and_says_why(engine, caplog, content, reason):
    """A forged, mangled or missing key ends in None, with the reason at DEBUG."""
    with caplog.at_level(logging.DEBUG, "django.channels"):
        assert seen(message(**content)) is None
    assert reason in caplog.text


def test_expired_session_is_none(visitor, cookie):
    """A session that has run out is no session."""
    session = visitor(theme="dark")
    session.set_expiry(-1)
    session.save()
    assert seen(message(headers=cookie(session))) is None


@pytest.mark.parametrize("engine", ["file"], indirect=True)
def test_expired_file_is_no_session(engine, visitor, cookie):
    """Nor is it begun anew, as the engine would: the client could not be told of its key."""
    session = visitor(theme="dark")
    long_ago = time.time() - settings.SESSION_COOKIE_AGE - 60
    os.utime(session._key_to_file(), (long_ago, long_ago))
    assert seen(message(headers=cookie(session))) is None
    assert not session.exists(session.session_key)


def test_no_session_is_ever_created(engine, db):
    """Consumers cannot set cookies, so what they made could never be found again."""

    @http_session
    def consumer(message):
        assert message.http_session is None

    consumer(message(headers=[[b"cookie", settings.SESSION_COOKIE_NAME.encode() + b"=madeupbysomebodyelse"]]))
    assert not Session.objects.exists()


def test_change_is_saved(engine, visitor, cookie):
    """A consumer may write to the visitor's session."""
    session = visitor(theme="dark")

    @http_session
    def consumer(message):
        message.http_session["theme"] = "light"

    consumer(message(headers=cookie(session)))
    assert seen(message(headers=cookie(session)))["theme"] == "light"


def test_change_is_not_saved_when_the_consumer_raises(visitor, cookie):
    """An error leaves the visitor's session as it was."""
    session = visitor(theme="dark")

    @http_session
    def consumer(message):
        message.http_session["theme"] = "light"
        raise KeyError("room")

    with pytest.raises(KeyError):
        consumer(message(headers=cookie(session)))
    assert seen(message(headers=cookie(session)))["theme"] == "dark"


def test_change_of_a_session_that_ended_meanwhile_is_dropped(engine, visitor, cookie):
    """A logout while the consumer runs wins."""
    session = visitor(theme="dark")

    @http_session
    def consumer(message):
        session.delete()
        message.http_session["theme"] = "light"

    consumer(message(headers=cookie(session)))
    assert seen(message(headers=cookie(session))) is None


def test_session_is_read_once_however_often_it_is_asked_for(visitor, cookie, django_assert_num_queries):
    """Nested decorators share one session."""
    session = visitor(theme="dark")
    with django_assert_num_queries(1):
        http_session(http_session(seen))(message(headers=cookie(session)))


@pytest.mark.parametrize("content", [{"path": None}, {"query_string": 5}, {"headers": 3}])
def test_message_that_is_not_http_is_refused(content):
    """The error says that the message cannot be read, not that some attribute is missing."""
    made = message(**content)
    if content.get("path", "") is None:
        del made.content["path"]
    with pytest.raises(ValueError, match=r"^Cannot parse HTTP message - are you sure this is a HTTP consumer?"):
        seen(made)


def test_signed_cookies_are_refused(settings, cookie):
    """A cookie session could be read but never written."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    with pytest.raises(ValueError, match="signed cookie sessions"):
        seen(message(query_string="session_key=whatever00000000"))


# Both sessions


@channel_and_http_session
def both(message):
    """Return both sessions."""
    return message.channel_session, message.http_session


def test_http_session_is_there_on_later_messages(engine, visitor, cookie):
    """The connection remembers the visitor's session from the connect on."""
    both(message(headers=cookie(visitor(theme="dark"))))
    assert both(message("websocket.receive", text="x"))[1]["theme"] == "dark"


def test_key_of_the_http_session_is_kept_under_the_cookie_name(visitor, cookie):
    """1.x code looks for it there."""
    session = visitor()
    both(message(headers=cookie(session)))
    assert session_for_reply_channel(REPLY)[settings.SESSION_COOKIE_NAME] == session.session_key


def test_http_session_that_has_ended_is_none_on_later_messages(visitor, cookie):
    """A logout takes the session away from the socket too."""
    session = visitor()
    both(message(headers=cookie(session)))
    session.flush()
    assert both(message("websocket.receive", text="x"))[1] is None


def test_change_on_a_later_message_is_saved(visitor, cookie):
    """The session of a later message is as writable as that of the first."""
    session = visitor(theme="dark")
    both(message(headers=cookie(session)))

    @channel_and_http_session
    def consumer(message):
        message.http_session["theme"] = "light"

    consumer(message("websocket.receive", text="x"))
    assert seen(message(headers=cookie(session)))["theme"] == "light"


@pytest.mark.parametrize("outer", [channel_session, http_session, enforce_ordering])
@pytest.mark.parametrize("inner", [channel_session, http_session, enforce_ordering])
def test_any_nesting_saves_both_sessions_once(outer, inner, visitor, cookie, django_assert_num_queries):
    """Whatever is decorated inside or outside: two reads, two writes."""
    made = message(headers=cookie(visitor(theme="dark")))
    made.channel_layer = ChannelLayer()

    @outer
    @channel_and_http_session
    @inner
    def consumer(message):
        message.http_session["theme"] = "light"
        message.channel_session["room"] = "lobby"

    with django_assert_num_queries(2 + 2 * 3):
        consumer(made)
