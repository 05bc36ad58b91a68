"""The ASGI-3 application on a real layer: a server with one client before it, a consumer behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from channels import counters, names
from channels.exceptions import ChannelFull, LayerUnavailable
from channels.interface.application import ChannelsApplication, Limits
from channels.interface.reports import REPORT_BYTES
from channels.layers.inmemory import ChannelLayer
from tests.support.asgi import FakeConsumer, FakeServer, eventually, in_loop
from tests.support.counting import grows

WHOLE = {"status": 200, "headers": [(b"X-Made-By", b"consumer")], "content": b"hello"}


class PlainLayer(ChannelLayer):
    """An in-memory layer that renews nothing."""

    extensions = ("groups",)


class FailingLayer(ChannelLayer):
    """An in-memory layer whose server comes and goes."""

    def __init__(self, **config: Any) -> None:
        super().__init__(**config)
        self.down = False
        self.attempts = 0
        self.was_asked = True
        self.repeats = False

    def may_repeat(self, channel: str) -> bool:
        return self.repeats

    async def asend(self, channel: str, message: dict[str, Any]) -> None:
        self._require_up()
        await super().asend(channel, message)

    async def areceive_batch(self, channels: Any, limit: int = 1, timeout: float = 0) -> Any:
        self._require_up()
        return await super().areceive_batch(channels, limit, min(timeout, 0.05))

    def _require_up(self) -> None:
        self.attempts += 1
        if self.down:
            error = LayerUnavailable("no server")
            error.was_asked = self.was_asked
            raise error


@asynccontextmanager
async def serving(layer: Any = None, action_logger: Any = None, **limits: Any) -> AsyncIterator[Any]:
    """Yield an application on ``layer`` and a consumer of that layer; close both afterwards."""
    layer = layer or ChannelLayer(capacity=1000)
    app = ChannelsApplication(layer, Limits(**limits), action_logger=action_logger)
    try:
        yield app, FakeConsumer(layer)
    finally:
        await app.close()


def socket(app: Any, **scope: Any) -> FakeServer:
    """Return a server whose client asks for a WebSocket."""
    server = FakeServer(app, type="websocket", **scope)
    server.put(type="websocket.connect")
    return server


async def accepted(app: Any, consumer: FakeConsumer, **scope: Any) -> tuple[FakeServer, str]:
    """Return a server with an open WebSocket, and its reply channel."""
    server = socket(app, **scope)
    channel = (await consumer.take("websocket.connect"))["reply_channel"]
    await consumer.layer.asend(channel, {"accept": True})
    assert (await server.take())["type"] == "websocket.accept"
    return server, channel


def request(app: Any, *body: bytes, **scope: Any) -> FakeServer:
    """Return a server whose client made a request."""
    server = FakeServer(app, **scope)
    pieces = body or (b"",)
    for number, piece in enumerate(pieces, start=1):
        server.put(type="http.request", body=piece, more_body=number < len(pieces))
    return server


# WebSockets


@in_loop
async def test_frames_go_to_consumers_and_replies_come_back() -> None:
    """The whole way there and back."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        server.put(type="websocket.receive", text="hello")
        content = await consumer.take("websocket.receive")
        await consumer.layer.asend(channel, {"text": content["text"].upper()})
        assert await server.take() == {"type": "websocket.send", "text": "HELLO"}
        server.put(type="websocket.disconnect", code=1000)
        assert await server.end() == []


@in_loop
async def test_many_replies_arrive_in_order() -> None:
    """However the layer batches them."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        for number in range(500):
            await consumer.layer.asend(channel, {"text": str(number)})
        assert [int((await server.take())["text"]) for _ in range(500)] == list(range(500))
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_replies_to_a_slow_client_arrive_in_order() -> None:
    """Events wait for the server, then follow each other."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        server.writable.clear()
        for number in range(50):
            await consumer.layer.asend(channel, {"text": str(number)})
        await asyncio.sleep(0.05)
        server.writable.set()
        assert [int((await server.take())["text"]) for _ in range(50)] == list(range(50))
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_slow_client_does_not_delay_others() -> None:
    """One socket that does not read holds up nobody."""
    async with serving() as (app, consumer):
        slow, slow_channel = await accepted(app, consumer)
        quick, quick_channel = await accepted(app, consumer)
        slow.writable.clear()
        await consumer.layer.asend(slow_channel, {"text": "stuck"})
        await consumer.layer.asend(quick_channel, {"text": "through"})
        assert (await quick.take())["text"] == "through"
        for server in (slow, quick):
            server.put(type="websocket.disconnect", code=1000)
            await server.end()


