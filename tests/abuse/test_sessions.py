"""Sessions of connections and of visitors do not stand for each other, and a key that was planted is worth nothing."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth import get_user
from django.contrib.auth.models import User
from django.contrib.sessions.backends import file
from django.core.cache import cache
from django.http import HttpRequest
from django.test import override_settings

from channels import session_stores
from channels.auth import channel_login, channel_session_user, channel_session_user_from_http, http_session_user
from channels.message import Message
from channels.session_stores import session_key
from channels.sessions import session_for_reply_channel
from tests.support.connection import make_layer

ENGINES = ["db", "cached_db", "cache", "file"]

REPLY = "websocket.send.process!victim"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, settings: Any, tmp_path: Any) -> Iterator[str]:
    """An engine of sessions, for visitors and connections."""
    settings.SESSION_ENGINE = f"django.contrib.sessions.backends.{request.param}"
    settings.SESSION_FILE_PATH = str(tmp_path)
    cache.clear()
    session_stores._pinned_class.cache_clear()
    yield settings.SESSION_ENGINE
    session_stores._pinned_class.cache_clear()
    if "_storage_path" in vars(file.SessionStore):  # It remembers on its class where files go.
        del file.SessionStore._storage_path


@pytest.fixture
def victim(db: None) -> User:
    """A user who is logged in on a socket, by a token."""
    return User.objects.create_user("victim")


def log_in(victim: User) -> None:
    """Log the victim in on a connection."""

    @channel_session_user
    def consumer(message: Message) -> None:
        channel_login(message, victim)

    consumer(Message({"reply_channel": REPLY}, "websocket.receive", make_layer()))
    assert "_auth_user_id" in session_for_reply_channel(REPLY)


def test_name_of_a_connection_leads_to_no_cookie(engine: str, victim: User) -> None:
    """Whoever read a reply channel in a log can make a key of it, and is nobody with it, for pages as for sockets."""
    log_in(victim)
    with override_settings(SECRET_KEY="what the attacker has instead"):
        key = session_key(REPLY)
    request = HttpRequest()
    request.session = import_module(engine).SessionStore(key)
    assert get_user(request).is_anonymous

    names: list[str] = []

    @http_session_user
    def by_cookie(message: Message) -> None:
        names.append(message.user.username)

    cookie = [[b"cookie", f"{django_settings.SESSION_COOKIE_NAME}={key}".encode()]]
    for source in ({"headers": cookie}, {"query_string": f"session_key={key}".encode()}):
        content = {"reply_channel": "websocket.send.process!attacker", "path": "/", **source}
        by_cookie(Message(content, "websocket.connect", make_layer()))
    assert names == ["", ""]


def test_key_of_a_visitor_is_no_connection(engine: str, victim: User) -> None:
    """The session of a connection is its own, whatever cookie it came with; what is kept there is not the visitor's."""
    log_in(victim)
    visitor = import_module(engine).SessionStore()
    visitor["said"] = "by the visitor"
    visitor.create()
    cookie = [[b"cookie", f"{django_settings.SESSION_COOKIE_NAME}={visitor.session_key}".encode()]]

    @channel_session_user_from_http
    def consumer(message: Message) -> None:
        assert "said" not in message.channel_session
        assert message.user.is_anonymous
        message.channel_session["said"] = "on the socket"

    content = {"reply_channel": "websocket.send.process!other", "path": "/", "headers": cookie}
    consumer(Message(content, "websocket.connect", make_layer()))
    assert import_module(engine).SessionStore(visitor.session_key)["said"] == "by the visitor"
    assert "said" not in session_for_reply_channel(REPLY)


def test_login_on_a_socket_reaches_no_cookie(engine: str, victim: User) -> None:
    """A planted cookie stays that of nobody when its socket logs in: the visitor's session is not touched."""
    planted = import_module(engine).SessionStore()
    planted["planted"] = True
    planted.create()
    cookie = [[b"cookie", f"{django_settings.SESSION_COOKIE_NAME}={planted.session_key}".encode()]]

    @channel_session_user_from_http
    def consumer(message: Message) -> None:
        channel_login(message, victim)

    consumer(Message({"reply_channel": REPLY, "path": "/", "headers": cookie}, "websocket.connect", make_layer()))
    assert dict(import_module(engine).SessionStore(planted.session_key).items()) == {"planted": True}
