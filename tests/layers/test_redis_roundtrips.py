"""How often the server is asked, and for what: each way to use the layer, and whole echoes and requests."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.sync.client import connect

from channels import Channel, Group, route
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer
from channels.registry import ChannelLayerWrapper
from channels.worker import Worker
from tests.support.missing import skip_or_fail
from tests.support.monitor import Trace, Watched, without
from tests.support.processes import Processes
from tests.support.redis import RedisServer, find_newest, version_of
from tests.support.servers import serve

CHORES = ("count", "SET", "TIME", "ZRANGE")
"""Statistics, signs of life and the search for turns that are overdue: about once a second, or less often."""

PUSH = ["RPUSH", "PEXPIRE"]
MORE = ["RPUSH"]
"""What further messages on the same queue cost in the same call."""


@pytest.fixture
def watched(redis_server: RedisServer) -> Iterator[Watched]:
    """An empty server that is watched; before version 7 there is no BLMPOP, and a receive asks otherwise."""
    if version_of(find_newest()) < (7,):
        skip_or_fail("Install Redis 7 or later so that redis-server is on PATH.")
    with Watched(redis_server) as watched:
        yield watched


@pytest.fixture
def layer(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Iterator[RedisChannelLayer]:
    """A layer on it whose statistics are not due for the time of a test, with an open connection."""
    monkeypatch.setattr("channels.layers.redis.statistics.FLUSH_SECONDS", 3600)
    layer = RedisChannelLayer(hosts=[watched.url])
    layer.send("test.first", {})
    layer.global_statistics()
    yield layer
    layer.close()


Act = Callable[[RedisChannelLayer], Any]


def take(layer: RedisChannelLayer) -> None:
    """Receive a message that is there."""
    assert layer.receive(["test.first"], block=True)[1] == {}


@pytest.mark.parametrize(
    ("act", "commands", "inside"),
    [
        pytest.param(lambda layer: layer.send("test", {}), ["send"], ["TIME", *PUSH], id="send"),
        pytest.param(take, ["BLMPOP"], [], id="receive"),
        pytest.param(lambda layer: layer.receive(["test"]), ["take"], ["LPOP"], id="look"),
        pytest.param(
            lambda layer: layer.send_batch([Outgoing("test", {"n": n}) for n in range(32)]),
            ["send"],
            ["TIME", *PUSH, *MORE * 31],
            id="batch",
        ),
        pytest.param(
            lambda layer: layer.group_add("group", "test.p!one"),
            ["group_add", "SET"],
            ["TIME", "ZADD", "PEXPIRE"],
            id="group add",
        ),
        pytest.param(lambda layer: layer.group_discard("group", "test.p!one"), ["ZREM"], [], id="group discard"),
    ],
)
def test_call_is_one_round_trip(
    watched: Watched, layer: RedisChannelLayer, act: Act, commands: list[str], inside: list[str]
) -> None:
    """One command, or one script, and what that does."""
    assert watched.during(lambda: act(layer)) == Trace(1, commands, inside)


def test_group_of_a_thousand_is_one_round_trip(watched: Watched, layer: RedisChannelLayer) -> None:
    """The content goes over the wire once, and into each of the queues of three processes once."""
    for number in range(1000):
        layer.group_add("group", f"test.p{number % 3}!{number}")
    trace = watched.during(lambda: layer.send_group("group", {"text": "x"}))
    assert trace == Trace(1, ["send"], ["TIME", "ZREMRANGEBYSCORE", "ZRANGE", *["GET", *PUSH] * 3])


def test_event_loop_needs_no_more(watched: Watched, layer: RedisChannelLayer) -> None:
    """Sends of one iteration of the loop share a round trip."""

    async def main() -> tuple[Trace, Trace]:
        await layer.asend("test", {})
        await layer.areceive(["test"])

        async def send() -> None:
            await asyncio.gather(*(layer.asend("test", {"n": number}) for number in range(10)))

        loop = asyncio.get_running_loop()

        def wait_for(make: Callable[[], Any]) -> Callable[[], Any]:
            return lambda: asyncio.run_coroutine_threadsafe(make(), loop).result(60)

        sent = await asyncio.to_thread(watched.during, wait_for(send))
        taken = await asyncio.to_thread(watched.during, wait_for(lambda: layer.areceive(["test"])))
        await layer.aclose()
        return sent, taken

    sent, taken = asyncio.run(main())
    assert sent == Trace(1, ["send"], ["TIME", *PUSH, *MORE * 9])
    assert taken == Trace(1, ["BLMPOP"], [])


def test_statistics_need_no_round_trip(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was counted leaves with a message, or with the next receive."""
    monkeypatch.setattr("channels.layers.redis.statistics.FLUSH_SECONDS", 0)
    layer = RedisChannelLayer(hosts=[watched.url])
    layer.send("test", {})
    sent = watched.during(lambda: layer.send("test", {}))
    assert (sent.round_trips, sent.commands) == (1, ["send", "count"])
    received = watched.during(lambda: layer.receive(["test"], block=True))
    assert (received.round_trips, received.commands) == (1, ["count", "BLMPOP"])
    layer.close()


def test_statistics_of_many_channels_are_one_round_trip(watched: Watched, layer: RedisChannelLayer) -> None:
    """Those of twenty cost no more waiting than those of one."""
    trace = watched.during(lambda: layer.statistics_of([f"test.{number}" for number in range(20)]))
    assert trace == Trace(1, ["TIME", "HMGET", "LLEN", "LINDEX"] * 20, [])


