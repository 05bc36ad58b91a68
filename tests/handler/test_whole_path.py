"""From the events of a server through the layer and a worker and back: the site that Django's own handler serves."""

import asyncio
import hashlib
import threading
from typing import Any

import pytest

from channels.interface.application import ChannelsApplication
from channels.layers.inmemory import ChannelLayer
from channels.registry import ChannelLayerWrapper
from channels.worker import Worker
from tests.handler import views
from tests.handler.test_conformance import REQUESTS
from tests.support.asgi import FakeServer, eventually, in_loop
from tests.support.http import Exchange, scope, through_asgi


@pytest.fixture
def application():
    """Return an interface whose layer one worker serves."""
    layer = ChannelLayer(capacity=100)
    wrapper = ChannelLayerWrapper(layer, "default", [])
    wrapper.router.check_default()
    worker = Worker(wrapper, signal_handlers=False)
    thread = threading.Thread(target=worker.run)
    thread.start()
    yield ChannelsApplication(layer)
    worker.termed = True
    # Wakes the worker, which would otherwise look again after a second.
    layer.send("http.request", {"path": "/", "method": "GET", "reply_channel": "http.response.none!x"})
    thread.join()


async def answered(server: FakeServer) -> list[Any]:
    """Return the events up to the last one of the response."""
    events = [await server.take()]
    while events[-1].get("more_body", True):
        events.append(await server.take())
    return events


def as_exchange(events: list[Any]) -> Exchange:
    """Return the response that events make up, names of headers in lower case."""
    headers = tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in events[0]["headers"])
    return Exchange(events[0]["status"], headers, b"".join(event.get("body", b"") for event in events[1:]))


def on_the_wire(reply: Exchange) -> Exchange:
    """Return ``reply`` as a client sees it: names in lower case, and a length that the interface may have added."""
    headers = ((name.lower(), value) for name, value in reply.headers)
    return Exchange(reply.status, tuple(pair for pair in headers if pair[0] != "content-length"), reply.body)


@pytest.mark.parametrize("name", sorted(REQUESTS))
@pytest.mark.usefixtures("frozen_cookies")
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_response_is_the_one_that_django_gives(name, application):
    """Status, headers in order, cookies and body, byte for byte; a length, if there is one, is right."""
    given = REQUESTS[name]
    body = given.get("body", b"")
    request = scope(**{key: value for key, value in given.items() if key != "body"})
    ours: list[Exchange] = []

    @in_loop
    async def ask() -> None:
        server = FakeServer(application, **request)
        for start in range(0, len(body) or 1, 65536):
            end = start + 65536
            server.put(type="http.request", body=body[start:end], more_body=end < len(body))
        ours.append(as_exchange(await answered(server)))
        await server.end()
        await application.close()

    ask()
    (reply,) = ours
    theirs = through_asgi(request, body)
    assert on_the_wire(reply) == on_the_wire(theirs)
    assert reply.header("content-length") in (theirs.header("content-length"), str(len(reply.body)))


def test_large_bodies_arrive_whole(application):
    """In pieces, over a channel of their own, from a client that takes its time."""

    @in_loop
    async def upload() -> None:
        request = scope("/body/", "POST")
        server = FakeServer(application, **request)
        digest = hashlib.sha256()
        for number in range(20):
            piece = bytes([number]) * 100_000
            digest.update(piece)
            server.put(type="http.request", body=piece, more_body=number < 19)
            await asyncio.sleep(0)
        reply = as_exchange(await answered(server))
        assert hashlib.sha256(reply.body).digest() == digest.digest()
        await server.end()
        await application.close()

    upload()


def test_worker_goes_on_when_a_client_leaves_half_way_through_its_body(application):
    """The next client is answered at once."""

    @in_loop
    async def leave() -> None:
        gone = FakeServer(application, **scope("/body/", "POST"))
        gone.put(type="http.request", body=b"x" * 2_000_000, more_body=True)
        gone.put(type="http.disconnect")
        await gone.end()
        server = FakeServer(application, **scope("/"))
        server.put(type="http.request", body=b"", more_body=False)
        assert as_exchange(await answered(server)).body == b"Hello world"
        await server.end()
        await application.close()

    leave()


async def begin(application: Any, path: str) -> FakeServer:
    """Return a server whose client has asked for ``path``."""
    server = FakeServer(application, **scope(path))
    server.put(type="http.request", body=b"", more_body=False)
    return server


def test_stream_waits_for_its_client_and_ends_with_it(application):
    """A client that does not read holds the worker back; one that leaves frees it."""

    @in_loop
    async def read_and_leave() -> None:
        views.endless_events.clear()
        window = application.limits.response_window
        server = await begin(application, "/stream/endless/")
        for _ in range(5 * window):
            await server.take()
        server.writable.clear()
        # One part is made ahead of the window, and some were on their way to the client that took the others.
        made = views.endless_events.count("part")
        server.put(type="http.disconnect")
        await eventually(lambda: views.endless_events[-1] == "closed")
        assert views.endless_events.count("part") <= made + window + 1
        server.writable.set()
        await server.end()
        await application.close()

    read_and_leave()


def test_stream_that_breaks_is_cut_off(application):
    """The last event never comes, so the server breaks the connection and the client can tell."""

    @in_loop
    async def read() -> None:
        server = await begin(application, "/stream/fails/3/")
        events = await server.end()
        assert [event.get("body") for event in events] == [None, b"part", b"part", b"part"]
        assert events[-1]["more_body"]
        await application.close()

    read()