@in_loop
async def test_client_that_never_reads_is_let_go_when_too_much_waits() -> None:
    """What waits for one client is bounded."""
    async with serving(backlog_bytes=1000) as (app, consumer):
        server, channel = await accepted(app, consumer)
        server.writable.clear()
        for _ in range(12):
            await consumer.layer.asend(channel, {"text": "x" * 100})
        await server.end()
        assert (await consumer.take("websocket.disconnect"))["reply_channel"] == channel


@in_loop
async def test_group_message_is_one_event_for_all_members() -> None:
    """A broadcast is decoded and built once."""
    async with serving() as (app, consumer):
        sockets = [await accepted(app, consumer) for _ in range(3)]
        for _, channel in sockets:
            consumer.layer.group_add("news", channel)
        consumer.layer.send_group("news", {"text": "extra"})
        events = [await server.take() for server, _ in sockets]
        assert events[0]["text"] == "extra"
        assert all(event is events[0] for event in events)
        for server, _ in sockets:
            server.put(type="websocket.disconnect", code=1000)
            await server.end()


@in_loop
async def test_group_message_during_the_handshake_is_shown_after_it() -> None:
    """It neither accepts nor gets lost."""
    async with serving() as (app, consumer):
        server = socket(app)
        channel = (await consumer.take("websocket.connect"))["reply_channel"]
        consumer.layer.group_add("news", channel)
        consumer.layer.send_group("news", {"text": "extra"})
        await consumer.layer.asend(channel, {"accept": True})
        assert [(await server.take())["type"], (await server.take())["text"]] == ["websocket.accept", "extra"]
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_close_by_a_consumer_ends_the_connection() -> None:
    """The application does not wait for the client's answer, and says goodbye once."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        await consumer.layer.asend(channel, {"text": "bye", "close": 4000})
        assert [event["type"] for event in await server.end()] == ["websocket.send", "websocket.close"]
        assert (await consumer.take("websocket.disconnect"))["code"] == 4000
        assert consumer.is_empty("websocket.disconnect")


@in_loop
async def test_undecided_handshake_is_refused_in_time() -> None:
    """Each socket has its own clock."""
    async with serving(websocket_connect_timeout=0.05) as (app, consumer):
        server = socket(app)
        assert (await server.take())["type"] == "websocket.close"
        await server.end()
        assert (await consumer.take("websocket.disconnect"))["order"] == 1


@in_loop
async def test_socket_is_closed_at_the_end_of_its_life() -> None:
    """The second deadline counts from the acceptance."""
    async with serving(websocket_connect_timeout=5, websocket_timeout=0.05) as (app, consumer):
        server, _ = await accepted(app, consumer)
        assert await server.take() == {"type": "websocket.close", "code": 1000, "reason": ""}
        await server.end()


@in_loop
async def test_socket_lives_as_long_as_its_memberships_where_those_are_not_renewed() -> None:
    """Later it would miss what is sent to its groups; with a layer that renews them there is no limit."""
    assert ChannelsApplication(PlainLayer(group_expiry=77)).limits.websocket_timeout == 77
    assert ChannelsApplication(ChannelLayer(group_expiry=77)).limits.websocket_timeout is None


@in_loop
async def test_full_connect_channel_refuses_with_503() -> None:
    """Busy is busy; nothing is said to consumers."""
    async with serving(ChannelLayer(capacity=1)) as (app, consumer):
        await consumer.layer.asend("websocket.connect", {})
        server = socket(app, extensions={"websocket.http.response": {}})
        assert (await server.take())["status"] == 503
        await server.end()
        assert consumer.is_empty("websocket.disconnect")


@in_loop
async def test_frame_waits_for_room_and_its_client_with_it() -> None:
    """Back pressure: nothing more is read until the frame is on the layer."""
    async with serving(ChannelLayer(capacity=1)) as (app, consumer):
        server, _ = await accepted(app, consumer)
        for text in "abc":
            server.put(type="websocket.receive", text=text)
        before = counters.value("interface.refused.full")
        await eventually(lambda: counters.value("interface.refused.full") > before)
        assert server.unread == 1
        assert [(await consumer.take("websocket.receive"))["text"] for _ in range(3)] == ["a", "b", "c"]
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_frame_that_finds_no_room_closes_the_socket() -> None:
    """After the patience of the limits, with 1013 and a disconnect that takes the frame's order."""
    async with serving(ChannelLayer(capacity=1), receive_patience=0.05) as (app, consumer):
        server, _ = await accepted(app, consumer)
        for text in "ab":
            server.put(type="websocket.receive", text=text)
        assert (await server.take())["code"] == 1013
        await server.end()
        assert (await consumer.take("websocket.disconnect"))["order"] == 2


