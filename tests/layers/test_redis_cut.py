"""The Redis layer while its connections are cut all the time, and its receives cancelled: who gets what, in the end."""

import asyncio
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import pytest
import redis

from channels.exceptions import LayerUnavailable
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer
from channels.layers.redis.durable import AT_LEAST_ONCE
from tests.support.processes import wait_for
from tests.support.redis import RedisServer

pytestmark = pytest.mark.slow

SECONDS = float(os.environ.get("CHANNELS_CUT_SECONDS", "2"))
"""How long each test goes on; set it to minutes after changes to the connections."""

THREADS = 4

Id = tuple[int, int]


@pytest.fixture(params=[1, 2])
def servers(request: pytest.FixtureRequest, redis_server: RedisServer, own_redis: RedisServer) -> list[RedisServer]:
    """One server, or two."""
    return [redis_server, own_redis][: request.param]


class Scissors:
    """Cuts connections to servers in a thread, and lets the servers forget their scripts."""

    def __init__(self, servers: Sequence[RedisServer]) -> None:
        self._clients = [server.client() for server in servers]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.cuts = 0

    def __enter__(self) -> "Scissors":
        self._thread.start()
        return self

    def __exit__(self, *args: object) -> None:
        self._stopped.set()
        self._thread.join()
        for client in self._clients:
            client.close()

    def _run(self) -> None:
        while not self._stopped.wait(random.random() * 0.03):
            client = random.choice(self._clients)
            if random.random() < 0.1:
                client.script_flush()
            mine = str(client.client_id())
            others = [entry["id"] for entry in client.client_list() if entry["id"] != mine]
            with suppress(redis.ResponseError):  # It has ended by itself.
                self.cuts += bool(others and client.client_kill_filter(_id=random.choice(others)))


class Diary:
    """Who sent what, what that came to, and how often each message came."""

    def __init__(self) -> None:
        self.outcomes: dict[Id, Exception | None] = {}
        self.arrivals: Counter[Id] = Counter()
        self.errors: list[Exception] = []
        self._lock = threading.Lock()

    def settle(self, ids: Sequence[Id], outcomes: Sequence[Exception | None]) -> None:
        """Write down what was sent."""
        assert len(ids) == len(outcomes)
        self.outcomes.update(zip(ids, outcomes, strict=True))

    def arrived(self, contents: Sequence[Any], times: int = 1) -> None:
        """Write down what came."""
        with self._lock:
            for content in contents:
                self.arrivals[tuple(content["id"])] += times

    @property
    def sent(self) -> set[Id]:
        """What the layer said it had sent."""
        return {number for number, outcome in self.outcomes.items() if outcome is None}


def batch(ids: Sequence[Id]) -> list[Outgoing]:
    """Return a message for each of ``ids``."""
    return [Outgoing("c", {"id": list(number)}) for number in ids]


def send_and_receive(layer: RedisChannelLayer, diary: Diary, me: int, until: float) -> None:
    """Do what a worker does: post, receive, hand back or finish."""
    chance, number = random.Random(me), 0
    while time.monotonic() < until:
        ids = [(me, number := number + 1) for _ in range(chance.randint(1, 5))]
        try:
            layer.post_batch(batch(ids), lambda outcomes, ids=ids: diary.settle(ids, outcomes))
            if chance.random() < 0.3:
                layer.push_soon()
                time.sleep(chance.random() * 0.008)
            taken = layer.receive_batch(["c", "other"], chance.randint(1, 8), chance.choice((0, 0.01, 0.05)))
            contents = [delivery.content for delivery in taken]
            diary.arrived(contents)
            if layer.may_repeat("c"):
                layer.finish_deliveries(contents, True)
            elif chance.random() < 0.1:
                diary.arrived(contents, -1)
                diary.arrived([delivery.content for delivery in layer.hand_back(taken)])
        except LayerUnavailable:
            continue
        except Exception as error:
            diary.errors.append(error)
    layer.push(wait=True)


def take_the_rest(layer: RedisChannelLayer, diary: Diary) -> None:
    """Receive until nothing comes any more."""

    def take() -> bool:
        try:
            taken = layer.receive_batch(["c"], 100, 2.5 if layer.may_repeat("c") else 0)
        except LayerUnavailable:  # A server that was lost rests for some moments.
            return False
        contents = [delivery.content for delivery in taken]
        diary.arrived(contents)
        layer.finish_deliveries(contents, True)
        return not taken

    wait_for(take, "nothing comes any more", 120)
    layer.close()


@pytest.fixture(params=["at most once", AT_LEAST_ONCE])
def layer(request: pytest.FixtureRequest, servers: list[RedisServer]) -> Iterator[RedisChannelLayer]:
    """A layer with either way to deliver, that redelivers quickly."""
    delivery = {"c": request.param} if request.param == AT_LEAST_ONCE else None
    hosts = [server.url for server in servers]
    layer = RedisChannelLayer(
        hosts=hosts, capacity=1_000_000, delivery=delivery, redelivery_after=2, max_deliveries=100
    )
    yield layer
    layer.close()


def test_cut_connections_mix_nothing_up(layer: RedisChannelLayer, servers: list[RedisServer]) -> None:
    """No error but that the layer was away; nothing twice at most once, nothing lost at least once."""
    diary, until = Diary(), time.monotonic() + SECONDS
    with Scissors(servers) as scissors:
        threads = [threading.Thread(target=send_and_receive, args=(layer, diary, me, until)) for me in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
    take_the_rest(layer, diary)
    assert diary.errors == []
    assert scissors.cuts
    if layer.may_repeat("c"):
        assert diary.sent - diary.arrivals.keys() == set()
    else:
        assert max(diary.arrivals.values()) == 1


async def receive_and_change_my_mind(layer: RedisChannelLayer, diary: Diary, me: int, until: float) -> None:
    """Receive for some moments, and give up, now and then twice."""
    chance = random.Random(me)
    while time.monotonic() < until:
        task = asyncio.ensure_future(layer.areceive_batch(["c"], chance.randint(1, 4), timeout=0.5))
        await asyncio.sleep(chance.random() * 0.004)
        task.cancel()
        for _ in range(chance.randint(0, 4)):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            task.cancel()
        with suppress(asyncio.CancelledError):
            diary.arrived([delivery.content for delivery in await task])


async def send_all_the_time(layer: RedisChannelLayer, diary: Diary, me: int, until: float) -> None:
    """Send some messages every few milliseconds."""
    chance, number = random.Random(me), 0
    while time.monotonic() < until:
        ids = [(me, number := number + 1) for _ in range(chance.randint(1, 3))]
        diary.settle(ids, await layer.asend_batch(batch(ids)))
        await asyncio.sleep(chance.random() * 0.005)


def test_cancelled_receives_lose_nothing(servers: list[RedisServer]) -> None:
    """Whenever they are cancelled; and nothing comes twice."""
    layer = RedisChannelLayer(hosts=[server.url for server in servers], capacity=1_000_000)
    diary, until = Diary(), time.monotonic() + SECONDS

    async def main() -> None:
        receivers = [receive_and_change_my_mind(layer, diary, me, until) for me in range(3)]
        await asyncio.gather(*receivers, *(send_all_the_time(layer, diary, me, until) for me in (3, 4)))
        await layer.aclose()

    asyncio.run(main())
    take_the_rest(layer, diary)
    assert diary.arrivals == Counter(dict.fromkeys(diary.sent, 1))
