"""What a layer alone can do: one message at a time, batches, and a group of a thousand."""

import time
from collections.abc import Callable
from typing import Any

from benchmarks.services import Services

BATCH = 32
MEMBERS = 1_000

CONTENT = {
    "reply_channel": "websocket.send.abcdefghijkl!mnopqrstuvwx",
    "path": "/echo/",
    "order": 17,
    "text": "x" * 32,
}


def per_second(action: Callable[[], int], seconds: float) -> float:
    """Return how much ``action`` gets done in a second; it returns how much it did in one call."""
    action()
    done, began = 0, time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        done += action()
    return done / took


def measure(layer: Any, seconds: float) -> dict[str, float]:
    """Return messages per second of each way to use ``layer``."""
    from channels.layers.base import Outgoing

    def one() -> int:
        layer.send("bench.one", CONTENT)
        channel, _ = layer.receive(["bench.one"], block=True)
        assert channel == "bench.one"
        return 1

    def batch() -> int:
        assert not any(layer.send_batch([Outgoing("bench.batch", CONTENT) for _ in range(BATCH)]))
        left = BATCH
        while left:
            left -= len(layer.receive_batch(["bench.batch"], BATCH, 5))
        return BATCH

    def group() -> int:
        layer.send_group("bench", {"text": "x" * 32})
        left = MEMBERS
        while left:
            left -= sum(len(delivery.channels) for delivery in layer.receive_batch(["bench.process!"], BATCH, 5))
        return MEMBERS

    for number in range(MEMBERS):
        layer.group_add("bench", f"bench.process!{number}")
    return {
        "send and receive, one at a time": per_second(one, seconds),
        f"send and receive, {BATCH} at a time": per_second(batch, seconds),
        f"group send to {MEMBERS:,} and receive": per_second(group, seconds),
    }


def run(seconds: float) -> dict[str, dict[str, float]]:
    """Measure every layer of the package."""
    from channels.layers.inmemory import ChannelLayer
    from channels.layers.redis import RedisChannelLayer

    with Services() as services:
        redis = RedisChannelLayer(hosts=[services.redis_url], capacity=50_000)
        try:
            return {
                "in memory": measure(ChannelLayer(capacity=50_000), seconds),
                "Redis": measure(redis, seconds),
            }
        finally:
            redis.close()