def test_sign_of_life_needs_no_round_trip(watched: Watched, layer: RedisChannelLayer) -> None:
    """It leaves with the receive, and statistics with it."""
    layer.send("test.p!one", {})
    trace = watched.during(lambda: layer.receive(["test.p!"], block=True))
    assert (trace.round_trips, trace.commands) == (1, ["SET", "GETDEL", "count", "BLMPOP"])


def test_delivery_at_least_once_needs_one_more(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ticket leads to the message; a receiver that was led there before asks for both in one write."""
    monkeypatch.setattr("channels.layers.redis.statistics.FLUSH_SECONDS", 3600)
    # Nobody looks for messages of the dead meanwhile, however slow the machine is.
    layer = RedisChannelLayer(hosts=[watched.url], delivery={"orders": "at-least-once"}, redelivery_after=36_000)
    layer.receive_batch(["orders"])
    traces = []
    for _ in range(3):
        layer.send("orders", {})

        def take() -> None:
            (delivery,) = layer.receive_batch(["orders"], 2, 60)
            layer.finish_deliveries([delivery.content], True)

        layer.global_statistics()  # They are not due any more.
        traces.append(watched.during(take))
    asked = [(trace.round_trips, [name for name in trace.commands if name[0] != "X"]) for trace in traces]
    assert asked == [(2, ["BLMPOP", "durable_take"]), (1, ["BLMPOP", "durable_take"]), (1, ["BLMPOP", "durable_take"])]
    layer.close()


def test_shard_gets_one_call(watched: Watched, redis_server: RedisServer) -> None:
    """A group send to members on both of two shards asks each of them once, at the same time."""
    layer = RedisChannelLayer(hosts=[watched.url, f"{watched.url[:-1]}1"])
    for number in range(100):
        layer.group_add("group", f"test.p{number}!one")
    trace = watched.during(lambda: layer.send_group("group", {}))
    assert (trace.round_trips, without(trace.commands, CHORES)) == (2, ["send", "send"])
    layer.close()


def test_what_a_consumer_sends_leaves_with_the_next_receive(
    watched: Watched, layer: RedisChannelLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Messages to channels and to a group, by one consumer: one write, which asks for the next message, too."""
    wrapper = ChannelLayerWrapper(layer, "default", [])

    def fan_out(message: Any) -> None:
        for number in range(5):
            Channel("test.out", channel_layer=wrapper).send({"n": number})
        Group("group", channel_layer=wrapper).send({"n": 5})
        Channel("test.stop", channel_layer=wrapper).send({})

    def stop(message: Any) -> None:
        worker.termed = True

    wrapper.router.add_route(route("test.in", fan_out))
    wrapper.router.add_route(route("test.stop", stop))
    worker = Worker(wrapper, signal_handlers=False)
    layer.group_add("group", "test.p!one")
    monkeypatch.setattr("channels.ordering.SWEEP_SECONDS", 3600)
    traces = []
    for _ in range(2):  # The first time there is more to do.
        worker.termed = False
        layer.send("test.in", {})
        traces.append(watched.during(worker.run))
    trace = traces[1]
    in_the_script = ["TIME", *PUSH, *MORE * 4, "ZREMRANGEBYSCORE", "ZRANGE", "GET", *PUSH, *PUSH]
    assert trace == Trace(2, ["BLMPOP", "send", "BLMPOP"], in_the_script)


class Site:
    """A project behind uvicorn with one worker, on a watched server."""

    def __init__(self, watched: Watched, url: str) -> None:
        self.watched = watched
        self.url = url

    def usual(self, action: Callable[[], object], messages: int) -> tuple[int, dict[str, int]]:
        """Return what ``action`` causes on most of a number of occasions, chores apart.

        Args:
            messages: How many it sends; afterwards those who took one wait for the next.
        """

        def is_idle_again(commands: list[str]) -> bool:
            return commands.count("BLMPOP") >= messages

        traces = [self.watched.during(action, is_idle_again) for _ in range(15)]
        usual = Counter((trace.round_trips, *sorted(without(trace.commands, CHORES))) for trace in traces)
        ((trips, *commands), _), *_ = usual.most_common()
        return int(trips), dict(Counter(map(str, commands)))


@pytest.fixture
def site(watched: Watched, tmp_path: Path) -> Iterator[Site]:
    """The project, served."""
    environment = {"DJANGO_SETTINGS_MODULE": "tests.interface.project.settings", "PROJECT_REDIS": watched.url}
    processes = Processes(tmp_path, environment)
    try:
        processes.start(["-m", "django", "runworker", "-v", "0"])
        with serve("uvicorn", "tests.interface.project.asgi:application", processes) as server:
            yield Site(watched, server.url)
    finally:
        processes.stop()


@pytest.mark.slow
def test_echo_is_three_round_trips(site: Site) -> None:
    """Two messages, each sent once and taken once; the reply leaves with the worker's next receive."""
    with connect(f"{site.url.replace('http', 'ws')}/echo/", open_timeout=60) as socket:

        def echo() -> None:
            socket.send("hello")
            assert socket.recv(60)

        echo()
        assert site.usual(echo, messages=2) == (3, {"send": 2, "BLMPOP": 2})


@pytest.mark.slow
def test_request_is_three_round_trips_and_its_end_two(site: Site) -> None:
    """The same for a view; a project with consumers of ``http.disconnect`` gets one more message."""
    with httpx.Client(base_url=site.url, timeout=60, trust_env=False) as client:

        def request() -> None:
            assert client.get("/page/").status_code == 200

        request()
        assert site.usual(request, messages=3) == (5, {"send": 3, "BLMPOP": 3})
