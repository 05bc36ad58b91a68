"""What happens between SIGTERM and the server's own end: the signal is held back, sockets are closed one by one."""

import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from channels import counters
from channels.interface.application import ChannelsApplication, Limits
from channels.interface.drain import dismiss_all
from channels.interface.held_signal import hold
from channels.layers.inmemory import ChannelLayer
from tests.interface.test_application import accepted, request, serving, socket
from tests.support.asgi import FakeConsumer, eventually, in_loop
from tests.support.counting import grows

DENIAL = {"websocket.http.response": {}}


@pytest.fixture(autouse=True)
def taken() -> Iterator[list[int]]:
    """The signals that reached the server's handler, which stands behind ours."""
    signals: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, frame: signals.append(number))
    try:
        yield signals
    finally:
        signal.signal(signal.SIGTERM, previous)


@asynccontextmanager
async def drainable(**limits: Any) -> AsyncIterator[tuple[ChannelsApplication, FakeConsumer]]:
    """Yield an application that holds SIGTERM back, and a consumer."""
    async with serving(None, None, **{"drain_seconds": 0.1, "drain_timeout": 5, **limits}) as pair:
        yield pair


def terminate() -> None:
    """Send this process what supervisors send."""
    os.kill(os.getpid(), signal.SIGTERM)


@in_loop
async def test_sockets_are_closed_before_the_server_gets_the_signal(taken: list[int]) -> None:
    """With 1012, and consumers have heard of it when the server acts."""
    async with drainable() as (app, consumer):
        servers = [(await accepted(app, consumer))[0] for _ in range(3)]
        before = counters.value("websocket.closed.drain")
        terminate()
        assert [(await server.take())["code"] for server in servers] == [1012] * 3
        await eventually(lambda: taken == [signal.SIGTERM])
        assert counters.value("websocket.closed.drain") - before == 3
        batch = consumer.layer.receive_batch(["websocket.disconnect"], limit=5)
        assert [delivery.content["code"] for delivery in batch] == [1012] * 3


@in_loop
async def test_requests_are_finished_before_the_server_gets_the_signal(taken: list[int]) -> None:
    """And their connections are not kept for another one."""
    async with drainable() as (app, consumer):
        server = request(app, http_version="1.1")
        channel = (await consumer.take("http.request"))["reply_channel"]
        socket_of_another, _ = await accepted(app, consumer)
        terminate()
        await socket_of_another.take()
        assert taken == []
        await consumer.layer.asend(channel, {"status": 200, "headers": [], "content": b""})
        assert (b"connection", b"close") in (await server.take())["headers"]
        await eventually(lambda: taken == [signal.SIGTERM])


@in_loop
async def test_request_that_takes_too_long_is_left_to_the_server(taken: list[int]) -> None:
    """The end of the process is not put off for ever."""
    async with drainable(drain_timeout=0.1) as (app, consumer):
        request(app)
        await consumer.take("http.request")
        terminate()
        await eventually(lambda: taken == [signal.SIGTERM])


@in_loop
async def test_response_that_does_not_end_is_broken_off(taken: list[int]) -> None:
    """Servers would wait for a stream of events until they are killed."""
    async with drainable(drain_timeout=0.1) as (app, consumer):
        server = request(app)
        channel = (await consumer.take("http.request"))["reply_channel"]
        await consumer.layer.asend(channel, {"status": 200, "content": b"retry: 2000", "more_content": True})
        await server.take()
        with grows("http.aborted.drain"):
            terminate()
            await server.end()
        assert (await consumer.take("http.disconnect"))["reply_channel"] == channel
        await eventually(lambda: taken == [signal.SIGTERM])


@in_loop
async def test_handshakes_are_refused_during_a_drain(taken: list[int]) -> None:
    """With 503, so that a proxy or the client tries another server; no consumer hears of them."""
    async with drainable() as (app, consumer):
        held = request(app)
        await consumer.take("http.request")
        undecided = socket(app, extensions=DENIAL)
        await consumer.take("websocket.connect")
        terminate()
        assert (await undecided.take())["status"] == 503
        late = socket(app, extensions=DENIAL)
        assert (await late.take())["status"] == 503
        assert consumer.is_empty("websocket.connect")
        held.put(type="http.disconnect")
        await eventually(lambda: taken == [signal.SIGTERM])


@in_loop
async def test_second_signal_is_passed_on_at_once(taken: list[int]) -> None:
    """Whoever cannot wait says so again."""
    async with drainable(drain_timeout=60) as (app, consumer):
        request(app)
        await consumer.take("http.request")
        terminate()
        await asyncio.sleep(0)
        terminate()
        await eventually(lambda: bool(taken))


@in_loop
async def test_signal_that_a_loop_handles_is_held_back_too(taken: list[int]) -> None:
    """Servers install handlers in both ways; other signals still arrive."""
    loop, heard = asyncio.get_running_loop(), []
    loop.add_signal_handler(signal.SIGTERM, heard.append, "term")
    loop.add_signal_handler(signal.SIGUSR1, heard.append, "usr1")
    ours = asyncio.Event()
    held = hold(loop, ours.set)
    assert held is not None
    terminate()
    os.kill(os.getpid(), signal.SIGUSR1)
    await ours.wait()
    await eventually(lambda: heard == ["usr1"])
    held.pass_on()
    await eventually(lambda: heard == ["usr1", "term"])
    loop.remove_signal_handler(signal.SIGTERM)
    loop.remove_signal_handler(signal.SIGUSR1)


@in_loop
async def test_released_signal_goes_its_way_as_before(taken: list[int]) -> None:
    """Nothing of ours stays behind."""
    ours: list[bool] = []
    held = hold(asyncio.get_running_loop(), lambda: ours.append(True))
    assert held is not None
    held.release()
    terminate()
    await eventually(lambda: taken == [signal.SIGTERM])
    assert ours == []


@in_loop
async def test_ignored_signal_stays_ignored(taken: list[int]) -> None:
    """Whoever ignores it has reasons."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert hold(asyncio.get_running_loop(), lambda: None) is None


def test_signal_is_held_in_the_main_thread_only() -> None:
    """Elsewhere Python does not allow it, and the application works without."""
    found: list[Any] = []

    async def scenario() -> None:
        async with serving(None, None, drain_seconds=1) as (app, consumer):
            await accepted(app, consumer)
            found.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=asyncio.run, args=(scenario(),))
    thread.start()
    thread.join(20)
    assert found == [before]


@in_loop
async def test_sockets_are_closed_evenly_over_the_time() -> None:
    """A hundred at a twentieth of a second take no longer than what is asked for; a few take less."""
    loop = asyncio.get_running_loop()
    times: list[float] = []

    class Socket:
        """Notes when it was dismissed."""

        def dismiss(self, reason: str) -> None:
            """Take the time."""
            times.append(loop.time())

    began = loop.time()
    await dismiss_all([Socket() for _ in range(50)], 0.5, "drain")
    assert len(times) == 50
    assert all(at - began >= number * 0.01 - 0.001 for number, at in enumerate(times))


@in_loop
async def test_server_that_ends_without_a_word_leaves_no_consumer_in_the_dark() -> None:
    """Connections that are open when the lifespan ends get their disconnects."""
    layer = ChannelLayer(capacity=100)
    app = ChannelsApplication(layer, Limits())
    server, channel = await accepted(app, FakeConsumer(layer))
    await app.close()
    (delivery,) = layer.receive_batch(["websocket.disconnect"], limit=5)
    assert (delivery.content["reply_channel"], delivery.content["code"]) == (channel, 1012)
    assert [event["type"] for event in await server.end()] == ["websocket.close"]
