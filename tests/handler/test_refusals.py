"""What clients of a real server get when things go wrong: time limits, full queues, bodies that do not come."""

import select
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pages import pages
from tests.support.redis import RedisServer
from tests.support.servers import Server
from tests.support.wire import Wire, encode

HTTP_TIMEOUT = 2.0
ROOM = 2
LATE = 20
"""How much later than it should something may happen on a busy machine, in seconds."""


@pytest.fixture
def idle(newest_redis: RedisServer, tmp_path: Path) -> Iterator[Server]:
    """A server without a worker behind it, and room for two requests."""
    layer = {"channel_capacity": {"http.request": ROOM}}
    with pages("uvicorn", tmp_path, newest_redis, workers=0, http_timeout=HTTP_TIMEOUT, layer=layer) as server:
        yield server


@pytest.fixture(scope="module")
def server(newest_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a worker, and little patience."""
    directory = tmp_path_factory.mktemp("refusals")
    with pages("uvicorn", directory, newest_redis, http_timeout=HTTP_TIMEOUT) as running:
        yield running


def test_requests_without_a_worker_get_503(idle: Server) -> None:
    """Those for which there is room when their time is up, the others at once; all may come again."""
    waiting = [Wire(idle.port) for _ in range(ROOM + 1)]
    began = time.monotonic()
    for wire in waiting:
        wire.send(encode("/hello/waiting/"))
    (refused,), _, _ = select.select(waiting, [], [], LATE)
    waiting.remove(refused)
    for wire in (refused, *waiting):
        with wire:
            reply = wire.response()
        assert (reply.status, reply.header("retry-after")) == (503, "1")
    assert HTTP_TIMEOUT <= time.monotonic() - began < HTTP_TIMEOUT + LATE
    assert "GET /hello/waiting/ got no response on http.response." in idle.log()
    assert f"within {HTTP_TIMEOUT} seconds on http.request (503)" in idle.log()
    assert "A message on http.request was not sent" in idle.log()


def test_deferred_response_that_never_comes_is_503(server: Server) -> None:
    """The view raised ResponseLater, and nobody answered."""
    began = time.monotonic()
    with Wire(server.port) as wire:
        assert wire.ask("/later/").status == 503
    assert HTTP_TIMEOUT <= time.monotonic() - began < HTTP_TIMEOUT + LATE


def test_response_that_has_begun_is_not_cut(server: Server) -> None:
    """Its time limit was for the first byte."""
    with Wire(server.port) as wire:
        wire.send(encode("/events/"))
        wire.wait_for(b"data: hello\n\n")
        time.sleep(1.2 * HTTP_TIMEOUT)  # Nothing is to happen, so there is nothing else to wait for.
        with Wire(server.port) as other:
            assert other.ask("/publish/", "POST", body=b"still here").body == b"published"
        wire.wait_for(b"data: still here\n\n")


def test_body_that_stops_arriving_is_408(server: Server) -> None:
    """And the worker never sees the request."""
    began = time.monotonic()
    with Wire(server.port) as wire:
        wire.send(encode("/body/", "POST", [(b"content-length", b"1000")], b"half"))
        assert wire.response("POST").status == 408
    assert HTTP_TIMEOUT <= time.monotonic() - began < HTTP_TIMEOUT + LATE


def test_client_that_leaves_in_the_middle_of_its_body_frees_the_worker(server: Server) -> None:
    """There is one."""
    with Wire(server.port) as wire:
        wire.send(encode("/body/", "POST", [(b"content-length", b"9000000")], b"x" * 2_000_000))
    with Wire(server.port) as wire:
        assert wire.ask("/").status == 200


@pytest.mark.parametrize("target", ["/hello/%ff/", "/hello/%80abc/"])
def test_path_that_is_not_utf8_is_400(target: str, server: Server) -> None:
    """It would be another path to whoever reads it."""
    with Wire(server.port) as wire:
        assert wire.ask(target).status == 400