@in_loop
async def test_disconnect_waits_for_room() -> None:
    """Every consumer gets to clean up, also when all leave at once."""
    async with serving(ChannelLayer(capacity=1)) as (app, consumer):
        servers = [await accepted(app, consumer) for _ in range(5)]
        for server, _ in servers:
            server.put(type="websocket.disconnect", code=1001)
            await server.end()
        gone = {(await consumer.take("websocket.disconnect"))["reply_channel"] for _ in servers}
        assert gone == {channel for _, channel in servers}


@in_loop
async def test_disconnect_that_never_finds_room_is_counted() -> None:
    """Patience ends, and leaves a trace."""
    async with serving(ChannelLayer(capacity=1), disconnect_patience=0.05) as (app, consumer):
        await consumer.layer.asend("websocket.disconnect", {})
        server, _ = await accepted(app, consumer)
        before = counters.value("websocket.dropped.disconnect")
        server.put(type="websocket.disconnect", code=1001)
        await server.end()
        await eventually(lambda: counters.value("websocket.dropped.disconnect") == before + 1)


@in_loop
async def test_cancelled_connection_says_goodbye() -> None:
    """A server that stops cancels; consumers hear of it."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        server.task.cancel()
        await asyncio.wait({server.task})
        assert (await consumer.take("websocket.disconnect"))["reply_channel"] == channel


@in_loop
async def test_server_that_cannot_send_ends_the_connection() -> None:
    """Servers raise when the client is gone; the exception stays inside."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        server.failure = ConnectionResetError()
        await consumer.layer.asend(channel, {"text": "x"})
        assert await server.end() == []
        assert (await consumer.take("websocket.disconnect"))["code"] == 1006


@in_loop
async def test_lost_layer_refuses_handshakes() -> None:
    """503, and no exception reaches the server."""
    layer = FailingLayer(capacity=100)
    async with serving(layer) as (app, _):
        layer.down = True
        server = socket(app, extensions={"websocket.http.response": {}})
        assert (await server.take())["status"] == 503
        await server.end()


@in_loop
async def test_lost_layer_closes_a_socket_that_sends() -> None:
    """With 1013: try again later."""
    layer = FailingLayer(capacity=100)
    async with serving(layer, receive_patience=0.05) as (app, consumer):
        server, _ = await accepted(app, consumer)
        layer.down = True
        server.put(type="websocket.receive", text="x")
        assert (await server.take())["code"] == 1013
        await server.end()
        layer.down = False


@in_loop
async def test_frame_that_the_layer_may_have_taken_is_not_sent_again() -> None:
    """It could be consumed twice. The client is told, and may decide."""
    layer = FailingLayer(capacity=100)
    async with serving(layer) as (app, consumer):
        server, _ = await accepted(app, consumer)
        layer.down = True
        server.put(type="websocket.receive", text="x")
        assert (await server.take())["code"] == 1013
        layer.down = False
        await consumer.take("websocket.disconnect")
        assert layer.receive(["websocket.receive"]) == (None, None)
        await server.end()


