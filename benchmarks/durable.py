"""What delivery at least once costs: the same messages through the same worker, beside delivery at most once."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.dispatch import configure
from benchmarks.layers import BATCH, CONTENT
from benchmarks.services import Services

CHANNEL = "bench.orders"
MESSAGES = 4_000

MOST = "at most once"
LEAST = "at least once"


class Route:
    """A worker and the layer that feeds it.

    Args:
        url: Of the Redis server.
        way: How messages are delivered.
    """

    def __init__(self, url: str, way: str) -> None:
        from channels.layers.redis import RedisChannelLayer
        from channels.registry import ChannelLayerWrapper
        from channels.routing import route
        from channels.worker import Worker

        config: dict[str, Any] = {"hosts": [url], "prefix": f"{way[3:5]}:", "capacity": 10 * MESSAGES}
        if way == LEAST:
            config["delivery"] = {CHANNEL: "at-least-once"}
        self.layer = RedisChannelLayer(**config)
        self.worker = Worker(
            ChannelLayerWrapper(self.layer, "default", [route(CHANNEL, self.consume)]), signal_handlers=False
        )
        self.left = 0
        self.done = threading.Event()

    def consume(self, message: Any) -> None:
        """Count a message; the last one stops the worker."""
        self.left -= 1
        if not self.left:
            self.worker.termed = True
        self.done.set()

    def run(self, count: int) -> None:
        """Work until ``count`` messages were consumed."""
        self.left, self.worker.termed = count, False
        self.worker.run()
        self.layer.push(wait=True)

    def burst(self) -> float:
        """Return the seconds that a message takes when many wait: sent in batches, taken in batches."""
        from channels.layers.base import Outgoing

        began = time.perf_counter()
        for _ in range(MESSAGES // BATCH):
            assert not any(self.layer.send_batch([Outgoing(CHANNEL, dict(CONTENT)) for _ in range(BATCH)]))
        self.run(MESSAGES // BATCH * BATCH)
        return (time.perf_counter() - began) / (MESSAGES // BATCH * BATCH)

    def single(self) -> float:
        """Return the seconds from a send until the consumer has run, one message at a time, for a worker that waits."""
        count = MESSAGES // 10
        with ThreadPoolExecutor(1) as threads:
            working = threads.submit(self.run, count)
            began = time.perf_counter()
            for _ in range(count):
                self.done.clear()
                self.layer.send(CHANNEL, CONTENT)
                self.done.wait()
            seconds = time.perf_counter() - began
            working.result()
        return seconds / count


def run(rounds: int) -> dict[str, dict[str, float]]:
    """Return microseconds per message of both ways, and how often the one costs the other."""
    configure()
    with Services() as services:
        routes = {way: Route(services.redis_url, way) for way in (MOST, LEAST)}
        report = {}
        for name, measure in (("in batches", Route.burst), ("one at a time", Route.single)):
            times: dict[str, list[float]] = {way: [] for way in routes}
            for number in range(rounds + 1):
                for way, one in routes.items():
                    seconds = measure(one)
                    if number:  # The first round warms up.
                        times[way].append(seconds)
            report[name] = {way: statistics.median(found) * 1e6 for way, found in times.items()}
            report[name]["ratio"] = report[name][LEAST] / report[name][MOST]
        for one in routes.values():
            one.layer.close()
        return report
