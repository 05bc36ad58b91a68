"""The package beside the stacks that people come from or would take instead: one table, one run.

The peers are installed from the package index at the first run; Channels 1.x needs a Python 3.6.
"""

import contextlib
import json
import multiprocessing
import platform
import re
import subprocess
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import durable, layers
from benchmarks.peers.environments import CLASSIC, HERE, MODERN
from benchmarks.services import Services, wait_for_port
from benchmarks.traffic import BARE, OURS, Scenario, load, medians
from tests.support.processes import free_port
from tests.support.redis import find_newest

CLASSIC_ONE = "Channels 1.1.8, one thread"
CLASSIC_FOUR = "Channels 1.1.8, four threads"
MODERN_CORE = "Channels 4"
MODERN_PUBSUB = "Channels 4, Pub/Sub layer"
MODERN_SYNC = "Channels 4, sync consumer"
DJANGO = "Channels 4, sync view"
CLASSICS = (CLASSIC_ONE, CLASSIC_FOUR)
CLASSIC_LAYER = "asgi_redis 1.4.3"
PATHS = {MODERN_SYNC: ("--path", "/sync-echo/")}

ONE = "Send and receive, one message at a time"
BATCH = f"Send and receive, batches of {layers.BATCH} (asgi_redis has none)"
GROUP = f"Group send to {layers.MEMBERS:,} members"

ECHO_ONE = Scenario(
    "WebSocket echo, 1 socket", "frames/s", ("echo",), (BARE, OURS, MODERN_CORE, MODERN_SYNC, *CLASSICS)
)
ECHO = Scenario(
    "WebSocket echo, 100 sockets", "frames/s", ("echo", "--connections", "100"),
    (BARE, OURS, MODERN_CORE, MODERN_SYNC, *CLASSICS),
)  # fmt: skip
BROADCAST = Scenario(
    "Broadcast to 1,000 sockets", "deliveries/s", ("broadcast", "--connections", "1000"),
    (BARE, OURS, MODERN_CORE, MODERN_PUBSUB, *CLASSICS),
)  # fmt: skip
HTTP = Scenario("HTTP view, 32 clients", "requests/s", ("http", "--connections", "32"), (BARE, OURS, DJANGO, *CLASSICS))
SCENARIOS = (ECHO_ONE, ECHO, BROADCAST, HTTP)


def start_classic(services: Services, threads: int) -> int:
    """Start daphne 1.x and a worker with so many threads; return the port."""
    commands = CLASSIC.environment()
    port = free_port()
    env = {"PYTHONPATH": str(HERE), "PYTHONWARNINGS": "ignore"}
    daphne = [str(commands / "daphne"), "-b", "127.0.0.1", "-p", str(port), "-v", "0", "classic.asgi:channel_layer"]
    process = services.start(f"daphne {threads}", daphne, HERE, **env)
    admin = [str(commands / "python"), "-m", "django", "runworker", "-v", "0", "--settings", "classic.settings"]
    services.start(f"classic worker {threads}", [*admin, "--threads", str(threads)], HERE, **env)
    wait_for_port(port, process)
    return port


def start_modern(services: Services, backend: str) -> int:
    """Start uvicorn with Channels 4 on a layer of channels_redis; return the port."""
    python = str(MODERN.environment() / "python")
    env = {"BENCH_BACKEND": f"channels_redis.{backend}", "PYTHONPATH": str(HERE)}
    return services.serve(backend, "modern.asgi:application", python, HERE, **env)


def start_ours(services: Services) -> int:
    """Start uvicorn with our interface, and a worker; return the port."""
    services.work()
    return services.serve("interface", "benchmarks.site.asgi:application")


STARTERS: dict[str, Callable[[Services], int]] = {
    BARE: lambda services: services.serve("bare", "benchmarks.site.bare:application"),
    OURS: start_ours,
    CLASSIC_ONE: lambda services: start_classic(services, 1),
    CLASSIC_FOUR: lambda services: start_classic(services, 4),
    MODERN_CORE: lambda services: start_modern(services, "core.RedisChannelLayer"),
    MODERN_SYNC: lambda services: start_modern(services, "core.RedisChannelLayer"),
    MODERN_PUBSUB: lambda services: start_modern(services, "pubsub.RedisPubSubChannelLayer"),
    DJANGO: lambda services: start_modern(services, "core.RedisChannelLayer"),
}


