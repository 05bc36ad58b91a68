"""The interface between a client and a layer that are both hostile: nothing escapes, and others are served."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.interface.application import ChannelsApplication
from channels.interface.limits import Limits
from channels.layers.inmemory import ChannelLayer
from channels.layers.redis import RedisChannelLayer
from tests.abuse.strategies import CONTENTS, ENTRIES, VALUES, entry_of, fuzz
from tests.support.asgi import FakeConsumer, FakeServer
from tests.support.loudness import Log
from tests.support.redis import RedisServer

pytestmark = pytest.mark.slow

REPLIES = st.fixed_dictionaries(
    {},
    optional=dict.fromkeys(
        (
            *("text", "bytes", "close", "accept", "subprotocol", "status", "reason", "headers", "content", "closed"),
            *("more_content", "paced", "identity", "texts_by_channel", "texts_by_identity", "__probe__"),
        ),
        VALUES,
    )
    | {
        "status": st.sampled_from([0, 99, 100, 101, 200, 204, 304, 599, 600, -1, 10**9]) | VALUES,
        "headers": st.lists(st.tuples(st.binary(max_size=6), st.binary(max_size=6)), max_size=3) | VALUES,
        "close": st.sampled_from([True, 1000, 1006, 3000, 4999, 5000, -1, 2**40]) | VALUES,
    },
)


@pytest.fixture
def layer(redis_server: RedisServer) -> Iterator[RedisChannelLayer]:
    """A layer that others can write to."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    yield layer
    layer.close()


@contextlib.asynccontextmanager
async def serving(layer: Any, **limits: Any) -> Any:
    """Yield an application, and close it."""
    application = ChannelsApplication(layer, Limits(**limits))
    try:
        yield application
    finally:
        await application.close()


async def open_socket(application: Any, consumer: FakeConsumer) -> tuple[FakeServer, str]:
    """Return a socket that was accepted, and its reply channel."""
    client = FakeServer(application, type="websocket", path="/", subprotocols=[])
    client.put(type="websocket.connect")
    reply_channel = (await consumer.take("websocket.connect"))["reply_channel"]
    await consumer.layer.asend(reply_channel, {"accept": True})
    assert (await client.take())["type"] == "websocket.accept"
    return client, reply_channel


async def end(client: FakeServer, event: str) -> None:
    """Have the client go away, and the application end."""
    client.put(type=event, code=1001)
    await client.end()


def test_any_reply_to_one_socket_leaves_the_others_open(layer: RedisChannelLayer, log: Log) -> None:
    """Entries of any kind in the queue of a process, for a socket of it, for all of them, or for nobody."""

    async def scenario(entries: list[bytes], contents: list[Any]) -> None:
        async with serving(layer) as application:
            consumer = FakeConsumer(layer)
            victim, victim_channel = await open_socket(application, consumer)
            other, other_channel = await open_socket(application, consumer)
            queue, _, local_part = victim_channel.rpartition("!")
            found = [*entries, *(entry_of(content, local_part.encode()) for content in contents)]
            if found:
                layer.connection(0).rpush(f"asgi:{queue}!", *found)
            await layer.asend(other_channel, {"text": "good"})
            assert await other.take() == {"type": "websocket.send", "text": "good"}
            await end(other, "websocket.disconnect")
            await end(victim, "websocket.disconnect")
        await layer.aclose()
        layer.flush()

    @fuzz(60)
    @given(st.lists(ENTRIES, max_size=2), st.lists(REPLIES | CONTENTS, max_size=4))
    def check(entries: list[bytes], contents: list[Any]) -> None:
        log.clear()
        asyncio.run(scenario(entries, contents))
        assert log.tracebacks == []

    check()


def test_any_reply_to_one_request_leaves_the_others_answered(layer: RedisChannelLayer, log: Log) -> None:
    """And the one that it was for gets a response that is well-formed, or none."""

    async def scenario(contents: list[Any]) -> None:
        async with serving(layer) as application:
            consumer = FakeConsumer(layer)
            clients = [FakeServer(application, path=path) for path in ("/victim", "/other")]
            channels = {}
            for client in clients:
                client.put(type="http.request", body=b"", more_body=False)
                message = await consumer.take("http.request")
                channels[message["path"]] = message["reply_channel"]
            queue, _, local_part = channels["/victim"].rpartition("!")
            layer.connection(0).rpush(
                f"asgi:{queue}!", *(entry_of(content, local_part.encode()) for content in contents)
            )
            await layer.asend(channels["/other"], {"status": 200, "content": b"good"})
            assert (await clients[1].take())["status"] == 200
            assert (await clients[1].take())["body"] == b"good"
            await clients[1].end()
            clients[0].put(type="http.disconnect")
            check_response(await clients[0].end())
        await layer.aclose()
        layer.flush()

    @fuzz(25)
    @given(st.lists(REPLIES | CONTENTS, min_size=1, max_size=4))
    def check(contents: list[Any]) -> None:
        log.clear()
        asyncio.run(scenario(contents))
        assert log.tracebacks == []

    check()


