"""The same bytes to Django's WSGI handler, its ASGI handler and ours, behind the server that users run.

All three live behind one server, ours with Redis and a worker process after it, so that responses can be compared byte
for byte: what differs would be ours.
"""

import re
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from tests.handler.test_conformance import REQUESTS, multipart
from tests.support.http import Exchange
from tests.support.pages import pages
from tests.support.servers import COMMANDS, CUTS_CONNECTIONS, Server
from tests.support.wire import CutOff, Wire, encode

NOT_OURS = {"date", "transfer-encoding", "content-length", "connection", "keep-alive"}
"""Headers in which responses may differ: the second they were made in, and how a server frames the body."""

ON_THE_WIRE = {
    **{name: given for name, given in REQUESTS.items() if not given.keys() & {"root_path", "scheme"}},
    "long-header": {"path": "/echo/", "headers": [(b"x-long", b"x" * 12_000)]},
}
"""What a client can ask for; the others are matters of the server's configuration."""

BEYOND = {("daphne", "big-header")}
"""What servers refuse to read, before any application is asked."""

NOT_BY_WSGI = {"headers-out"}
"""Where the adapter that brings WSGI behind an ASGI server fails: it takes ASCII headers only."""

WITH_BODY = {name: given for name, given in ON_THE_WIRE.items() if given.get("body")}

DEBUG = (b"x-debug", b"1")

FREED_SECONDS = 15
"""How long a client that has gone may hold a worker; it is about a second, but machines are busy."""


