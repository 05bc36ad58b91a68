"""Sends that leave with the next call: one write for a flush and the receive after it, and nothing lost on the way."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from channels import Channel, Group, route
from channels.exceptions import ChannelFull, LayerUnavailable
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer
from channels.pending import pending_message_store
from channels.registry import ChannelLayerWrapper
from channels.worker import Worker
from tests.support.processes import free_port, wait_for
from tests.support.redis import RedisServer


@pytest.fixture(params=["newest", "oldest"])
def server(request: pytest.FixtureRequest) -> RedisServer:
    """An empty Redis, of the newest and of the oldest version."""
    fixture = "redis_server" if request.param == "newest" else "old_redis_server"
    server: RedisServer = request.getfixturevalue(fixture)
    return server


@pytest.fixture
def layer(server: RedisServer) -> Iterator[RedisChannelLayer]:
    """A layer on it."""
    layer = RedisChannelLayer(hosts=[server.url], channel_capacity={"small": 1})
    yield layer
    layer.close()


def outgoing(*numbers: int, channel: str = "c") -> list[Outgoing]:
    """Return a batch of numbered messages."""
    return [Outgoing(channel, {"n": number}) for number in numbers]


def numbers(layer: RedisChannelLayer, channel: str = "c") -> list[int]:
    """Return the numbers that wait on ``channel``."""
    found = []
    while deliveries := layer.receive_batch([channel], limit=100):
        found += [delivery.content["n"] for delivery in deliveries]
    return found


class Writes:
    """Counts the writes to sockets of redis-py's connections."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        from redis.connection import AbstractConnection

        self.count = 0
        original = AbstractConnection.send_packed_command

        def counted(connection: Any, *args: Any, **kwargs: Any) -> Any:
            self.count += 1
            return original(connection, *args, **kwargs)

        monkeypatch.setattr(AbstractConnection, "send_packed_command", counted)


def test_posted_messages_arrive_in_order_with_the_next_call(layer: RedisChannelLayer) -> None:
    """Several batches, then a receive of another channel."""
    outcomes: list[Any] = []
    layer.post_batch(outgoing(1, 2), outcomes.extend)
    layer.post_batch(outgoing(3), outcomes.extend)
    layer.receive_batch(["other"], timeout=0.01)
    assert outcomes == [None, None, None]
    assert numbers(layer) == [1, 2, 3]