def run_traffic(rounds: int, seconds: float) -> dict[str, dict[str, dict[str, float]]]:
    """Measure each stack in turn, ``rounds`` times over, nothing else running; return the medians.

    A round in which something never came back counts as ``lost``; the medians are of the others.
    """
    found: dict[str, dict[str, list[dict[str, float]]]] = {
        scenario.name: {target: [] for target in scenario.targets} for scenario in SCENARIOS
    }
    for _ in range(rounds):
        for target, start in STARTERS.items():
            with Services() as services:
                port = start(services)
                load(port, ("echo", "--seconds", "0.2"))  # Everything is up when this comes back.
                for scenario in SCENARIOS:
                    if target in scenario.targets:
                        with contextlib.suppress(SystemExit):
                            arguments = (*scenario.arguments, *PATHS.get(target, ()), "--seconds", str(seconds))
                            found[scenario.name][target].append(load(port, arguments))
    return {
        name: {target: {**medians(some), "lost": rounds - len(some)} for target, some in targets.items() if some}
        for name, targets in found.items()
    }


def run_layers(rounds: int, seconds: float) -> dict[str, dict[str, float]]:
    """Measure our Redis layer and that of asgi_redis in turn; return the medians, per second."""
    from channels.layers.redis import RedisChannelLayer

    command = [str(CLASSIC.environment() / "python"), "-m", "classic.layers"]
    found: dict[str, list[dict[str, float]]] = {OURS: [], CLASSIC_LAYER: []}
    for _ in range(rounds):
        with Services() as services:
            done = subprocess.run(
                [*command, services.redis_url, str(seconds)],
                cwd=HERE,
                env={"PYTHONPATH": str(HERE)},
                capture_output=True,
                check=True,
            )
            theirs = json.loads(done.stdout)
            found[CLASSIC_LAYER].append({ONE: theirs["single"], BATCH: theirs["single"], GROUP: theirs["group"]})
            layer = RedisChannelLayer(hosts=[services.redis_url], capacity=50_000)
            try:
                one, batch, _ = layers.measure(layer, seconds).values()
                found[OURS].append({ONE: one, BATCH: batch, GROUP: group_sends(layer, seconds)})
            finally:
                layer.close()
    return {target: medians(figures) for target, figures in found.items()}


def group_sends(layer: Any, seconds: float) -> float:
    """Return sends per second to the group that ``layers.measure`` filled; only the sends are timed."""
    took, count = 0.0, 0
    while took < seconds:
        began = time.perf_counter()
        layer.send_group("bench", {"text": "x" * 32})
        took, count = took + time.perf_counter() - began, count + 1
        while layer.receive_batch(["bench.process!"], layers.BATCH):
            pass
    return count / took


def compare(work: str, unit: str, of: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """Return a row for each stack: its figures, and how many times faster ours is."""
    ours = of[OURS]["rate"]
    return [{"work": work, "unit": unit, "stack": name, **row, "times": ours / row["rate"]} for name, row in of.items()]


def redis_version() -> str:
    """Return the version of the Redis that is started."""
    said = subprocess.run([find_newest(), "--version"], capture_output=True, text=True, check=True).stdout
    return said.partition("v=")[2].split()[0]


def describe_machine() -> str:
    """Return what this was measured on, in a line."""
    model = re.search(r"^model name\s*: (.+)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return (
        f"{multiprocessing.cpu_count()} cores of {model[1] if model else platform.machine()}, shared by the load"
        f" generator, the server, the worker and Redis {redis_version()}; Python {platform.python_version()},"
        f" uvicorn {version('uvicorn')} with uvloop; Channels 1.1.8 on Python 3.6"
    )


def run(rounds: int, seconds: float) -> dict[str, Any]:
    """Return the rows of the table, and what they were measured on."""
    rows = []
    alone = run_layers(rounds, seconds)
    for work in (ONE, BATCH, GROUP):
        rows += compare(work, "per second", {name: {"rate": figures[work]} for name, figures in alone.items()})
    traffic = run_traffic(rounds, seconds)
    for scenario in SCENARIOS:
        rows += compare(scenario.name, scenario.unit, traffic[scenario.name])
    least = durable.run(rounds)
    return {"rows": rows, "durable": {name: figures["ratio"] for name, figures in least.items()}} | {
        "machine": describe_machine()
    }
