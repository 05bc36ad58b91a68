"""Origin validators: which pages may open a socket."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from channels.exceptions import DenyConnection
from channels.generic.websockets import WebsocketConsumer
from channels.message import Message
from channels.security.websockets import (
    AllowedHostsOnlyOriginValidator,
    BaseOriginValidator,
    allowed_hosts_only,
)
from tests.support.connection import Connection, make_layer


@pytest.fixture(autouse=True)
def hosts(settings):
    """A site with a wildcard."""
    settings.ALLOWED_HOSTS = ["example.com", ".example.org", "[::1]"]


@allowed_hosts_only
def consumer(message, room=None):
    """Return what it was called with."""
    return room


def message(origin=None, channel="websocket.connect", headers=None):
    """Return a connect message with an Origin header."""
    if headers is None:
        headers = [] if origin is None else [[b"host", b"example.com"], [b"origin", origin]]
    return Message({"reply_channel": "r!1", "path": "/", "headers": headers}, channel, make_layer())


@pytest.mark.parametrize(
    "origin",
    [
        b"http://example.com",
        b"https://example.com:8443",
        b"https://EXAMPLE.com",
        b"https://a.b.example.org",
        b"http://[::1]:8000",
    ],
)
def test_page_of_the_site_may_connect(origin):
    """Scheme and port do not matter, wildcards work as for Django."""
    assert consumer(message(origin), room="lobby") == "lobby"


@pytest.mark.parametrize(
    "origin",
    [
        b"https://example.net",
        b"https://example.com.evil.net",
        b"https://evilexample.org",
        b"https://example.com@evil.net",
        b"null",
        b"",
        b"file://",
        b"example.com",
        b"https://ex\xc3\xa4mple.com",
        b"http://[::1",
        b"https://",
        None,
    ],
)
def test_other_page_is_refused(origin):
    """So is one that does not say where it comes from."""
    with pytest.raises(DenyConnection):
        consumer(message(origin))


def test_two_origins_are_none():
    """Whoever adds a second header does not get to choose."""
    with pytest.raises(DenyConnection):
        consumer(message(headers=[[b"origin", b"https://example.com"], [b"origin", b"https://evil.net"]]))


@pytest.mark.parametrize(
    "headers",
    [{"origin": b"https://example.com"}, {"Origin": "https://example.com"}, [(b"Origin", b"https://example.com")]],
)
def test_headers_may_have_any_of_their_forms(headers):
    """Lists, tuples, and the dict of old messages."""
    assert consumer(message(headers=headers), room="lobby") == "lobby"


def test_local_pages_may_connect_in_development(settings):
    """As Django does where ALLOWED_HOSTS is empty."""
    settings.ALLOWED_HOSTS = []
    settings.DEBUG = True
    assert consumer(message(b"http://localhost:8000"), room="lobby") == "lobby"
    with pytest.raises(DenyConnection):
        consumer(message(b"http://example.com"))


def test_decorated_function_keeps_its_name():
    """Logs and routes show the consumer."""
    assert consumer.__name__ == "consumer"
    assert isinstance(consumer, AllowedHostsOnlyOriginValidator)


def test_refusal_reaches_the_socket():
    """The handshake is denied; nothing else is sent."""
    from channels import route

    (reply,) = Connection([route("websocket.connect", consumer)]).connect()
    assert reply["close"] is True


def test_method_can_be_decorated():
    """A connect method of a class."""

    class Guarded(WebsocketConsumer):
        @allowed_hosts_only
        def raw_connect(self, message, **kwargs):
            super().raw_connect(message, **kwargs)

    assert Connection([Guarded.as_route()], headers=[[b"origin", b"https://example.com"]]).connect() == [
        {"accept": True}
    ]
    assert Connection([Guarded.as_route()], headers=[[b"origin", b"https://evil.net"]]).connect()[0]["close"] is True


def test_handler_of_a_class_can_be_decorated():
    """All messages pass through it; only the handshake has headers to look at."""

    class Guarded(WebsocketConsumer):
        def get_handler(self, *args, **kwargs):
            return allowed_hosts_only(super().get_handler(*args, **kwargs))

        def receive(self, text=None, bytes=None, **kwargs):
            self.send(text=text)

    socket = Connection([Guarded.as_route()], headers=[[b"origin", b"https://example.com"]])
    assert socket.connect() == [{"accept": True}]
    assert socket.receive("x") == [{"text": "x"}]
    assert socket.disconnect() == []
    assert Connection([Guarded.as_route()]).connect()[0]["close"] is True


def test_own_validator_decides():
    """Projects override one method."""

    class SameSite(BaseOriginValidator):
        def validate_origin(self, message, origin):
            return self.get_header(message, "host") == origin.encode().rpartition(b"/")[2]

    assert SameSite(lambda message: "in")(message(b"https://example.com")) == "in"


def test_validator_that_nobody_would_await_is_refused():
    """It would let every page in."""

    async def validate_origin(self, message, origin):
        return False

    with pytest.raises(ImproperlyConfigured, match="validate_origin is an async function"):
        type("Own", (BaseOriginValidator,), {"validate_origin": validate_origin})


def test_base_validator_must_be_completed():
    """The error names the method that is missing."""
    with pytest.raises(NotImplementedError, match=r"must define validate_origin"):
        BaseOriginValidator(lambda message: None)(message(b"https://example.com"))


def test_call_without_a_message_is_refused():
    """The decorator belongs on consumers."""
    with pytest.raises(ValueError, match="called without Message instance"):
        consumer("not a message")