@in_loop
@pytest.mark.parametrize("refused", [True, False])
async def test_frame_is_sent_again_where_that_is_right(refused: bool) -> None:
    """The layer certainly did not take it, or delivers on its channel at least once."""
    layer = FailingLayer(capacity=100)
    async with serving(layer) as (app, consumer):
        server, _ = await accepted(app, consumer)
        layer.was_asked, layer.repeats, layer.down = not refused, not refused, True
        server.put(type="websocket.receive", text="x")
        before = layer.attempts
        await eventually(lambda: layer.attempts > before + 2)
        layer.down = False
        assert (await consumer.take("websocket.receive"))["text"] == "x"
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_replies_arrive_again_when_the_layer_is_back(caplog: pytest.LogCaptureFixture) -> None:
    """An outage is logged once, ends nothing, and is over by itself."""
    layer = FailingLayer(capacity=100)
    async with serving(layer) as (app, consumer):
        server, channel = await accepted(app, consumer)
        layer.down = True
        attempts = layer.attempts
        await eventually(lambda: layer.attempts >= attempts + 3)
        layer.down = False
        await layer.asend(channel, {"text": "still here"})
        assert (await server.take())["text"] == "still here"
        assert caplog.text.count("No replies can be received") == 1
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_malformed_reply_is_logged_and_its_socket_lives() -> None:
    """The next message is shown."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        before = counters.value("websocket.dropped.malformed")
        await consumer.layer.asend(channel, {"txt": "oops"})
        await consumer.layer.asend(channel, {"text": "better"})
        assert (await server.take())["text"] == "better"
        assert counters.value("websocket.dropped.malformed") == before + 1
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


@in_loop
async def test_message_that_nobody_foresaw_ends_no_replies(caplog: pytest.LogCaptureFixture) -> None:
    """Whatever is wrong with it, the next one is shown."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        before = counters.value("interface.dropped.error")
        await consumer.layer.asend(channel, {"text": UnreadableText("oops")})
        await consumer.layer.asend(channel, {"text": "better"})
        assert (await server.take())["text"] == "better"
        assert counters.value("interface.dropped.error") == before + 1
        assert "could not be read" in caplog.text
        server.put(type="websocket.disconnect", code=1000)
        await server.end()


class UnreadableText(str):
    """Fails whoever looks at it."""

    def __bool__(self) -> bool:
        raise RuntimeError("on purpose")


@in_loop
async def test_message_for_a_closed_socket_is_counted() -> None:
    """It is nobody's error, but it leaves a trace."""
    async with serving() as (app, consumer):
        server, channel = await accepted(app, consumer)
        server.put(type="websocket.disconnect", code=1000)
        await server.end()
        before = counters.value("interface.dropped.unknown")
        await consumer.layer.asend(channel, {"text": "late"})
        other, _ = await accepted(app, consumer)
        assert counters.value("interface.dropped.unknown") == before + 1
        other.put(type="websocket.disconnect", code=1000)
        await other.end()


@in_loop
async def test_socket_that_sends_too_many_frames_is_closed() -> None:
    """With 1008, after those that it may send."""
    async with serving(frames_per_second=2) as (app, consumer):
        server, _ = await accepted(app, consumer)
        for text in "abc":
            server.put(type="websocket.receive", text=text)
        assert (await server.take())["code"] == 1008
        await server.end()
        assert [(await consumer.take("websocket.receive"))["text"] for _ in range(2)] == ["a", "b"]
        assert (await consumer.take("websocket.disconnect"))["code"] == 1008


@in_loop
async def test_socket_that_ends_has_sent_no_frame_too_many() -> None:
    """A client may use up its frames and leave: consumers hear its own close code."""
    async with serving(frames_per_second=1) as (app, consumer):
        server, _ = await accepted(app, consumer)
        server.put(type="websocket.receive", text="a")
        server.put(type="websocket.disconnect", code=1001)
        await server.end()
        assert (await consumer.take("websocket.disconnect"))["code"] == 1001


