"""The load generator: ``python -m benchmarks.load KIND --port P ...`` measures one thing and prints it as JSON.

It runs in a process of its own, so that what it costs is not counted as the server's event loop.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

from benchmarks.protocol import HttpClient, WebsocketClient

WARM_UP = 0.2
"""Seconds of load before measuring."""

OPENING = 32
"""Handshakes under way at once: a stampede would measure queues, not the server."""

PATIENCE = 60.0
"""Seconds after which a measurement that does not end has lost something."""


def summary(latencies: list[float], seconds: float) -> dict[str, float]:
    """Return rate per second and latencies in milliseconds."""
    if not latencies:
        raise SystemExit("no answer within the time of the measurement")
    latencies.sort()
    return {
        "rate": len(latencies) / seconds,
        "p50_ms": latencies[len(latencies) // 2] * 1e3,
        "p99_ms": latencies[min(len(latencies) - 1, int(len(latencies) * 0.99))] * 1e3,
    }


async def open_sockets(
    port: int, path: str, count: int, on_text: Callable[[WebsocketClient, bytes], None]
) -> list[WebsocketClient]:
    """Return ``count`` sockets whose handshakes are accepted."""
    loop = asyncio.get_running_loop()
    gate = asyncio.Semaphore(OPENING)

    async def open_one() -> WebsocketClient:
        async with gate:
            _, client = await loop.create_connection(lambda: WebsocketClient(path, on_text), "127.0.0.1", port)
            await asyncio.wait_for(client.opened, PATIENCE)
            return client

    return await asyncio.gather(*(open_one() for _ in range(count)))


async def close_sockets(clients: list[WebsocketClient]) -> None:
    """Close the sockets and wait until the server has done so too."""
    for client in clients:
        client.close()
    await asyncio.wait([client.closed for client in clients], timeout=PATIENCE)


async def measure_echo(options: argparse.Namespace) -> dict[str, float]:
    """Each socket sends a frame when the one before it has come back."""
    latencies: list[float] = []
    sent_at: dict[WebsocketClient, float] = {}
    now = time.perf_counter
    measuring = running = False

    def on_text(client: WebsocketClient, payload: bytes) -> None:
        at = now()
        if measuring:
            latencies.append(at - sent_at[client])
        if running:
            sent_at[client] = at
            client.send(payload)

    clients = await open_sockets(options.port, options.path, options.connections, on_text)
    running = True
    for client in clients:
        sent_at[client] = now()
        client.send(b"x" * 32)
    await asyncio.sleep(WARM_UP)
    measuring, began = True, now()
    await asyncio.sleep(options.seconds)
    measuring, took = False, now() - began
    running = False
    await close_sockets(clients)
    return summary(latencies, took)


async def measure_http(options: argparse.Namespace) -> dict[str, float]:
    """Each connection asks again when it has its answer."""
    latencies: list[float] = []
    asked_at: dict[HttpClient, float] = {}
    now = time.perf_counter
    measuring = running = False
    failures: list[bytes] = []

    def on_answer(client: HttpClient, status: bytes) -> None:
        at = now()
        if not status.startswith(b"HTTP/1.1 200"):
            failures.append(status)
        if measuring:
            latencies.append(at - asked_at[client])
        if running:
            asked_at[client] = at
            client.ask()

    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: HttpClient("/page/", on_answer), "127.0.0.1", options.port))[1]
        for _ in range(options.connections)
    ]
    running = True
    for client in clients:
        asked_at[client] = now()
        client.ask()
    await asyncio.sleep(WARM_UP)
    measuring, began = True, now()
    await asyncio.sleep(options.seconds)
    measuring, took = False, now() - began
    running = False
    await asyncio.sleep(0.05)
    for client in clients:
        client.transport.close()
    if failures:
        raise SystemExit(f"{len(failures)} answers were not 200, the first is {failures[0]!r}")
    return summary(latencies, took)


async def measure_broadcast(options: argparse.Namespace) -> dict[str, float]:
    """One socket sends; the time is until the last of all has it."""
    everybody = asyncio.Event()
    waiting = 0

    def on_text(client: WebsocketClient, payload: bytes) -> None:
        nonlocal waiting
        waiting -= 1
        if not waiting:
            everybody.set()

    began = time.perf_counter()
    clients = await open_sockets(options.port, "/broadcast/", options.connections, on_text)
    opening = time.perf_counter() - began
    times = []
    for number in range(options.broadcasts + 2):
        everybody.clear()
        waiting = len(clients)
        began = time.perf_counter()
        clients[number].send(b"y" * 32)
        await asyncio.wait_for(everybody.wait(), PATIENCE)
        times.append(time.perf_counter() - began)
    await close_sockets(clients)
    median = statistics.median(times[2:])
    return {"rate": len(clients) / median, "p50_ms": median * 1e3, "p99_ms": max(times[2:]) * 1e3} | {
        "opened_per_s": len(clients) / opening
    }


async def measure_pipeline(options: argparse.Namespace) -> dict[str, float]:
    """Each socket sends all its frames at once; the time is until the last answer. Counts what is out of order."""
    done = asyncio.Event()
    answers: dict[WebsocketClient, list[int]] = {}
    waiting = options.connections * options.frames

    def on_text(client: WebsocketClient, payload: bytes) -> None:
        nonlocal waiting
        answers[client].append(int(payload))
        waiting -= 1
        if not waiting:
            done.set()

    clients = await open_sockets(options.port, options.path, options.connections, on_text)
    answers.update({client: [] for client in clients})
    began = time.perf_counter()
    for number in range(options.frames):
        for client in clients:
            client.send(str(number).encode())
        await asyncio.sleep(0)
    try:
        await asyncio.wait_for(done.wait(), PATIENCE)
    except asyncio.TimeoutError:
        raise SystemExit(f"{waiting} of {options.connections * options.frames} frames never came back") from None
    took = time.perf_counter() - began
    await close_sockets(clients)
    swapped = sum(one > other for got in answers.values() for one, other in itertools.pairwise(got))
    return {"rate": options.connections * options.frames / took, "seconds": took, "out_of_order": swapped}


KINDS: dict[str, Callable[[argparse.Namespace], Coroutine[Any, Any, dict[str, float]]]] = {
    "echo": measure_echo,
    "http": measure_http,
    "broadcast": measure_broadcast,
    "pipeline": measure_pipeline,
}


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--broadcasts", type=int, default=10)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--path", default="/echo/")
    options = parser.parse_args()
    try:
        import uvloop
    except ImportError:
        run = asyncio.run
    else:
        run = uvloop.run
    json.dump(run(KINDS[options.kind](options)), sys.stdout)


if __name__ == "__main__":
    main()
