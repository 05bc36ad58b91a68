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
from tests.abuse.strategies import BODY_EVENTS, CONTENTS, ENTRIES, REPLIES, SCOPES, SOCKET_EVENTS, entry_of, fuzz
from tests.abuse.targets.events import check_response
from tests.support.asgi import FakeConsumer, FakeServer
from tests.support.loudness import Log
from tests.support.redis import RedisServer

pytestmark = pytest.mark.slow


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


BUSY = {"client_requests_per_minute": 1_000_000, "client_handshakes_per_minute": 1_000_000, "max_body_bytes": 20}


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
    @given(SCOPES, st.lists(SOCKET_EVENTS if kind == "websocket" else BODY_EVENTS, max_size=4))
    def check(scope: Any, events: list[Any]) -> None:
        log.clear()
        asyncio.run(scenario(scope, events))
        assert log.tracebacks == []

    check()
