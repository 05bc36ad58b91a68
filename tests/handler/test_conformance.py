"""The same request through Django's WSGI handler, Django's ASGI handler and ours: nobody can tell the difference."""

import re
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.files.uploadhandler import MemoryFileUploadHandler
from django.test import override_settings
from django.test.client import BOUNDARY, MULTIPART_CONTENT, encode_multipart

from tests.support.http import Exchange, scope, through_asgi, through_channels, through_wsgi

FORM = b"application/x-www-form-urlencoded"


def typed(content_type: bytes, body: bytes) -> dict[str, Any]:
    """Return a POST of ``body``."""
    headers = [(b"content-type", content_type), (b"content-length", str(len(body)).encode())]
    return {"method": "POST", "headers": headers, "body": body}


def multipart(**fields: Any) -> dict[str, Any]:
    """Return a POST of a form with files."""
    return typed(MULTIPART_CONTENT.encode(), encode_multipart(BOUNDARY, fields))


REQUESTS: dict[str, dict[str, Any]] = {
    "page": {"path": "/"},
    "head": {"path": "/", "method": "HEAD"},
    "options": {"path": "/echo/", "method": "OPTIONS"},
    "unknown-method": {"path": "/echo/", "method": "BREW"},
    "asynchronous": {"path": "/async/"},
    "missing": {"path": "/missing/"},
    "no-slash": {"path": "/echo"},
    "query": {"path": "/echo/", "query_string": b"a=1&a=2&b=%C3%A9&c=+&d"},
    "non-ascii-path": {"path": "/caf\xe9/"},
    "quoted-captures": {"path": "/hello/a b&c/"},
    "mounted": {"path": "/mount/echo/", "root_path": "/mount"},
    "mounted-redirect": {"path": "/mount/redirect/", "root_path": "/mount"},
    "https": {"path": "/echo/", "scheme": "https"},
    "bad-host": {"path": "/echo/", "headers": [(b"host", b"evil.example.com")]},
    "cookies-in": {"path": "/echo/", "headers": [(b"cookie", b'a=1; b="x y"; a=2; c')]},
    "cookies-out": {"path": "/cookies/"},
    "headers-out": {"path": "/headers/"},
    "headers-in": {"path": "/echo/", "headers": [(b"x-a", b"1"), (b"x-a", b"2"), (b"accept-language", b"de;q=0.5")]},
    "big-header": {"path": "/echo/", "headers": [(b"x-big", b"x" * 60_000)]},
    "latin-header": {"path": "/echo/", "headers": [(b"x-latin", b"caf\xe9")]},
    "form": {"path": "/echo/", **typed(FORM, b"a=1&a=2&b=%C3%A9")},
    "form-charset": {"path": "/echo/", **typed(FORM + b"; charset=latin-1", b"a=%E9")},
    "form-put": {"path": "/echo/", **typed(FORM, b"a=1"), "method": "PUT"},
    "empty-form": {"path": "/echo/", **typed(FORM, b"")},
    "json": {"path": "/json/", **typed(b"application/json", b'{"a": [1, "\xc3\xa9"]}')},
    "bad-json": {"path": "/json/", **typed(b"application/json", b"{")},
    "body": {"path": "/body/", **typed(b"application/octet-stream", bytes(range(256)) * 300)},
    "too-large": {"path": "/body/", **typed(b"application/octet-stream", b"x" * 3_000_000)},
    "upload": {"path": "/echo/", **multipart(a="1", f=SimpleUploadedFile("caf\xe9.txt", b"text", "text/plain"))},
    "big-upload": {"path": "/echo/", **multipart(f=SimpleUploadedFile("b.bin", b"0123456789" * 300_000))},
    "many-fields": {"path": "/echo/", **typed(FORM, b"&".join(b"f%d=1" % n for n in range(1001)))},
    "bad-boundary": {"path": "/echo/", **typed(b"multipart/form-data; boundary=\xc3\xa9", b"x")},
    "cut-upload": {"path": "/echo/", **typed(MULTIPART_CONTENT.encode(), b"--BoUnDaRyStRiNg\r\nContent-Dis")},
    "large-page": {"path": "/big/1500000/"},
    "stream": {"path": "/stream/"},
    "empty-stream": {"path": "/stream/nothing/"},
    "download": {"path": "/download/"},
    "range": {"path": "/download/", "headers": [(b"range", b"bytes=10-19")]},
    "conditional": {"path": "/conditional/"},
    "etag-match": {"path": "/conditional/", "headers": [(b"if-none-match", b'"tag"')]},
    "etag-mismatch": {"path": "/conditional/", "headers": [(b"if-match", b'"other"')]},
    "modified": {"path": "/conditional/", "headers": [(b"if-modified-since", b"Wed, 01 Jan 2020 00:00:00 GMT")]},
    "wrong-method": {"path": "/only-get/", "method": "POST"},
    "redirect": {"path": "/redirect/"},
    "nothing": {"path": "/nothing/"},
    **{f"error-{kind}": {"path": f"/error/{kind}/"} for kind in ("404", "403", "400", "suspicious", "500")},
    **{f"error-async-{kind}": {"path": f"/error/async/{kind}/"} for kind in ("404", "500")},
}

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]


