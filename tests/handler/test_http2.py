"""HTTP/2 over TLS, through the servers that speak it: what a client gets is what Django's own handler gives."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.handler.test_servers_conformance import ON_THE_WIRE, arguments, comparable
from tests.support.http import Exchange
from tests.support.http2 import Http2, make_certificate
from tests.support.pages import pages
from tests.support.servers import TLS_COMMANDS

NAMES = ["page", "head", "query", "headers-out", "cookies-out", "form", "upload", "stream", "download", "range"]
NAMES += ["etag-match", "redirect", "missing", "error-500", "large-page", "no-slash", "non-ascii-path", "latin-header"]


class Site:
    """A server that speaks HTTP/2.

    Attributes:
        name: Which.
    """

    def __init__(self, name: str, port: int, certificate: Path) -> None:
        self.name = name
        self._port = port
        self._certificate = certificate

    def connect(self) -> Http2:
        """Return a connection."""
        return Http2(self._port, self._certificate)


@pytest.fixture(scope="module", params=TLS_COMMANDS)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Each server in turn."""
    directory = tmp_path_factory.mktemp(request.param)
    files = make_certificate(directory)
    with pages(request.param, directory, request.getfixturevalue("newest_redis"), certificate=files) as server:
        yield Site(request.param, server.port, files[0])


def ask(connection: Http2, way: str, **request: Any) -> Exchange:
    """Return the response to ``request`` by one way."""
    headers = [*request.pop("headers", ()), (b"x-through", way.encode())]
    return connection.ask(request.pop("target"), headers=headers, **request)


@pytest.mark.parametrize("name", NAMES)
def test_response_is_the_one_that_django_gives(name: str, site: Site) -> None:
    """Status, headers in order, cookies and body."""
    request = arguments(ON_THE_WIRE[name])
    with site.connect() as connection:
        ours, theirs = (ask(connection, way, **request) for way in ("channels", "asgi"))
    assert comparable(ours) == comparable(theirs)


def test_cookies_that_the_client_splits_arrive_whole(site: Site) -> None:
    """Each in a header of its own, as RFC 9113 lets clients send them."""
    cookies = [(b"cookie", b"a=1"), (b"cookie", b"b=2"), (b"cookie", b"c=3")]
    with site.connect() as connection:
        reply = ask(connection, "channels", target="/echo/", headers=cookies)
    assert json.loads(reply.body)["COOKIES"] == {"a": "1", "b": "2", "c": "3"}


def test_request_is_secure(site: Site) -> None:
    """Addresses that the site makes of itself begin with https."""
    with site.connect() as connection:
        facts = json.loads(ask(connection, "channels", target="/echo/").body)
    assert facts["secure"]
    assert facts["uri"] == "https://localhost/echo/"


def test_requests_of_one_connection_run_side_by_side(site: Site) -> None:
    """Each gets its own response."""
    with site.connect() as connection:
        streams = [connection.begin(f"/hello/{number}/") for number in range(20)]
        bodies = [connection.response(stream).body for stream in reversed(streams)]
    assert bodies == [b"Hello %d" % number for number in reversed(range(20))]