@in_loop
async def test_socket_beyond_those_of_its_client_is_refused() -> None:
    """Until one of them has ended; no consumer hears of the refused one."""
    async with serving(client_sockets=1) as (app, consumer):
        first, _ = await accepted(app, consumer)
        second = socket(app, extensions={"websocket.http.response": {}})
        assert (await second.take())["status"] == 429
        await second.end()
        first.put(type="websocket.disconnect", code=1000)
        await first.end()
        await accepted(app, consumer)


@in_loop
async def test_handshake_makes_room_when_it_is_decided() -> None:
    """Or given up by its client."""
    async with serving(max_handshakes=1) as (app, consumer):
        await accepted(app, consumer)
        waiting = socket(app)
        await consumer.take("websocket.connect")
        assert (await socket(app).take())["type"] == "websocket.close"
        waiting.put(type="websocket.disconnect", code=1006)
        await waiting.end()
        await accepted(app, consumer)


@in_loop
async def test_request_beyond_the_rate_of_its_client_is_refused() -> None:
    """With 429 and when to come back."""
    async with serving(client_requests_per_minute=1) as (app, consumer):
        request(app)
        await consumer.take("http.request")
        start = await request(app).take()
        assert start["status"] == 429
        assert (b"retry-after", b"1") in start["headers"]


@in_loop
async def test_refusal_that_reaches_nobody_is_no_error() -> None:
    """A flood of clients that hang up must not be a flood of tracebacks."""
    async with serving(client_requests_per_minute=1) as (app, consumer):
        request(app)
        await consumer.take("http.request")
        refused = request(app)
        refused.failure = OSError("the client is gone")
        with grows("interface.dropped.gone"):
            await refused.end()


# HTTP


@in_loop
async def test_request_is_answered() -> None:
    """There and back; the end is said to whoever cleans up."""
    async with serving() as (app, consumer):
        server = request(app, path="/a")
        content = await consumer.take("http.request")
        await consumer.layer.asend(content["reply_channel"], WHOLE)
        start, body = await server.end()
        assert (start["status"], start["headers"]) == (200, [(b"x-made-by", b"consumer"), (b"content-length", b"5")])
        assert (body["body"], body["more_body"]) == (b"hello", False)
        assert (await consumer.take("http.disconnect"))["path"] == "/a"


@in_loop
async def test_response_in_chunks_reaches_the_client_as_it_comes() -> None:
    """Nothing waits for the end."""
    async with serving(http_timeout=1.0) as (app, consumer):
        server = request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        await consumer.layer.asend(channel, {**WHOLE, "more_content": True})
        assert (await server.take())["type"] == "http.response.start"
        assert (await server.take())["body"] == b"hello"
        await asyncio.sleep(1.2)  # Longer than an answer may take; nothing happens that could be waited for.
        await consumer.layer.asend(channel, {"content": b"end"})
        assert [event["body"] for event in await server.end()] == [b"end"]


async def begun(app: Any, consumer: FakeConsumer, **content: Any) -> tuple[FakeServer, str]:
    """Return a server whose client has the beginning of a response, and the reply channel of its request."""
    server = request(app)
    channel = (await consumer.take("http.request"))["reply_channel"]
    await consumer.layer.asend(channel, {"status": 200, "content": b"0", "more_content": True, **content})
    assert (await server.take())["status"] == 200
    assert (await server.take())["body"] == b"0"
    return server, channel


@in_loop
async def test_paced_response_is_reported() -> None:
    """By half a window, as a total."""
    async with serving(response_window=4) as (app, consumer):
        server, channel = await begun(app, consumer, paced=True)
        for _ in range(3):
            await consumer.layer.asend(channel, {"content": b"1", "more_content": True})
            await server.take()
        flow = names.flow_channel(channel)
        assert [(await consumer.take(flow))["taken"] for _ in range(2)] == [2, 4]
        await consumer.layer.asend(channel, {"content": b"2"})
        await server.end()
        assert consumer.is_empty(flow)


