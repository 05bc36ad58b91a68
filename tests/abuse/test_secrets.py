"""Passwords, keys, cookies and tokens are in no name, error, log line, report of an error, or output of a command.

What a whole site logs of those that clients bring is looked at in ``test_servers``.
"""

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core import management
from django.core.management.base import SystemCheckError
from django.urls import path
from django.views.debug import ExceptionReporter

from channels import dispatch, route, route_class
from channels.exceptions import LayerUnavailable, MalformedReply
from channels.formats import read_http_reply
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketConsumer
from channels.handler import AsgiHandler
from channels.layers.redis import RedisChannelLayer, RedisClusterChannelLayer, RedisSentinelChannelLayer
from channels.message import Message
from channels.sessions import channel_and_http_session, enforce_ordering
from channels.typed import PingMessage, TypedConsumer, ws_handler
from tests.support.connection import Connection, make_layer
from tests.support.http import message
from tests.support.loudness import Log

SECRET = "s3cret"

URLS = [
    "redis://:s3cret@127.0.0.1:1/0",
    "redis://user:s3cret@127.0.0.1:1/0",
    "redis://user:one@s3cret@127.0.0.1:1/0",
    "redis://user:s3cret@two@127.0.0.1:1/0",
    "redis://user:s3cret:three@127.0.0.1:1/0",
    "redis://127.0.0.1:1/0?password=s3cret",
    "redis://127.0.0.1:1/0?password=a@s3cret",
    "unix://:s3cret@/nowhere/redis.sock?db=1",
    "rediss://:s3cret@127.0.0.1:1/0?ssl_password=s3cret#s3cret",
]

UNREADABLE = [
    "redis://:one/s3cret@127.0.0.1:1/0",
    "redis://:s3cret/one@127.0.0.1:1/0",
    "redis://:[s3cret@127.0.0.1:1/0",
    "redis://127.0.0.1:s3cret/0",
    "http://:s3cret@127.0.0.1:1/0",
]


@pytest.mark.parametrize("url", URLS)
def test_password_of_redis_is_in_no_name_or_error(url: str, log: Log) -> None:
    """Nor in what is logged when the server is away."""
    layer = RedisChannelLayer(hosts=[url], symmetric_encryption_keys=[SECRET], name_key=SECRET)
    with pytest.raises(LayerUnavailable) as caught:
        layer.send("test", {"a": 1})
    shown = [str(layer), repr(layer), str(caught.value), repr(caught.value), repr(vars(layer)), *log.lines]
    assert not [text for text in shown if SECRET in text]
    assert "127.0.0.1:1" in str(layer) or "/nowhere/redis.sock" in str(layer)


@pytest.mark.parametrize("url", UNREADABLE)
@pytest.mark.parametrize("kind", [RedisChannelLayer, RedisClusterChannelLayer])
def test_password_in_a_url_that_cannot_be_read_is_not_told(kind: Any, url: str) -> None:
    """Neither by the error nor by those it came from, which a traceback shows."""
    with pytest.raises(ValueError, match="redis://") as caught:
        kind(hosts=[url])
    error: BaseException | None = caught.value
    while error is not None:
        assert SECRET not in str(error)
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


WRONG_HOSTS = [("redis://:s3cret@h",), ("redis://:s3cret@h", "port"), {"h": SECRET}, (SECRET, 1, 2)]


@pytest.mark.parametrize("host", WRONG_HOSTS, ids=["one", "port", "dict", "three"])
@pytest.mark.parametrize("kind", [RedisChannelLayer, RedisSentinelChannelLayer])
def test_host_of_a_wrong_shape_is_not_told(kind: Any, host: Any) -> None:
    """Its kind is."""
    with pytest.raises(ValueError, match="pair of host and port") as caught:
        kind(hosts=[host], **({"services": ["a"]} if kind is RedisSentinelChannelLayer else {}))
    assert SECRET not in str(caught.value)