def check_response(events: list[Any]) -> None:
    """Assert that ``events`` begin with a status that there is and headers without line breaks, if there are any."""
    if not events:
        return
    start, *rest = events
    assert start["type"] == "http.response.start"
    assert 100 <= start["status"] <= 599
    assert all(not set(b"\r\n\0") & set(name + value) for name, value in start["headers"])
    assert all(event["type"] == "http.response.body" for event in rest)


HEADER = st.tuples(
    st.sampled_from(
        [
            b"cookie",
            b"host",
            b"origin",
            b"content-length",
            b"transfer-encoding",
            b"reply-channel",
            b"x_y",
            b"",
            b"daphne-root-path",
            b"x-forwarded-for",
            b"x-forwarded-proto",
            b"sec-websocket-protocol",
            b"\xff",
        ]
    ),
    st.binary(max_size=12) | st.sampled_from([b"-1", b"1" * 5000, b"0x10", b"a!b", b"\xb2", b"chunked", b"/other"]),
)

SCOPES = st.fixed_dictionaries(
    {},
    optional={
        "path": st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
        "raw_path": st.binary(max_size=8) | st.sampled_from([b"/%ff", b"/%", b"/%00", b"/\xff"]),
        "query_string": st.binary(max_size=8),
        "headers": st.lists(HEADER, max_size=4),
        "client": st.none() | st.sampled_from([("", 0), ("::1%eth0", 1), ("::ffff:1.2.3.4", 1), ("x", None)]),
        "server": st.none() | st.just(("a", None)),
        "subprotocols": st.lists(st.text(st.characters(codec="ascii"), max_size=5), max_size=3),
        "extensions": st.none() | st.just({}) | st.just({"websocket.http.response": {}}),
        "http_version": st.sampled_from(["1.0", "1.1", "2", "9"]),
    },
)

BUSY = {"client_requests_per_minute": 1_000_000, "client_handshakes_per_minute": 1_000_000, "max_body_bytes": 20}

FRAMES = st.one_of(
    st.builds(lambda text: {"type": "websocket.receive", "text": text}, st.text(max_size=30)),
    st.builds(lambda data: {"type": "websocket.receive", "bytes": data}, st.binary(max_size=30)),
    st.builds(lambda text: {"type": "websocket.receive", "text": text, "bytes": None}, st.text(max_size=3)),
    st.just({"type": "websocket.receive"}),
    st.just({"type": "websocket.disconnect"}),
    st.just({"type": "websocket.disconnect", "code": None, "reason": "x"}),
)

BODIES = st.builds(
    lambda body, more: {"type": "http.request", "body": body, "more_body": more}, st.binary(max_size=12), st.booleans()
) | st.sampled_from([{"type": "http.request"}, {"type": "http.disconnect"}])


@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_any_client_is_served_or_refused(kind: str, log: Log) -> None:
    """Any scope and any events after it: the application returns, its messages can be sent, the next is served."""

    async def scenario(scope: Any, events: list[Any]) -> None:
        layer = ChannelLayer()
        async with serving(layer, max_frame_bytes=20, **BUSY) as application:
            client = FakeServer(application, **{"type": kind, "path": "/", "subprotocols": [], **scope})
            if kind == "websocket":
                client.put(type="websocket.connect")
            for event in events:
                client.put(**event)
            await end(client, "websocket.disconnect" if kind == "websocket" else "http.disconnect")
            good, reply_channel = await next_socket(application, layer)
            await layer.asend(reply_channel, {"text": "good"})
            assert await good.take() == {"type": "websocket.send", "text": "good"}
            await end(good, "websocket.disconnect")

    async def next_socket(application: Any, layer: Any) -> tuple[FakeServer, str]:
        while layer.receive_batch(["websocket.connect"]):
            pass
        return await open_socket(application, FakeConsumer(layer))

    @fuzz(150 if kind == "websocket" else 40)  # Of a request it takes half a second to see that its client has gone.
    @given(SCOPES, st.lists(FRAMES if kind == "websocket" else BODIES, max_size=4))
    def check(scope: Any, events: list[Any]) -> None:
        log.clear()
        asyncio.run(scenario(scope, events))
        assert log.tracebacks == []

    check()