@in_loop
async def test_large_parts_are_reported_one_by_one() -> None:
    """Whoever makes them is not to wait for memory that is free already."""
    async with serving(response_window=100) as (app, consumer):
        server, channel = await begun(app, consumer, paced=True)
        await consumer.layer.asend(channel, {"content": b"x" * REPORT_BYTES, "more_content": True})
        assert (await consumer.take(names.flow_channel(channel)))["taken"] == 2
        server.put(type="http.disconnect")
        await server.end()


@in_loop
async def test_response_that_is_not_paced_is_not_reported() -> None:
    """Reports that nobody reads would fill their channel."""
    async with serving(response_window=1) as (app, consumer):
        server, channel = await begun(app, consumer)
        await consumer.layer.asend(channel, {"content": b"1", "more_content": True})
        await server.take()
        server.put(type="http.disconnect")
        await server.end()
        await consumer.take("http.disconnect")
        assert consumer.is_empty(names.flow_channel(channel))


@in_loop
@pytest.mark.parametrize(("paced", "told"), [(True, True), (False, False)])
async def test_part_for_a_client_that_has_gone_is_answered_if_it_is_paced(paced: bool, told: bool) -> None:
    """Who missed that the client went is told again."""
    async with serving() as (app, consumer):
        server = request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        server.put(type="http.disconnect")
        await server.end()
        await consumer.take("http.disconnect")
        before = counters.value("interface.dropped.unknown")
        await consumer.layer.asend(channel, {"content": b"1", "more_content": True, "paced": paced})
        flow = names.flow_channel(channel)
        if told:
            assert (await consumer.take(flow))["closed"]
        else:
            await eventually(lambda: counters.value("interface.dropped.unknown") == before + 1)
            assert consumer.is_empty(flow)


@in_loop
async def test_unanswered_request_gets_503_in_time() -> None:
    """Each request has its own clock."""
    async with serving(http_timeout=0.05) as (app, consumer):
        server = request(app)
        await consumer.take("http.request")
        assert (await server.end())[0]["status"] == 503


@in_loop
async def test_full_request_channel_gets_503_and_no_disconnect() -> None:
    """Nobody has heard of this request."""
    async with serving(ChannelLayer(capacity=1)) as (app, consumer):
        await consumer.layer.asend("http.request", {})
        start, _ = await request(app).end()
        assert (start["status"], dict(start["headers"])[b"retry-after"]) == (503, b"1")
        assert consumer.is_empty("http.disconnect")


@in_loop
async def test_lost_layer_gets_503() -> None:
    """And no exception reaches the server."""
    layer = FailingLayer(capacity=100)
    async with serving(layer) as (app, _):
        layer.down = True
        assert (await request(app).end())[0]["status"] == 503


@in_loop
async def test_long_body_comes_in_parts_with_back_pressure() -> None:
    """A reader that takes its time gets every byte; no more than its channel holds waits for it."""
    async with serving(ChannelLayer(capacity=1), body_part_bytes=10) as (app, consumer):
        body = bytes(range(100))
        server = request(app, *(body[start : start + 7] for start in range(0, 100, 7)), method="POST")
        content = await consumer.take("http.request")
        received, more = content["body"], True
        while more:
            part = await consumer.take(content["body_channel"])
            received += part["content"]
            more = part["more_content"]
        assert received == body
        await consumer.layer.asend(content["reply_channel"], WHOLE)
        assert (await server.end())[0]["status"] == 200


@in_loop
async def test_first_piece_of_a_body_may_be_longer_than_a_message() -> None:
    """Servers hand over pieces of any size; the rest is read without delay."""
    async with serving(body_part_bytes=10, http_timeout=10.0) as (app, consumer):
        server = request(app, b"x" * 25, b"y" * 25, method="POST")
        content = await consumer.take("http.request")
        parts = [await consumer.take(content["body_channel"]) for _ in range(4)]
        assert content["body"] + b"".join(part["content"] for part in parts) == b"x" * 25 + b"y" * 25
        await consumer.layer.asend(content["reply_channel"], WHOLE)
        await server.end()