BACKEND = {"BACKEND": "channels.layers.redis.RedisChannelLayer", "ROUTING": []}

MISTAKES: dict[str, Any] = {
    "a list of layers": [{**BACKEND, "CONFIG": {"hosts": ["redis://:s3cret@h"]}}],
    "no dict": {"default": [BACKEND, {"hosts": ["redis://:s3cret@h"]}]},
    "config that is a URL": {"default": {**BACKEND, "CONFIG": "redis://:s3cret@h"}},
    "hosts that are a URL": {"default": {**BACKEND, "CONFIG": {"hosts": "redis://:s3cret@h"}}},
    "keys that are text": {"default": {**BACKEND, "CONFIG": {"symmetric_encryption_keys": SECRET}}},
    "name key alone": {"default": {**BACKEND, "CONFIG": {"name_key": SECRET}}},
    "unknown key": {"default": {**BACKEND, "CONFIG": {"password": SECRET}}},
    "unreadable": {"default": {**BACKEND, "CONFIG": {"hosts": ["redis://:s3cret/1@h"]}}},
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_tells_of_mistakes_without_secrets(settings: Any, mistake: str) -> None:
    """Its output is in the logs of builds."""
    settings.CHANNEL_LAYERS = MISTAKES[mistake]
    output = io.StringIO()
    try:
        management.call_command("check", fail_level="WARNING", stdout=output, stderr=output)
        told = output.getvalue()
    except SystemCheckError as error:
        told = str(error)
    assert "channels." in told
    assert SECRET not in told


@pytest.mark.parametrize("command", ["status", "doctor"])
def test_commands_show_no_password(settings: Any, command: str) -> None:
    """Not even that of a server that is away."""
    config = {"hosts": ["redis://user:p@s3cret@127.0.0.1:1/0"], "symmetric_encryption_keys": [SECRET]}
    settings.CHANNEL_LAYERS = {"default": {**BACKEND, "CONFIG": config}}
    output = io.StringIO()
    with pytest.raises(management.CommandError) as caught:
        management.call_command("channels", command, stdout=output, stderr=output)
    assert SECRET not in str(caught.value) + output.getvalue()


# Messages

HEADERS = [
    (b"cookie", f"sessionid={SECRET}; other={SECRET}".encode()),
    (b"authorization", f"Bearer {SECRET}".encode()),
    (b"host", b"testserver"),
]


def fail(*args: Any, **kwargs: Any) -> None:
    """Fail."""
    raise RuntimeError("as consumers do")


class Failing(JsonWebsocketConsumer):
    """Fails at every frame."""

    http_user_and_session = True
    strict_ordering = True

    def receive(self, content: Any, **kwargs: Any) -> None:
        """Fail."""
        fail()


class FailingAtOnce(WebsocketConsumer):
    """Fails at the handshake."""

    http_user_and_session = True

    def connect(self, message: Message, **kwargs: Any) -> None:
        """Fail."""
        fail()


class FailingTyped(TypedConsumer):
    """Fails at a ping."""

    authentication_classes = ()
    permission_classes = ()

    @ws_handler
    def ping(self, message: PingMessage) -> None:
        """Fail."""
        fail()


class Reports(logging.Handler):
    """Makes of each record with an exception the report that Django mails to admins, as text and as HTML."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Make it."""
        if record.exc_info:
            reporter = ExceptionReporter(None, *record.exc_info, is_email=True)
            self.texts += [reporter.get_traceback_text(), reporter.get_traceback_html()]


@pytest.fixture
def reports() -> Iterator[list[str]]:
    """The reports on what is logged during the test."""
    handler = Reports()
    logging.getLogger("django").addHandler(handler)
    yield handler.texts
    logging.getLogger("django").removeHandler(handler)


def handshake(consumer: Any) -> Callable[[], Any]:
    """Return what sends a handshake to ``consumer``."""

    def run() -> None:
        socket = Connection([consumer])
        socket.run("websocket.connect", headers=HEADERS, query_string=b"session_key=s3cret")

    return run


def frame(consumer: Any, text: str = "{}") -> Callable[[], Any]:
    """Return what sends a handshake and a frame to ``consumer``."""

    def run() -> None:
        socket = Connection([consumer])
        socket.run("websocket.connect", headers=HEADERS, query_string=b"session_key=s3cret", method="GET")
        socket.receive(text)

    return run


OF_REPORTS = "DEBUG django.template "
"""What Django logs while it makes them."""

PING = '{"action": "ping", "payload": null}'

FAILURES: dict[str, Callable[[], Any]] = {
    "function": handshake(route("websocket.connect", fail)),
    "function with sessions": handshake(route("websocket.connect", enforce_ordering(channel_and_http_session(fail)))),
    "class, handshake": handshake(route_class(FailingAtOnce)),
    "class, frame": frame(route_class(Failing)),
    "typed consumer": frame(route_class(FailingTyped), PING),
}


@pytest.mark.django_db
@pytest.mark.parametrize("failure", FAILURES)
def test_report_of_a_failed_consumer_holds_no_secret(settings: Any, failure: str, reports: list[str], log: Log) -> None:
    """Though it shows the variables of every frame, and the settings."""
    config = {"connection_kwargs": {"password": SECRET}, "symmetric_encryption_keys": [SECRET], "name_key": SECRET}
    settings.CHANNEL_LAYERS = {"default": {**BACKEND, "CONFIG": config}}
    settings.CHANNELS_TYPED = {"SEND_AUTHENTICATION_MESSAGE": False}
    FAILURES[failure]()
    assert reports
    assert "as consumers do" in reports[0]
    assert "CHANNEL_LAYERS" in reports[1]
    assert not [line for text in reports for line in text.splitlines() if SECRET in line]
    assert not [line for line in log.lines if SECRET in line and not line.startswith(OF_REPORTS)]


@pytest.mark.django_db
def test_debug_page_of_a_failed_view_holds_no_secret(settings: Any) -> None:
    """Of what came with the request and what this package made of it."""
    settings.DEBUG = True
    settings.ROOT_URLCONF = "tests.abuse.test_secrets"
    request = message("/fail/", headers=HEADERS)
    page = b"".join(reply["content"] for reply in AsgiHandler()(request)).decode()
    assert "as consumers do" in page
    # Django shows other cookies than that of the session, and so it shall.
    shown = [line for line in page.splitlines() if SECRET in line]
    assert all("<pre>&#x27;s3cret&#x27;</pre>" in line for line in shown)
    assert len(shown) == 1


def test_message_that_is_given_up_is_not_told(log: Log) -> None:
    """What it is and what it has, but not its values."""
    layer = make_layer([route("test", put_off)])
    dispatch.dispatch(layer, "test", {"text": SECRET, "headers": HEADERS}, sender=Connection, message_retries=0)
    assert "Exceeded number of retries for message on channel test" in "".join(log.lines)
    assert SECRET not in "".join(log.lines)


def put_off(message: Message) -> None:
    """Ask for a later try."""
    from channels.exceptions import ConsumeLater

    raise ConsumeLater


def test_frame_that_is_no_json_is_not_told(log: Log) -> None:
    """It may be a password with a bracket missing."""
    socket = Connection([route_class(JsonWebsocketConsumer)])
    socket.connect()
    socket.receive('{"password": "s3cret"')
    assert "as str was no JSON" in "".join(log.lines)
    assert SECRET not in "".join(log.lines)


@pytest.mark.parametrize("header", [("Set-Cookie", "sessionid=s3cret"), [b"Set-Cookie", "s3cret"], (b"X", b"s3cret\n")])
def test_header_that_cannot_be_sent_is_not_told(header: Any) -> None:
    """Its kind or name is."""
    with pytest.raises(MalformedReply) as caught:
        read_http_reply({"status": 200, "headers": [header]})
    assert SECRET not in str(caught.value)


urlpatterns = [path("fail/", fail)]
