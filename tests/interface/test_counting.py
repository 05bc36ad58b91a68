"""What the interface counts: the application on a real layer, each thing that can happen, once."""

import asyncio
from typing import Any

import pytest

from channels.exceptions import ChannelFull, MessageTooLarge
from channels.interface.upkeep import Upkeep
from channels.layers.inmemory import ChannelLayer
from tests.interface.test_application import FailingLayer, accepted, request, serving, socket
from tests.support.asgi import FakeConsumer, FakeServer, eventually, in_loop
from tests.support.counting import Growth, grows

# Requests


async def answer(app: Any, consumer: FakeConsumer, *replies: dict[str, Any]) -> FakeServer:
    """Return a server whose request got these replies."""
    server = request(app)
    channel = (await consumer.take("http.request"))["reply_channel"]
    for reply in replies:
        await consumer.layer.asend(channel, reply)
    return server


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (103, "http.answered.1xx"),
        (200, "http.answered.2xx"),
        (302, "http.answered.3xx"),
        (404, "http.answered.4xx"),
        (500, "http.answered.5xx"),
    ],
)
@in_loop
async def test_response_is_counted_by_its_status(status: int, name: str) -> None:
    """By the class of it."""
    async with serving() as (app, consumer):
        with grows(name):
            await (await answer(app, consumer, {"status": status, "content": b""})).end()


@in_loop
async def test_large_body_is_counted() -> None:
    """One that is larger than the site takes."""
    async with serving(max_body_bytes=3) as (app, _):
        with grows("http.refused.size"):
            await request(app, b"four").end()


@in_loop
async def test_body_that_does_not_arrive_is_counted() -> None:
    """Its client is told so."""
    async with serving(http_timeout=0.05) as (app, _):
        with grows("http.refused.slow"):
            server = FakeServer(app, method="POST", headers=[(b"content-length", b"9")])
            server.put(type="http.request", body=b"part", more_body=True)
            await server.end()


@in_loop
async def test_request_that_nobody_answers_is_counted() -> None:
    """Within the time that it may take."""
    async with serving(http_timeout=0.05) as (app, _):
        with grows("http.refused.timeout"):
            await request(app).end()


@in_loop
async def test_path_that_is_no_text_is_counted() -> None:
    """Of requests and of handshakes."""
    async with serving() as (app, _):
        with grows("http.refused.path"):
            await request(app, path="/\ufffd", raw_path=b"/%ff").end()
        with grows("websocket.refused.path"):
            await socket(app, path="/\ufffd", raw_path=b"/%ff").end()


@in_loop
async def test_response_without_status_is_counted() -> None:
    """As malformed, and as a request that got a page of ours."""
    async with serving() as (app, consumer):
        with grows("http.dropped.malformed"), grows("http.refused.malformed"):
            await (await answer(app, consumer, {"content": b"x"})).end()


@in_loop
async def test_response_with_two_statuses_is_counted() -> None:
    """It is broken off."""
    first = {"status": 200, "content": b"x", "more_content": True}
    async with serving() as (app, consumer):
        with grows("http.aborted.malformed"):
            await (await answer(app, consumer, first, {"status": 200, "content": b"y"})).end()


@in_loop
async def test_piece_after_the_end_of_a_body_is_counted() -> None:
    """A mistake of the server."""
    async with serving(http_timeout=60) as (app, consumer):
        with grows("http.dropped.unexpected"):
            server = request(app, headers=[(b"content-length", b"0")])
            channel = (await consumer.take("http.request"))["reply_channel"]
            growth = Growth("http.dropped.unexpected")
            server.put(type="http.request", body=b"more", more_body=False)
            # The interface reads on after half a second, to see whether the client is still there.
            await eventually(lambda: growth.amount > 0)
            await consumer.layer.asend(channel, {"status": 200, "content": b""})
            await server.end()


# The layer


class RefusingLayer(ChannelLayer):
    """An in-memory layer that takes nothing, for a reason."""

    def __init__(self, error: Exception) -> None:
        super().__init__(capacity=1000)
        self.error = error

    async def asend(self, channel: str, message: dict[str, Any]) -> None:
        raise self.error


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ChannelFull("full"), "interface.refused.full"),
        (MessageTooLarge("too large"), "interface.refused.size"),
        (RuntimeError("on purpose"), "interface.refused.error"),
    ],
)
@in_loop
async def test_message_that_the_layer_refuses_is_counted(error: Exception, name: str) -> None:
    """By the reason, and again as what became of the client."""
    async with serving(RefusingLayer(error)) as (app, _):
        refused, growth = Growth(name), Growth("websocket.refused.layer")
        await socket(app).end()
        assert refused.amount >= 1
        assert growth.amount == 1


