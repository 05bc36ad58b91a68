"""Memory of one interface process with thousands of idle sockets and some active ones, beside the bare server's."""

import argparse
import asyncio
import os
import time
from itertools import count
from pathlib import Path
from typing import Any

from benchmarks.load import close_sockets, open_sockets
from benchmarks.protocol import WebsocketClient
from benchmarks.services import Services

IDLE, ACTIVE = 5_000, 200

SIZES = {"empty": "without them", "full": "with them", "after": "after them"}

BARE = "benchmarks.site.bare:application"

PAUSE = 0.2
"""Seconds between an answer and the next frame of an active socket."""

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1024 * 1024


def resident_bytes(pid: int) -> int:
    """Return the memory that a process has."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE


def slope(samples: list[tuple[float, float]]) -> float:
    """Return by how much values grow in a unit of time: the slope of the straight line that fits best.

    Args:
        samples: Pairs of time and value.
    """
    mean_time = sum(at for at, _ in samples) / len(samples)
    mean_value = sum(value for _, value in samples) / len(samples)
    spread = sum((at - mean_time) ** 2 for at, _ in samples)
    return sum((at - mean_time) * (value - mean_value) for at, value in samples) / spread if spread else 0.0


async def _talk(clients: list[WebsocketClient], seconds: float, pid: int) -> list[tuple[float, float]]:
    """Let ``clients`` send a frame after each pause; return the process's memory second by second."""
    numbers = count()
    samples = []
    began = time.monotonic()
    while (elapsed := time.monotonic() - began) < seconds:
        if len(samples) <= elapsed:
            samples.append((elapsed, float(resident_bytes(pid))))
        for client in clients:
            client.send(b"%d" % next(numbers))
        await asyncio.sleep(PAUSE)
    return samples


async def measure(port: int, pid: int, seconds: float) -> dict[str, float]:
    """Return what the process ``pid`` that listens on ``port`` needs, in bytes."""

    answers = 0

    def take(client: WebsocketClient, payload: bytes) -> None:
        nonlocal answers
        answers += 1

    warm = await open_sockets(port, "/echo/", ACTIVE, take)
    await _talk(warm, 2, pid)
    await close_sockets(warm)
    await asyncio.sleep(1)
    empty = resident_bytes(pid)
    idle = await open_sockets(port, "/echo/", IDLE, take)
    await asyncio.sleep(1)
    full = resident_bytes(pid)
    active = await open_sockets(port, "/echo/", ACTIVE, take)
    answers = 0
    samples = await _talk(active, seconds, pid)
    await close_sockets([*idle, *active])
    await asyncio.sleep(1)
    return {
        "empty": empty,
        "full": full,
        "per_socket": (full - empty) / IDLE,
        "growth_per_minute": slope(samples[len(samples) // 4 :]) * 60,
        "after": resident_bytes(pid),
        "answers": answers,
    }


def run(seconds: float) -> dict[str, dict[str, float]]:
    """Measure the bare server and the interface, for ``seconds`` each."""
    found: dict[str, Any] = {}
    for name, application in {"bare server": BARE, "channels": "benchmarks.site.asgi:application"}.items():
        with Services() as services:
            port = services.serve(name, application)
            pid = services.processes[-1].pid
            if application != BARE:
                services.work()
            found[name] = asyncio.run(measure(port, pid, seconds))
    return found


def main() -> None:
    """Print what one process needs, and the bare server's beside it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="how long the active sockets talk (default: 60)")
    print(f"{IDLE:,} idle sockets, then {ACTIVE} that send a frame every {PAUSE * 1000:g} ms beside them")
    for name, figures in run(parser.parse_args().seconds).items():
        sizes = [f"{figures[key] / MIB:.1f} MB {when}" for key, when in SIZES.items()]
        print(
            f"  {name:<12}{figures['per_socket'] / 1024:>8.1f} kB for each idle socket: {', '.join(sizes)}; "
            f"growth {figures['growth_per_minute'] / 1024:+.0f} kB a minute; {figures['answers']:,.0f} answers"
        )


if __name__ == "__main__":
    main()