@pytest.fixture(scope="module", params=COMMANDS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Each server in turn."""
    redis = request.getfixturevalue("newest_redis")
    with pages(request.param, tmp_path_factory.mktemp(request.param), redis) as running:
        yield running


def arguments(given: dict[str, Any]) -> dict[str, Any]:
    """Return what ``encode`` makes the request ``given`` of."""
    query = given.get("query_string", b"").decode()
    target = quote(given["path"], safe="/") + (f"?{query}" if query else "")
    kept = {key: given[key] for key in ("method", "headers", "body") if key in given}
    return {"target": target, **kept}


def ask(server: Server, way: str, *, headers: Any = (), **request: Any) -> Exchange:
    """Return the response to ``request`` by one of the three ways, on a connection of its own."""
    with Wire(server.port) as wire:
        return wire.ask(headers=[*headers, (b"x-through", way.encode())], **request)


def comparable(reply: Exchange) -> Exchange:
    """Return ``reply`` without what may differ: framing, the second it was made in, random session keys."""
    pairs = ((name.lower(), value) for name, value in reply.headers if name.lower() not in NOT_OURS)
    volatile = re.compile(r"(?<=sessionid=)\w+|(?<=expires=)\w+, \d\d \w+ 20[2-9][^;]+", re.ASCII)
    return Exchange(reply.status, tuple((name, volatile.sub("~", value)) for name, value in pairs), reply.body)


@pytest.mark.parametrize("name", ON_THE_WIRE)
def test_response_is_the_one_that_django_gives(name: str, server: Server) -> None:
    """Status, headers in order, cookies and body."""
    request = arguments(ON_THE_WIRE[name])
    if (server.name, name) in BEYOND:
        with pytest.raises(CutOff):
            ask(server, "asgi", **request)
        return
    ours = comparable(ask(server, "channels", **request))
    assert ours == comparable(ask(server, "asgi", **request))
    if name not in NOT_BY_WSGI:
        assert ours == comparable(ask(server, "wsgi", **request))


@pytest.mark.parametrize("name", WITH_BODY)
def test_chunked_body_is_read_as_django_reads_it(name: str, server: Server) -> None:
    """Without a length, in chunks that fit nothing."""
    request = arguments(WITH_BODY[name])
    ours, theirs = (ask(server, way, chunk=70_001, **request) for way in ("channels", "asgi"))
    assert comparable(ours) == comparable(theirs)
    assert ours.status == theirs.status


@pytest.mark.parametrize("path", ["/error/404/", "/missing/"])
def test_technical_404_page_is_djangos(path: str, server: Server) -> None:
    """Byte for byte."""
    ours = ask(server, "channels", target=path, headers=[DEBUG])
    assert b"You\xe2\x80\x99re seeing this error because you have" in ours.body
    assert comparable(ours) == comparable(ask(server, "asgi", target=path, headers=[DEBUG]))


def test_technical_500_page_shows_the_view(server: Server) -> None:
    """The same error at the same line; frames of the handlers differ."""

    def gist(reply: Exchange) -> Any:
        lines = re.findall(rb"tests/handler/views\.py.{0,40}?line (\d+)", reply.body, re.DOTALL)
        return reply.status, reply.header("content-type"), re.findall(rb"<title>.*?</title>", reply.body, re.S), lines

    ours, theirs = (ask(server, way, target="/error/500/", headers=[DEBUG]) for way in ("channels", "asgi"))
    assert gist(ours) == gist(theirs)
    assert gist(ours)[3]


@pytest.mark.parametrize("name", ["page", "body", "upload"])
def test_client_that_expects_100_continue_is_told_to_go_on(name: str, server: Server) -> None:
    """It sends its body when it was asked for it."""
    replies = []
    for way in ("channels", "asgi"):
        with Wire(server.port) as wire:
            request = arguments({**ON_THE_WIRE["body"], **ON_THE_WIRE[name], "method": "POST"})
            request["headers"] = [*request["headers"], (b"x-through", way.encode()), (b"expect", b"100-continue")]
            head, _, body = encode(**request).partition(b"\r\n\r\n")
            wire.send(head + b"\r\n\r\n")
            wire.wait_for_continue()
            wire.send(body)
            replies.append((comparable(wire.response("POST")), wire.informational))
    assert replies[0] == replies[1]
    assert replies[0][1] == [100]


def test_body_that_dribbles_in_arrives_whole(server: Server) -> None:
    """However a network cuts it."""
    request = arguments({"path": "/echo/", **multipart(a="1", b="x" * 500)})
    data = encode(**request)
    with Wire(server.port) as wire:
        for start in range(0, len(data), 37):
            wire.send(data[start : start + 37])
        assert wire.response("POST").body == ask(server, "asgi", **request).body


def test_connection_is_kept_for_further_requests(server: Server) -> None:
    """Whatever came before: pages, bodies, streams, errors, responses without a body."""
    names = ["page", "body", "stream", "error-500", "head", "big-upload", "etag-match", "large-page", "missing", "page"]
    with Wire(server.port) as wire:
        replies = [wire.ask(**arguments(ON_THE_WIRE[name])) for name in names]
    for name, reply in zip(names, replies, strict=True):
        assert comparable(reply) == comparable(ask(server, "asgi", **arguments(ON_THE_WIRE[name])))


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    """Slow ones and quick ones, with bodies and without."""
    names = ["stream", "page", "form", "large-page", "error-404", "query"]
    with Wire(server.port) as wire:
        wire.send(b"".join(encode(**arguments(ON_THE_WIRE[name])) for name in names))
        replies = [wire.response() for _ in names]
    for name, reply in zip(names, replies, strict=True):
        assert comparable(reply) == comparable(ask(server, "asgi", **arguments(ON_THE_WIRE[name])))


@pytest.mark.parametrize("path", ["/", "/stream/", "/download/"])
def test_http_1_0_is_answered_as_django_answers_it(path: str, server: Server) -> None:
    """Without chunks: the end of the connection is the end of the body."""
    replies = []
    for way in ("channels", "asgi"):
        with Wire(server.port) as wire:
            replies.append(comparable(wire.ask(path, headers=[(b"x-through", way.encode())], version="1.0")))
    assert replies[0] == replies[1]


@pytest.mark.parametrize("taken", [0, 1, 100_000])
def test_client_that_leaves_its_stream_frees_the_worker(taken: int, server: Server) -> None:
    """There is one, and the next client is answered, however much the first one took."""
    with Wire(server.port) as wire:
        wire.send(encode("/made/100000/10000/"))
        wire.wait_for_bytes(taken)
    began = time.monotonic()
    assert ask(server, "channels", target="/").status == 200
    assert time.monotonic() - began < FREED_SECONDS


@pytest.mark.parametrize("server", CUTS_CONNECTIONS, indirect=True)
def test_stream_that_breaks_is_cut_off(server: Server) -> None:
    """The client can tell that what it has is not the whole."""
    with Wire(server.port) as wire, pytest.raises(CutOff) as caught:
        wire.ask("/stream/fails/3/")
    assert b"partpartpart".startswith(caught.value.begun.body)
    assert ask(server, "channels", target="/").status == 200


def test_session_cookie_is_kept_and_understood(server: Server) -> None:
    """By every way: one session."""
    first = ask(server, "channels", target="/session/")
    (cookie,) = first.all("set-cookie")
    visits = [first.body]
    for way in ("asgi", "channels"):
        pair = (b"cookie", cookie.partition(";")[0].encode())
        visits.append(ask(server, way, target="/session/", headers=[pair]).body)
    assert visits == [b"1", b"2", b"3"]
