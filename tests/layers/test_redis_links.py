"""Connections of the Redis layer that are lost in the middle: each answer reaches whoever asked, or nobody."""

import asyncio
import contextlib
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from channels import counters
from channels.exceptions import LayerUnavailable
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer, threadlink
from channels.layers.redis.looplink import LoopLink
from channels.layers.redis.process import Process, forks
from channels.layers.redis.shards import SOCKET_TIMEOUT
from channels.layers.redis.threadlink import Link
from tests.support.processes import wait_for
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer


@pytest.fixture
def layer(redis_url: str) -> Iterator[RedisChannelLayer]:
    """A layer on an empty server."""
    layer = RedisChannelLayer(hosts=[redis_url])
    layer.send("warm.up", {})
    yield layer
    layer.close()


@pytest.fixture
def pair(redis_server: RedisServer, own_redis: RedisServer) -> Iterator[RedisChannelLayer]:
    """A layer on two servers."""
    layer = RedisChannelLayer(hosts=[redis_server.url, own_redis.url])
    yield layer
    layer.close()


def outgoing(number: int, channel: str = "c") -> list[Outgoing]:
    """Return a batch of one message."""
    return [Outgoing(channel, {"n": number})]


def break_link(link: Link) -> None:
    """Let the next write fail, as where the server has reset the connection."""
    link._connection._sock.shutdown(socket.SHUT_WR)


def queue_on(layer: RedisChannelLayer, shard: int) -> str:
    """Return a queue that is on ``shard``."""
    return next(name for n in range(100) if layer._parts.ring.shard_of(name := f"test.{n}!") == shard)


# Threads


def test_lost_answers_are_not_those_to_later_commands(layer: RedisChannelLayer) -> None:
    """What was posted on a connection that was lost, then on a new one: the first failed, the others did not."""
    layer.send("queue", {"n": 0})
    outcomes: list[tuple[str, Any]] = []
    layer.post_batch(outgoing(1), lambda outcome: outcomes.append(("lost", outcome[0])))
    link = layer._mine.links.link(0)
    break_link(link)
    layer.push()
    layer.post_batch(outgoing(2), lambda outcome: outcomes.append(("sent", outcome[0])))
    taken = layer.receive_batch(["queue"], timeout=5)
    assert [delivery.content for delivery in taken] == [{"n": 0}]
    assert [(name, type(outcome)) for name, outcome in outcomes] == [("lost", LayerUnavailable), ("sent", type(None))]
    assert layer.receive(["c"]) == ("c", {"n": 2})
    assert layer.receive(["c"]) == (None, None)


def test_lost_answers_of_several_posts_are_told_apart(layer: RedisChannelLayer) -> None:
    """Two were under way and one was to be written: three failed, and the next call gets its own answer."""
    outcomes: list[Any] = []
    for number in range(2):
        layer.post_batch(outgoing(number), outcomes.extend)
        layer.push()
    layer.post_batch(outgoing(2), outcomes.extend)
    break_link(layer._mine.links.link(0))
    layer.push()
    layer.post_batch(outgoing(3), outcomes.extend)
    assert layer.channel_statistics("empty")["messages_pending"] == 0
    assert [type(outcome) for outcome in outcomes] == [LayerUnavailable] * 3 + [type(None)]


def test_failed_wait_leaves_what_was_posted_to_others_in_order(pair: RedisChannelLayer) -> None:
    """Two servers, of which the one that is waited on is lost: what goes to the other arrives and is answered."""
    near, far = queue_on(pair, 0), queue_on(pair, 1)
    pair.send(far, {"n": 0})
    pair.receive([near])
    outcomes: list[Any] = []
    pair.post_batch(outgoing(1, far + "x"), outcomes.extend)
    break_link(pair._mine.links.link(0))
    with pytest.raises(LayerUnavailable):
        pair.receive_batch([near], timeout=0.1)
    assert outcomes == [None]
    assert [delivery.content["n"] for delivery in pair.receive_batch([far], limit=5)] == [0, 1]
    assert pair.channel_statistics(far)["messages_pending"] == 0