@in_loop
async def test_client_that_stops_in_the_middle_of_its_body_gets_408() -> None:
    """Each piece gives it as long again, and no longer."""
    async with serving(http_timeout=0.05) as (app, _):
        server = FakeServer(app, method="POST")
        server.put(type="http.request", body=b"a", more_body=True)
        assert (await server.take())["status"] == 408
        await server.end()


@in_loop
async def test_client_that_never_sends_the_body_it_announced_gets_408() -> None:
    """It is given as long as one that stops in the middle."""
    async with serving(http_timeout=0.05) as (app, _):
        server = FakeServer(app, method="POST", headers=[(b"content-length", b"5")])
        assert (await server.end())[0]["status"] == 408


@in_loop
async def test_client_gone_while_its_body_waits_is_told_to_the_reader() -> None:
    """The reader gets a message that says so, and whoever cleans up gets theirs."""
    async with serving(ChannelLayer(capacity=1), body_part_bytes=1) as (app, consumer):
        server = FakeServer(app, method="POST")
        server.put(type="http.request", body=b"abcd", more_body=True)
        server.put(type="http.disconnect")
        content = await consumer.take("http.request")
        assert await server.end() == []
        parts = [await consumer.take(content["body_channel"]) for _ in range(2)]
        assert [part["closed"] for part in parts] == [False, True]
        assert (await consumer.take("http.disconnect"))["reply_channel"] == content["reply_channel"]


@in_loop
async def test_client_gone_while_it_waits_ends_the_request() -> None:
    """Long polling notices who left."""
    async with serving() as (app, consumer):
        server = request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        server.put(type="http.disconnect")
        assert await server.end() == []
        assert (await consumer.take("http.disconnect"))["reply_channel"] == channel


@in_loop
async def test_http_disconnect_costs_nothing_where_nobody_listens() -> None:
    """After one did not fit, none is tried for a moment."""
    async with serving(ChannelLayer(capacity=1)) as (app, consumer):
        before = counters.value("http.dropped.disconnect")
        for _ in range(5):
            server = request(app)
            await consumer.layer.asend((await consumer.take("http.request"))["reply_channel"], WHOLE)
            await server.end()
        await eventually(lambda: counters.value("http.dropped.disconnect") == before + 4)


@in_loop
async def test_malformed_response_gets_500() -> None:
    """The client does not wait for the timeout."""
    async with serving() as (app, consumer):
        server = request(app)
        await consumer.layer.asend((await consumer.take("http.request"))["reply_channel"], {"status": "200"})
        assert (await server.end())[0]["status"] == 500


# Around them


@in_loop
async def test_actions_of_a_request_are_logged() -> None:
    """One line per response, with what an access log wants to know."""
    actions: list[Any] = []
    async with serving(action_logger=lambda *action: actions.append(action)) as (app, consumer):
        server = request(app, path="/a", query_string=b"b=c")
        await consumer.layer.asend((await consumer.take("http.request"))["reply_channel"], WHOLE)
        await server.end()
    ((protocol, action, details),) = actions
    assert (protocol, action) == ("http", "complete")
    assert details.pop("time_taken") >= 0
    assert details == {"path": "/a?b=c", "status": 200, "method": "GET", "client": "192.0.2.1:1234", "size": 5}


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"accept": True, "close": True}, ["connecting", "connected", "disconnected"]),
        ({"close": True}, ["connecting", "rejected"]),
    ],
)
@in_loop
async def test_actions_of_a_socket_are_logged(reply: dict[str, Any], expected: list[str]) -> None:
    """From the handshake to the end."""
    actions: list[Any] = []
    async with serving(action_logger=lambda *action: actions.append(action)) as (app, consumer):
        server = socket(app, path="/a", client=None)
        await consumer.layer.asend((await consumer.take("websocket.connect"))["reply_channel"], reply)
        await server.end()
    assert [action for _, action, _ in actions] == expected
    assert actions[0] == ("websocket", "connecting", {"path": "/a", "client": None})


