"""Echo, views and broadcasts through server, layer and worker, beside the same server alone."""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.services import ROOT, Process, Services

BARE = "bare server"
DJANGO = "Django's ASGI handler"
SINGLE = "channels, one process"
OURS = "channels, Redis"

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Scenario:
    """One measurement: what the load generator is asked for, and on which of the servers."""

    name: str
    unit: str
    arguments: tuple[str, ...]
    targets: tuple[str, ...] = (BARE, SINGLE, OURS)


SCENARIOS = (
    Scenario("WebSocket echo, 1 connection", "frames/s", ("echo", "--connections", "1")),
    Scenario("WebSocket echo, 100 connections", "frames/s", ("echo", "--connections", "100")),
    Scenario("HTTP view, 1 connection", "requests/s", ("http", "--connections", "1"), (BARE, DJANGO, SINGLE, OURS)),
    Scenario("HTTP view, 32 connections", "requests/s", ("http", "--connections", "32"), (BARE, DJANGO, SINGLE, OURS)),
    Scenario("Broadcast to 1,000 sockets", "deliveries/s", ("broadcast", "--connections", "1000")),
)


def load(port: int, arguments: Sequence[str]) -> dict[str, float]:
    """Run the load generator once and return its figures.

    Raises:
        SystemExit: It failed.
    """
    command = [sys.executable, "-m", "benchmarks.load", *arguments, "--port", str(port)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(arguments)}: {done.stderr.strip()}")
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def cpu_seconds(process: Process) -> float:
    """Return the processor time that ``process`` has used so far."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def medians(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}


def measure(
    scenario: Scenario, ports: dict[str, int], services: Services, rounds: int, seconds: float
) -> dict[str, Any]:
    """Measure each target in turn, ``rounds`` times over, so that a busy moment hits all of them."""
    results: dict[str, list[dict[str, float]]] = {target: [] for target in scenario.targets}
    used = dict.fromkeys((process.name for process in services.processes), 0.0)
    for _ in range(rounds):
        for target in scenario.targets:
            before = {process.name: cpu_seconds(process) for process in services.processes}
            results[target].append(load(ports[target], (*scenario.arguments, "--seconds", str(seconds))))
            if target == OURS:
                for process in services.processes:
                    used[process.name] += cpu_seconds(process) - before[process.name]
    figures = {target: medians(found) for target, found in results.items()}
    return {
        "name": scenario.name,
        "unit": scenario.unit,
        "targets": figures,
        "ratio": figures[BARE]["rate"] / figures[OURS]["rate"],
        "cpu_seconds": {name: round(value, 2) for name, value in used.items() if value >= 0.05},
    }


def run(rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Start everything, measure all scenarios, stop everything."""
    with Services() as services:
        ports = {
            BARE: services.serve("bare", "benchmarks.site.bare:application"),
            DJANGO: services.serve("django", "benchmarks.site.asgi:django_application"),
            SINGLE: services.serve("single", "benchmarks.site.single:application"),
            OURS: services.serve("interface", "benchmarks.site.asgi:application"),
        }
        services.work()
        load(ports[OURS], ("echo", "--seconds", "0.2"))  # the worker is up when this comes back
        return [measure(scenario, ports, services, rounds, seconds) for scenario in SCENARIOS]


def run_ordering(rounds: int, sockets: int = 200, frames: int = 50, workers: int = 4) -> dict[str, Any]:
    """Measure what strict order costs: the same frames through consumers with and without it."""
    paths = {"unordered": "/echo/", "strict": "/ordered/"}
    results: dict[str, list[dict[str, float]]] = {name: [] for name in paths}
    with Services() as services:
        port = services.serve("interface", "benchmarks.site.asgi:application")
        services.work(workers)
        load(port, ("echo", "--seconds", "1"))
        for _ in range(rounds):
            for name, path in paths.items():
                arguments = ("pipeline", "--path", path, "--connections", str(sockets), "--frames", str(frames))
                results[name].append(load(port, arguments))
    figures = {name: medians(found) for name, found in results.items()}
    if figures["strict"]["out_of_order"]:
        raise SystemExit("Strict ordering let frames through out of order.")
    return {
        "name": f"Strict order, {sockets} sockets x {frames} frames, {workers} workers",
        "unit": "frames/s",
        "targets": figures,
        "ratio": figures["strict"]["seconds"] / figures["unordered"]["seconds"],
    }