def test_flush_and_receive_are_one_write(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch with a group in it, and the receive that waits after it."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    layer.group_add("g", "p!1")
    layer.send("c", {"n": 0})
    writes = Writes(monkeypatch)
    layer.post_batch([*outgoing(1), Outgoing("g", {"n": 2}, to_group=True)], lambda outcomes: None)
    assert layer.receive_batch(["c"], limit=1, timeout=60)[0].content == {"n": 0}
    assert writes.count == 1
    layer.close()


def test_push_sends_without_waiting(layer: RedisChannelLayer, server: RedisServer) -> None:
    """Another process can have the messages before the outcomes are read."""
    outcomes: list[Any] = []
    layer.post_batch(outgoing(1), outcomes.extend)
    layer.push()
    other = RedisChannelLayer(hosts=[server.url])
    assert other.receive_batch(["c"], timeout=60)[0].content == {"n": 1}
    other.close()
    assert outcomes == []
    layer.push(wait=True)
    assert outcomes == [None]


def test_posted_messages_do_not_wait_for_their_thread(layer: RedisChannelLayer, server: RedisServer) -> None:
    """A thread that does something else for long does not hold back what it posted, if it says so."""
    layer.receive_batch(["other"], timeout=0.01)
    layer.post_batch(outgoing(1), lambda outcomes: None)
    layer.push_soon()
    other = RedisChannelLayer(hosts=[server.url])
    assert other.receive_batch(["c"], timeout=60)[0].content == {"n": 1}
    other.close()


def test_flusher_ends_when_nothing_is_posted(layer: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """No thread stays behind, and the next one that is needed starts."""
    monkeypatch.setattr("channels.layers.redis.flusher.IDLE_SECONDS", 0.5)
    for _ in range(2):
        others = set(threading.enumerate())
        layer.post_batch(outgoing(1), lambda outcomes: None)
        layer.push_soon()
        (thread,) = set(threading.enumerate()) - others
        layer.push(wait=True)
        thread.join(60)
        assert not thread.is_alive()


def test_refusals_reach_who_posted(layer: RedisChannelLayer) -> None:
    """Each item gets its own outcome, what could not be encoded included."""
    outcomes: list[Any] = []
    layer.post_batch([*outgoing(1, 2, channel="small"), Outgoing("not a name", {})], outcomes.extend)
    layer.push(wait=True)
    assert outcomes[0] is None
    assert isinstance(outcomes[1], ChannelFull)
    assert isinstance(outcomes[2], TypeError)


def test_other_calls_settle_what_was_posted_before_them(layer: RedisChannelLayer) -> None:
    """A send after a post arrives after it."""
    outcomes: list[Any] = []
    layer.post_batch(outgoing(1), outcomes.extend)
    layer.send("c", {"n": 2})
    assert outcomes == [None]
    assert numbers(layer) == [1, 2]


def test_what_several_consumers_posted_leaves_in_one_call(redis_server: RedisServer) -> None:
    """Each of them is told what became of its own."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    layer.group_add("g", "p!1")
    layer.send_batch(outgoing(*range(100), channel="small"))
    client = layer.connection(0)
    outcomes: list[list[Any]] = []
    with client:
        before = int(client.info("commandstats")["cmdstat_evalsha"]["calls"])
        layer.post_batch(outgoing(1, 2), outcomes.append)
        layer.post_batch(outgoing(3, channel="small"), outcomes.append)
        layer.post_batch([Outgoing("g", {"n": 4}, to_group=True), *outgoing(5)], outcomes.append)
        layer.push(wait=True)
        after = int(client.info("commandstats")["cmdstat_evalsha"]["calls"])
    assert after - before <= 2  # One for the messages, at most one for the statistics.
    assert [[type(one) for one in part] for part in outcomes] == [
        [type(None), type(None)],
        [ChannelFull],
        [type(None), type(None)],
    ]
    assert numbers(layer) == [1, 2, 5]
    layer.close()


def test_many_posted_messages_are_cut_into_calls(layer: RedisChannelLayer) -> None:
    """More than one call carries: all arrive, in order."""
    outcomes: list[Any] = []
    for first in range(0, 90, 3):
        layer.post_batch([Outgoing(f"c{n}", {"n": n}) for n in range(first, first + 3)] * 5, outcomes.extend)
    layer.push(wait=True)
    assert outcomes == [None] * 450
    assert [numbers(layer, f"c{n}") for n in range(90)] == [[n] * 5 for n in range(90)]


def test_queue_that_was_full_of_expired_messages_still_expires(redis_server: RedisServer) -> None:
    """The queue that is made anew within a call has a time to live like any other."""
    layer, hasty = (RedisChannelLayer(hosts=[redis_server.url], expiry=e, capacity=1) for e in (60, 0.05))
    hasty.send("c", {"n": 0})
    with redis_server.client() as client:
        client.persist("asgi:c")  # It may outlive its messages for a moment.
        wait_for(lambda: layer.send_batch(outgoing(1)) == [None], "the end of the message")
        assert 0 < client.pttl("asgi:c") <= 60_000
    layer.close()
    hasty.close()


def test_forgotten_scripts_are_loaded_again(redis_server: RedisServer) -> None:
    """Also when a receive is already waiting behind the posted batch."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    layer.send("c", {"n": 0})
    with redis_server.client() as client:
        client.script_flush()
    outcomes: list[Any] = []
    layer.post_batch(outgoing(1), outcomes.extend)
    assert layer.receive_batch(["c"], timeout=60)[0].content == {"n": 0}
    assert outcomes == [None]
    assert numbers(layer) == [1]
    layer.close()


def test_lost_connection_is_the_outcome_of_what_was_posted(own_redis: RedisServer) -> None:
    """The receive fails too, and the next call after the server's return works."""
    layer = RedisChannelLayer(hosts=[own_redis.url])
    layer.send("other", {})
    outcomes: list[Any] = []
    layer.post_batch(outgoing(1), outcomes.extend)
    own_redis.stop()
    with pytest.raises(LayerUnavailable):
        layer.receive_batch(["c"], timeout=60)
    assert [type(outcome) for outcome in outcomes] == [LayerUnavailable]
    own_redis.start()
    layer.post_batch(outgoing(2), outcomes.extend)
    layer.push(wait=True)
    assert outcomes[1] is None
    assert numbers(layer) == [2]
    layer.close()


def test_connection_lost_after_the_push_is_the_outcome(own_redis: RedisServer) -> None:
    """The answers never come; nobody waits for them for ever."""
    layer = RedisChannelLayer(hosts=[own_redis.url])
    outcomes: list[Any] = []
    layer.send("other", {})
    layer.post_batch(outgoing(1), outcomes.extend)
    own_redis.stop()
    layer.push()
    layer.push(wait=True)
    assert [type(outcome) for outcome in outcomes] == [LayerUnavailable]
    layer.close()


def test_posted_group_messages_do_not_wait_for_the_next_receive(layer: RedisChannelLayer, server: RedisServer) -> None:
    """Also where capacities by name make it take several steps to send them."""
    layer.group_add("g", "p!1")
    outcomes: list[Any] = []
    layer.post_batch([Outgoing("g", {"n": 1}, to_group=True)], outcomes.extend)
    layer.push()
    other = RedisChannelLayer(hosts=[server.url])
    assert other.receive_batch(["p!"], timeout=60)[0].content == {"n": 1}
    other.close()
    layer.push(wait=True)
    assert outcomes == [None]


def test_posted_batches_of_any_size_leave_at_once(layer: RedisChannelLayer, server: RedisServer) -> None:
    """More than one script call carries."""
    layer.post_batch([Outgoing(f"c{number}", {}) for number in range(600)], lambda outcomes: None)
    layer.push()
    other = RedisChannelLayer(hosts=[server.url])
    assert other.receive_batch(["c599"], timeout=60)
    other.close()
    layer.push(wait=True)


@pytest.fixture
def retries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Full channels are tried again quickly."""
    monkeypatch.setattr(pending_message_store, "retry_interval", 0.01)


@pytest.mark.usefixtures("retries")
def test_worker_retries_a_full_channel_and_keeps_the_order(layer: RedisChannelLayer) -> None:
    """What a consumer sent to a full channel arrives when there is room, before what it sent later."""
    wrapper = ChannelLayerWrapper(layer, "default", [])
    done = threading.Event()

    def fills(message: Any) -> None:
        for number in (1, 2, 3):
            Channel("small", channel_layer=wrapper).send({"n": number})

    def ends(message: Any) -> None:
        done.set()

    wrapper.router.add_route(route("fills", fills))
    wrapper.router.add_route(route("ends", ends))
    worker = Worker(wrapper, signal_handlers=False)
    thread = threading.Thread(target=worker.run)
    thread.start()
    wrapper.send("fills", {})
    found = [layer.receive_batch(["small"], timeout=60)[0].content["n"] for _ in range(3)]
    wrapper.send("ends", {})
    assert done.wait(60)
    worker.termed = True
    thread.join(60)
    assert found == [1, 2, 3]


def test_worker_sends_before_a_slow_consumer_runs(layer: RedisChannelLayer) -> None:
    """Messages taken together: the first one's replies do not wait for the second one's end."""
    wrapper = ChannelLayerWrapper(layer, "default", [])
    release = threading.Event()

    def answers(message: Any) -> None:
        Group("g", channel_layer=wrapper).add("out")
        Channel("out", channel_layer=wrapper).send({"n": message["n"]})
        if message["n"] == 2:
            release.wait(180)

    wrapper.router.add_route(route("c", answers))
    worker = Worker(wrapper, signal_handlers=False)
    worker._pace._average = 1e-6  # As after many fast ones: both are taken together.
    layer.send_batch(outgoing(1, 2))
    thread = threading.Thread(target=worker.run)
    thread.start()
    assert layer.receive_batch(["out"], timeout=60)[0].content == {"n": 1}
    release.set()
    assert layer.receive_batch(["out"], timeout=60)[0].content == {"n": 2}
    worker.termed = True
    thread.join(60)


def test_lost_server_does_not_garble_what_others_answer(redis_server: RedisServer) -> None:
    """A batch for two servers is posted, one of which is not there: each message is told what it came to."""
    layer = RedisChannelLayer(hosts=[redis_server.url, ("127.0.0.1", free_port())])
    queues = {layer._parts.ring.shard_of(f"test.{number}!"): f"test.{number}!" for number in range(50)}
    outcomes: list[Any] = []
    for _ in range(3):
        layer.post_batch([Outgoing(queues[0], {"n": 1}), Outgoing(queues[1], {"n": 2})], outcomes.extend)
        layer.push(wait=True)
        assert layer.receive([queues[0]]) == (queues[0], {"n": 1})
    assert [type(outcome) for outcome in outcomes] == [type(None), LayerUnavailable] * 3
    layer.close()