def test_what_was_posted_to_a_server_that_rests_does_not_leave_later(
    pair: RedisChannelLayer, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection was lost unnoticed, and another thread found that the server is away: that is the outcome."""
    monkeypatch.setattr(threadlink, "IDLE_SECONDS", 0.0)
    far = queue_on(pair, 1)
    outcomes: list[Any] = []
    pair.post_batch(outgoing(1, far), outcomes.extend)
    with own_redis.client() as client:
        client.client_kill_filter(_type="normal", skipme=True)
    health = pair.shards[1].health
    health.failed(LayerUnavailable("lost"))
    health._until = time.monotonic() + 60
    pair.push(wait=True)
    assert [type(outcome) for outcome in outcomes] == [LayerUnavailable]
    health.recovered()
    assert pair.channel_statistics(far)["messages_pending"] == 0
    assert pair.receive([far]) == (None, None)


@pytest.mark.slow
def test_server_that_hangs_does_not_hold_up_the_others(pair: RedisChannelLayer, own_redis: RedisServer) -> None:
    """Once it is known to be lost, trying to reach it takes a second at most; it is used again when it answers."""
    health, far = pair.shards[1].health, queue_on(pair, 1)
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        health.failed(LayerUnavailable("lost"))
        health._until = 0.0
        began = time.monotonic()
        with pytest.raises(LayerUnavailable):
            pair.send(far, {"n": 1})
        health._until = 0.0
        with pytest.raises(LayerUnavailable):
            asyncio.run(pair.asend(far, {"n": 1}))
        assert time.monotonic() - began < SOCKET_TIMEOUT
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    health._until = 0.0
    pair.send(far, {"n": 2})
    assert not health.is_lost
    assert pair._mine.links.link(1)._connection.socket_timeout == SOCKET_TIMEOUT


@pytest.mark.slow
def test_thread_that_waits_while_another_writes_for_it_is_told_of_the_loss(own_redis: RedisServer) -> None:
    """The server hangs, and what was posted does not fit into its socket."""
    layer = RedisChannelLayer(hosts=[own_redis.url], connection_kwargs={"socket_timeout": 5})
    layer.send("c", {"n": 0})
    os.kill(own_redis.pid, signal.SIGSTOP)
    try:
        layer.post_batch([Outgoing("c", {"text": "x" * 900_000}) for _ in range(4)], lambda outcomes: None)
        link = layer._mine.links.link(0)
        layer.push_soon()
        wait_for(link._writing.locked, "the flusher to write")
        with pytest.raises(LayerUnavailable):
            layer.send("c", {"n": 1})
    finally:
        os.kill(own_redis.pid, signal.SIGCONT)
    layer.send("c", {"n": 2})
    layer.close()


def test_idle_connection_that_another_thread_uses_is_not_stale(
    layer: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to what the flusher writes comes while the connection's own thread looks whether it still stands."""
    monkeypatch.setattr(threadlink, "IDLE_SECONDS", 0.0)
    outcomes: list[Any] = []
    layer.post_batch(outgoing(1), outcomes.extend)
    link = layer._mine.links.link(0)
    has_sent, was_used = threading.Event(), threading.Event()
    original: Callable[..., Any] = link._connection.send_packed_command

    def send_and_pause(*args: Any, **kwargs: Any) -> None:
        original(*args, **kwargs)
        has_sent.set()
        was_used.wait(0.3)

    monkeypatch.setattr(link._connection, "send_packed_command", send_and_pause)
    writer = threading.Thread(target=link.write_late, args=[0.0])
    writer.start()
    assert has_sent.wait(10)
    link.facts()
    was_used.set()
    writer.join()
    layer.push(wait=True)
    assert outcomes == [None]


def test_receive_that_another_thread_closes_the_layer_under_ends(layer: RedisChannelLayer) -> None:
    """With the error of a lost connection; the layer may be used again."""
    found: list[Any] = []

    def receive() -> None:
        try:
            found.append(layer.receive_batch(["empty"], timeout=30))
        except Exception as error:
            found.append(error)

    thread = threading.Thread(target=receive)
    thread.start()
    wait_for(lambda: layer.connection(0).info("clients")["blocked_clients"], "the receive to wait")
    layer.close()
    thread.join(10)
    assert [type(one) for one in found] == [LayerUnavailable]
    layer.send("c", {"n": 1})
    assert layer.receive(["c"]) == ("c", {"n": 1})


def test_close_sends_what_was_posted(layer: RedisChannelLayer, redis_url: str) -> None:
    """Also where there is nothing else to tell the server."""
    outcomes: list[Any] = []
    layer.flush()
    layer.post_batch(outgoing(1), outcomes.extend)
    layer.close()
    assert outcomes == [None]
    assert layer.receive(["c"]) == ("c", {"n": 1})


def test_threads_that_begin_after_a_fork_share_what_they_keep(
    layer: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one of them was handed out can be finished by another."""
    monkeypatch.setattr(forks, "count", forks.count + 1)
    made = threading.Barrier(2, timeout=0.3)
    original = Process.__init__

    def slow(self: Process, *args: Any) -> None:
        original(self, *args)
        with contextlib.suppress(threading.BrokenBarrierError):
            made.wait()

    monkeypatch.setattr(Process, "__init__", slow)
    found: list[Process] = []
    threads = [threading.Thread(target=lambda: found.append(layer._mine)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] is found[1] is layer._mine


@pytest.fixture
def network(redis_server: RedisServer) -> Iterator[Proxy]:
    """The way to the server, which may be broken."""
    proxy = Proxy(redis_server.port)
    yield proxy
    proxy.close()


def test_messages_that_may_have_been_handed_back_are_not_run(layer: RedisChannelLayer, network: Proxy) -> None:
    """The server took them, and its answer was lost: who has them must not run them, too."""
    cut_off = RedisChannelLayer(hosts=[("127.0.0.1", network.port)])
    layer.send_batch([*outgoing(1), *outgoing(2)])
    taken = cut_off.receive_batch(["c"], limit=2)
    before = counters.value("message.dropped.unreturned")
    kept: list[Any] = []
    is_open, may_begin = threading.Event(), threading.Event()

    def hand_back() -> None:
        cut_off.channel_statistics("c")  # Each thread has a connection of its own.
        is_open.set()
        may_begin.wait()
        kept.append(cut_off.hand_back(taken))

    thread = threading.Thread(target=hand_back)
    thread.start()
    is_open.wait()
    network.lose_answers()
    may_begin.set()
    wait_for(lambda: layer.channel_statistics("c")["messages_pending"] == 2, "they are on their channel")
    network.cut()
    network.restore()
    thread.join(30)
    assert kept == [[]]
    assert counters.value("message.dropped.unreturned") == before + 2
    assert [delivery.content["n"] for delivery in layer.receive_batch(["c"], limit=5)] == [1, 2]
    cut_off.close()


def test_messages_that_cannot_be_handed_back_are_kept(own_redis: RedisServer) -> None:
    """No connection is open, so the server knows nothing of them."""
    layer = RedisChannelLayer(hosts=[own_redis.url])
    layer.send("c", {"n": 1})
    taken = layer.receive_batch(["c"])
    layer.close()
    own_redis.stop()
    assert layer.hand_back(taken) == taken


# Event loops


class Interruption:
    """Cancels a task while the layer cleans up after it: each time it reads the answer of a wait that was ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.task: asyncio.Task[Any] | None = None
        original = LoopLink.finish

        async def finish(link: LoopLink) -> Any:
            assert self.task is not None
            self.task.cancel()
            await asyncio.sleep(0)
            return await original(link)

        monkeypatch.setattr(LoopLink, "finish", finish)


async def wait_until_blocked(layer: RedisChannelLayer) -> None:
    """Return once a connection waits on each server."""
    for shard in range(len(layer.shards)):
        client = layer.connection(shard)
        await asyncio.to_thread(wait_for, lambda: client.info("clients")["blocked_clients"], "a receive to wait")  # noqa: B023


def test_message_is_not_lost_with_a_receive_that_is_cancelled_twice(
    layer: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes at the moment of the first cancellation; the second comes while the layer looks for it."""
    interruption = Interruption(monkeypatch)

    async def main() -> list[Any]:
        task = interruption.task = asyncio.create_task(layer.areceive_batch(["c"], timeout=30))
        await wait_until_blocked(layer)
        layer.send("c", {"n": 1})
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        taken = await layer.areceive_batch(["c"], timeout=5)
        await layer.aclose()
        return [delivery.content for delivery in taken]

    assert asyncio.run(main()) == [{"n": 1}]


def test_message_is_not_lost_with_a_receive_on_two_servers_that_is_cancelled(
    pair: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One server has given it out, and the layer ends the wait on the other one at this moment."""
    interruption = Interruption(monkeypatch)

    async def main() -> list[Any]:
        task = interruption.task = asyncio.create_task(pair.areceive_batch(["c"], timeout=30))
        await wait_until_blocked(pair)
        pair.send("c", {"n": 1})
        with pytest.raises(asyncio.CancelledError):
            await task
        taken = await pair.areceive_batch(["c"], timeout=5)
        await pair.aclose()
        return [delivery.content for delivery in taken]

    assert asyncio.run(main()) == [{"n": 1}]