@in_loop
async def test_layer_that_is_gone_is_counted() -> None:
    """What could not be sent, what could not be received, and when that went on."""
    layer = FailingLayer(capacity=1000)
    async with serving(layer) as (app, consumer):
        server, _ = await accepted(app, consumer)
        failed, recovered = Growth("interface.receive.failed"), Growth("interface.receive.recovered")
        layer.down = True
        with grows("http.refused.layer"):
            refused = Growth("interface.refused.unavailable")
            await request(app).end()
            assert refused.amount >= 1
        await eventually(lambda: failed.amount > 0)
        layer.down = False
        await eventually(lambda: recovered.amount == 1)
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_frame_that_finds_no_room_is_counted() -> None:
    """Its socket is closed."""
    layer = FailingLayer(capacity=1000)
    async with serving(layer, receive_patience=0.0) as (app, consumer):
        server, _ = await accepted(app, consumer)
        layer.down = True
        with grows("websocket.closed.layer"):
            server.put(type="websocket.receive", text="x")
            assert (await server.take())["code"] == 1013
        layer.down = False


@in_loop
async def test_upkeep_that_fails_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is tried again."""

    async def fail(self: Upkeep) -> None:
        raise RuntimeError("on purpose")

    monkeypatch.setattr(Upkeep, "look", fail)
    growth = Growth("interface.failed.upkeep")
    async with serving() as (app, consumer):
        server, _ = await accepted(app, consumer)
        await eventually(lambda: growth.amount >= 1)
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_last_words_that_cannot_be_said_are_counted() -> None:
    """One for each connection."""
    layer = FailingLayer(capacity=1000)
    async with serving(layer) as (app, consumer):
        servers = [(await accepted(app, consumer))[0] for _ in range(2)]
        layer.send_batch = lambda batch: [ChannelFull("full")] * len(batch)  # type: ignore[method-assign]
        with grows("interface.dropped.disconnect", by=2):
            app.say_last_words()
        for server in servers:
            server.put(type="websocket.disconnect", code=1000)
            await server.end()


# Sockets


@in_loop
async def test_socket_is_counted_from_the_handshake_to_the_end() -> None:
    """Began, accepted, ended."""
    async with serving() as (app, consumer):
        with grows("websocket.began.handshake"), grows("websocket.accepted.application"):
            server, _ = await accepted(app, consumer)
        with grows("websocket.ended.open"):
            server.put(type="websocket.disconnect", code=1000)
            await server.end()


@in_loop
async def test_handshake_that_its_client_abandons_is_counted() -> None:
    """It was not decided yet."""
    async with serving() as (app, consumer):
        with grows("websocket.abandoned.client"), grows("websocket.ended.open", by=0):
            server = socket(app)
            await consumer.take("websocket.connect")
            server.put(type="websocket.disconnect", code=1006)
            await server.end()


@in_loop
async def test_handshake_that_a_consumer_refuses_is_counted() -> None:
    """It closes at once."""
    async with serving() as (app, consumer):
        with grows("websocket.refused.application"):
            server = socket(app)
            channel = (await consumer.take("websocket.connect"))["reply_channel"]
            await consumer.layer.asend(channel, {"close": True})
            await server.end()


@in_loop
async def test_handshake_that_nobody_decides_is_counted() -> None:
    """Refused in the end; replies that decide nothing are counted as well."""
    async with serving(websocket_connect_timeout=1.0) as (app, consumer):
        with grows("websocket.refused.timeout"), grows("websocket.dropped.undecided"):
            server = socket(app)
            channel = (await consumer.take("websocket.connect"))["reply_channel"]
            await consumer.layer.asend(channel, {"text": ""})
            await server.end()


@in_loop
async def test_subprotocol_that_was_not_offered_is_counted() -> None:
    """The socket is accepted without it."""
    async with serving() as (app, consumer):
        with grows("websocket.dropped.subprotocol"):
            server = socket(app, subprotocols=["one"])
            channel = (await consumer.take("websocket.connect"))["reply_channel"]
            await consumer.layer.asend(channel, {"accept": True, "subprotocol": "two"})
            assert (await server.take())["subprotocol"] is None
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_frame_before_the_handshake_is_decided_is_counted() -> None:
    """A mistake of the server."""
    async with serving() as (app, consumer):
        growth = Growth("websocket.dropped.unexpected")
        server = socket(app)
        await consumer.take("websocket.connect")
        server.put(type="websocket.receive", text="early")
        await eventually(lambda: growth.amount == 1)
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_socket_that_lived_long_enough_is_counted() -> None:
    """It is closed when its time is over."""
    async with serving(websocket_timeout=0.2) as (app, consumer):
        with grows("websocket.closed.timeout"):
            server, _ = await accepted(app, consumer)
            assert (await server.take())["code"] == 1000


@in_loop
async def test_socket_that_sends_too_often_is_counted() -> None:
    """It is closed with 1008."""
    async with serving(frames_per_second=1) as (app, consumer):
        with grows("websocket.closed.rate"):
            server, _ = await accepted(app, consumer)
            for _ in range(5):
                server.put(type="websocket.receive", text="x")
            assert (await server.take())["code"] == 1008


@in_loop
async def test_sockets_at_the_end_of_the_server_are_counted() -> None:
    """Those that are open, and those that have not been decided."""
    async with serving() as (app, consumer):
        server, _ = await accepted(app, consumer)
        undecided = socket(app)
        await consumer.take("websocket.connect")
        with grows("websocket.closed.stop"), grows("websocket.refused.stop"):
            await app.close()
        await asyncio.gather(server.end(), undecided.end())


@in_loop
async def test_responses_at_the_end_of_the_server_are_counted() -> None:
    """Those that have begun."""
    async with serving() as (app, consumer):
        server = request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        await consumer.layer.asend(channel, {"status": 200, "content": b"a", "more_content": True})
        await server.take()
        with grows("http.aborted.stop"):
            await app.close()
        await server.end()


@in_loop
async def test_handshake_during_a_loss_of_the_layer_is_counted() -> None:
    """Its client shall come back."""
    async with serving() as (app, consumer):
        with grows("websocket.refused.loss"):
            server = socket(app)
            await consumer.take("websocket.connect")
            services = app._shared()
            for connection in services.router.connections():
                connection.dismiss("loss")
            await server.end()


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"max_sockets": 1}, "websocket.refused.sockets"),
        ({"max_handshakes": 1}, "websocket.refused.handshakes"),
        ({"client_sockets": 1}, "websocket.refused.client_sockets"),
        ({"client_handshakes_per_minute": 1}, "websocket.refused.client_rate"),
    ],
)
@in_loop
async def test_socket_beyond_a_limit_is_counted(limits: dict[str, int], name: str) -> None:
    """By the limit."""
    async with serving(**limits) as (app, consumer):
        first = socket(app)
        await consumer.take("websocket.connect")
        with grows(name):
            await socket(app).end()
        first.put(type="websocket.disconnect", code=1000)
        await first.end()


@in_loop
async def test_handshake_while_the_process_drains_is_counted() -> None:
    """It is refused."""
    async with serving() as (app, consumer):
        server, _ = await accepted(app, consumer)
        services = app._shared()
        services.door.is_draining = True
        with grows("websocket.refused.drain"):
            await socket(app).end()
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


# Replies


@pytest.mark.parametrize(
    ("failure", "name"),
    [(OSError("gone"), "interface.dropped.gone"), (RuntimeError("on purpose"), "interface.dropped.failed")],
)
@in_loop
async def test_reply_that_the_server_does_not_take_is_counted(failure: Exception, name: str) -> None:
    """Whether the client is gone or the server refuses it."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        server.failure = failure
        with grows(name):
            await consumer.layer.asend(channel, {"text": "x"})
            await server.end()


@in_loop
async def test_reply_that_breaks_its_connection_is_counted() -> None:
    """The others get theirs."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        services = app._shared()
        (connection,) = services.router.connections()
        growth = Growth("interface.dropped.error")
        working, connection.deliver = connection.deliver, lambda *_: 1 / 0
        await consumer.layer.asend(channel, {"text": "x"})
        await eventually(lambda: growth.amount == 1)
        connection.deliver = working
        await consumer.layer.asend(channel, {"text": "y"})
        assert (await server.take())["text"] == "y"
        server.put(type="websocket.disconnect", code=1000)
        await server.end()