@in_loop
async def test_failing_action_logger_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """It is logged, and the connection goes on."""

    def fail(*action: Any) -> None:
        raise ZeroDivisionError

    async with serving(action_logger=fail) as (app, consumer):
        server, _ = await accepted(app, consumer)
        server.put(type="websocket.disconnect", code=1000)
        await server.end()
    assert "ZeroDivisionError" in caplog.text


@in_loop
async def test_lifespan_is_answered() -> None:
    """Startup and shutdown, each once."""
    app = ChannelsApplication(ChannelLayer())
    server = FakeServer(app, type="lifespan")
    server.put(type="lifespan.startup")
    assert await server.take() == {"type": "lifespan.startup.complete"}
    server.put(type="lifespan.shutdown")
    assert await server.end() == [{"type": "lifespan.shutdown.complete"}]


@in_loop
async def test_shutdown_leaves_no_task_behind() -> None:
    """What the loop ran for the application ends with it."""
    async with serving() as (app, consumer):
        server, _ = await accepted(app, consumer)
        server.put(type="websocket.disconnect", code=1000)
        await server.end()
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("channels-")]


def test_connections_left_by_a_server_without_a_word_get_their_disconnect() -> None:
    """The loop is gone; the process ends; consumers are told all the same."""
    layer = ChannelLayer(capacity=100)
    app = ChannelsApplication(layer)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(accepted(app, FakeConsumer(layer)))
    app.say_last_words()
    assert len(layer.receive_batch(["websocket.disconnect"], limit=5)) == 1
    app.say_last_words()
    assert layer.receive_batch(["websocket.disconnect"]) == []
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(app.close())
    loop.close()


class LayerOf1x:
    """What a layer of others for Channels 1.x has, and nothing more."""

    class ChannelFull(Exception):
        """Its own."""

    def __init__(self) -> None:
        self.layer = ChannelLayer(capacity=2)

    def send(self, channel: str, message: dict[str, Any]) -> None:
        try:
            self.layer.send(channel, message)
        except ChannelFull:
            raise self.ChannelFull from None

    def receive(self, channels: list[str], block: bool = False) -> Any:
        return self.layer.receive(channels, block=False)


@in_loop
async def test_layer_of_others_is_served() -> None:
    """Without a word about event loops."""
    layer = LayerOf1x()
    app = ChannelsApplication(layer)
    consumer = FakeConsumer(layer.layer)
    server, channel = await accepted(app, consumer)
    server.put(type="websocket.receive", text="x")
    assert (await consumer.take("websocket.receive"))["text"] == "x"
    layer.send(channel, {"text": "y", "close": True})
    assert [event["type"] for event in await server.end()] == ["websocket.send", "websocket.close"]
    await app.close()


@in_loop
async def test_full_channel_of_a_layer_of_others_is_understood() -> None:
    """Its exception is its own."""
    layer = LayerOf1x()
    app = ChannelsApplication(layer)
    for _ in range(2):
        layer.send("http.request", {})
    assert (await request(app).end())[0]["status"] == 503
    await app.close()


@in_loop
async def test_unknown_scope_is_refused() -> None:
    """Servers learn from the exception that a protocol is not served."""
    server = FakeServer(ChannelsApplication(ChannelLayer()), type="smtp")
    with pytest.raises(ValueError, match="smtp"):
        await server.end()


def test_one_application_serves_several_loops() -> None:
    """Each loop has its own router; those of closed loops are forgotten."""
    layer = ChannelLayer(capacity=100)
    app = ChannelsApplication(layer)

    async def serve() -> None:
        server, _ = await accepted(app, FakeConsumer(layer))
        server.put(type="websocket.disconnect", code=1000)
        await server.end()
        await app.close()

    for _ in range(2):
        asyncio.run(serve())


@pytest.mark.parametrize("value", ["chat", b"chat"])
def test_subprotocols_must_be_a_list(value: Any) -> None:
    """A single text would be read letter by letter."""
    with pytest.raises(TypeError, match="chat"):
        Limits(subprotocols=value)