def exchange(through: Any, given: dict[str, Any]) -> Exchange:
    """Return the response to ``given`` by way of ``through``."""
    body = given.get("body", b"")
    more = {key: value for key, value in given.items() if key != "body"}
    return through(scope(**more), body)


@pytest.fixture(params=[[], MIDDLEWARE], ids=["bare", "middleware"])
def middleware(request, settings):
    """Run with no middleware, and with what a project has."""
    settings.MIDDLEWARE = request.param


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
@pytest.mark.parametrize("name", REQUESTS)
@pytest.mark.usefixtures("frozen_cookies")
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_response_is_the_one_that_django_gives(name, through, middleware):
    """Status, headers in order, cookies and body, byte for byte."""
    given = REQUESTS[name]
    if through is through_wsgi and name == "mounted":
        given = {**given, "path": "/mount/echo/"}
    assert exchange(through_channels, given) == exchange(through, given)


@pytest.mark.parametrize("kind", ["404", "500"])
@override_settings(DEBUG=True)
def test_technical_pages_are_djangos(kind):
    """The same page, but for what differs from one request object to the next."""

    def gist(reply: Exchange) -> tuple[int, list[bytes]]:
        return reply.status, re.findall(rb"<title>.*?</title>", reply.body, re.DOTALL)

    given = {"path": f"/error/{kind}/"}
    assert gist(exchange(through_channels, given)) == gist(exchange(through_asgi, given))


@pytest.mark.parametrize(
    "handlers",
    [
        ["django.core.files.uploadhandler.TemporaryFileUploadHandler"],
        ["django.core.files.uploadhandler.MemoryFileUploadHandler"],
        ["tests.handler.test_conformance.Stopping"],
    ],
)
def test_upload_handlers_are_djangos(handlers, settings):
    """The project's upload handlers see the file."""
    settings.FILE_UPLOAD_HANDLERS = handlers
    given = {"path": "/echo/", **multipart(f=SimpleUploadedFile("f.bin", b"0123456789" * 20_000))}
    assert exchange(through_channels, given) == exchange(through_asgi, given)


class Stopping(MemoryFileUploadHandler):
    """An upload handler that has had enough after one chunk."""

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes | None:
        from django.core.files.uploadhandler import StopUpload

        raise StopUpload(connection_reset=False)


def test_premise_that_uploads_reach_the_disk():
    """The big upload is larger than what Django keeps in memory."""
    assert len(REQUESTS["big-upload"]["body"]) > django_settings.FILE_UPLOAD_MAX_MEMORY_SIZE
