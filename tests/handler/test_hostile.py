"""Whatever a client sends, the handler answers, and answers what Django answers."""

from typing import Any

import pytest
from django.urls import set_script_prefix
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from channels.handler import AsgiHandler
from channels.layers.inmemory import ChannelLayer
from channels.message import Message
from tests.support.http import Exchange, collect, message, scope, through_asgi, through_channels

TOKEN = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

names = st.lists(st.sampled_from(TOKEN), min_size=1, max_size=12).map(bytes) | st.sampled_from(
    [b"cookie", b"content-type", b"host", b"x-forwarded-proto", b"accept", b"content_type", b"if-none-match"]
)
values = st.lists(st.integers(32, 255).filter(lambda code: code != 127), max_size=30).map(
    lambda codes: bytes(codes).strip()
)
headers = st.lists(st.tuples(names, values), max_size=6)
paths = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).map(lambda text: "/" + text)
queries = st.binary(max_size=20)
content_types = st.sampled_from(
    [
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=x",
        b"multipart/form-data",
        b"text/plain; charset=utf-16",
        b"text/plain; charset=rot13",
        b'multipart/form-data; boundary="',
    ]
)
parts = st.sampled_from(
    [
        b"--x\r\n",
        b"--x--\r\n",
        b'Content-Disposition: form-data; name="a"\r\n\r\n',
        b'Content-Disposition: form-data; name="f"; filename="../f"\r\n',
        b"Content-Transfer-Encoding: base64\r\n\r\n",
        b"\r\n",
        b"a=1&",
        b"%",
        b"\xff",
    ]
)
bodies = st.binary(max_size=50) | st.lists(parts, max_size=8).map(b"".join)

handler_settings = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@pytest.fixture(autouse=True)
def everything_is_a_page(pages, settings):
    """Let each path reach the view that reads the whole request, and take any host."""
    settings.ROOT_URLCONF = "tests.handler.any_urls"
    settings.ALLOWED_HOSTS = ["*"]
    yield
    set_script_prefix("/")


def both(request: dict[str, Any], body: bytes) -> tuple[Exchange, Exchange]:
    """Return our response and Django's."""
    return through_channels(request, body), through_asgi(request, body)


@handler_settings
@given(paths, queries)
def test_any_path_and_query_is_answered_as_django_does(path, query):
    """Including those that are not UTF-8."""
    ours, theirs = both(scope(path, query_string=query), b"")
    assert ours == theirs


@handler_settings
@given(headers)
def test_any_headers_are_answered_as_django_does(pairs):
    """Repeated, odd, or not text at all. Cookies are left out: Django before 6.1 corrupts repeated ones."""
    ours, theirs = both(scope(headers=[pair for pair in pairs if pair[0] != b"cookie"]), b"")
    assert ours == theirs


@handler_settings
@given(st.lists(values, max_size=4))
def test_any_cookies_are_answered(cookies):
    """However many headers they come in."""
    assert through_channels(scope(headers=[(b"cookie", value) for value in cookies])).status == 200


@handler_settings
@given(content_types, bodies, st.booleans())
def test_any_body_is_answered_as_django_does(content_type, body, announced):
    """Forms that are cut, nested or nonsense, of a known length or not."""
    length = [(b"content-length", str(len(body)).encode())] if announced else []
    request = scope(method="POST", headers=[(b"content-type", content_type), *length])
    ours, theirs = both(request, body)
    assert ours == theirs


@handler_settings
@given(st.sampled_from([b"", b"x", b"1 1", b"1,1", b"-1", b"9" * 30, b"\xb2", b"0x1"]), bodies)
def test_any_content_length_is_answered(length, body):
    """A length that is wrong or no number breaks nothing."""
    made = message(
        "/", "POST", body, headers=[(b"content-length", length), (b"content-type", b"multipart/form-data; boundary=x")]
    )
    assert collect(AsgiHandler()(made)).status in (200, 400)


json_like = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5)


@handler_settings
@given(
    st.dictionaries(
        st.sampled_from(
            ["method", "path", "query_string", "root_path", "headers", "scheme", "client", "server", "body"]
        ),
        json_like,
    )
)
def test_any_message_is_answered(content):
    """A consumer that forges a message gets an error page, not a dead worker."""
    made = Message({"reply_channel": "a!b", "path": "/", "method": "GET", **content}, "http.request", ChannelLayer())
    assert collect(AsgiHandler()(made)).status in (200, 400, 404, 500)
