"""Mixed traffic for an hour: memory, file descriptors and keys must stay what they are.

``python -m tests.faults.soak``, in short ``tox -e soak``.
``SOAK_SECONDS`` says how long, ``SOAK_JSON`` where to write the figures. Ends with 1 if something grew or was lost.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import asdict
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from benchmarks.idle import resident_bytes, slope
from tests.faults.backends import Servers
from tests.faults.crowd import Crowd
from tests.faults.promises import Mode, Promise
from tests.faults.stage import CLIENTS, Member, Stage

SECONDS = float(os.environ.get("SOAK_SECONDS", "3600"))

ROUND_SECONDS = 30.0
"""How long one crowd works before its messages are counted and all clients come back as others."""

STAY_SECONDS = 10.0
"""How long one socket stays, on average."""

SETTLE_SECONDS = 3.0
"""How long after traffic keys are counted."""

FORGET_SECONDS = 120.0
"""Within which the keys of sockets that ended must be gone: the layer remembers for a minute that they were ordered."""

MOST_GROWTH = 2 * 1024 * 1024
"""Bytes by which a process may grow over the measured time; an interface beyond what the bare server grows by."""

WARM_UP = 0.25
"""Which part of the time does not count: caches fill, and allocators find their size."""

MOST_KEPT = 2
"""Files that a worker may keep open beyond the beginning, and Redis for each of them: connections of threads that begin
when they are first needed, as that which hands back what waits behind a slow consumer."""

BARE = "bare server"
"""The server without this package, with as many clients as an interface: what it grows by is not ours."""

REDIS = "Redis"


class Sample(NamedTuple):
    """What a process had at a time: seconds since the beginning, bytes and file descriptors."""

    at: float
    memory: int
    descriptors: int


class Recorder:
    """Takes samples of all processes of a stage and of one beside it, once a second, in a thread of its own."""

    def __init__(self, stage: Stage, bare: Member) -> None:
        redis: Any = stage.backend.server
        members: list[Member] = stage.members
        names = [f"interface {n + 1}" for n in range(len(stage.interfaces))]
        names += [f"worker {n + 1}" for n in range(len(stage.workers))]
        self._pids = {BARE: bare.pid, REDIS: redis.pid} | {
            name: each.pid for name, each in zip(names, members, strict=True)
        }
        self.samples: dict[str, list[Sample]] = {name: [] for name in self._pids}
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._began = time.monotonic()
        self._take()  # Before there is traffic again.
        self._thread.start()

    def _run(self) -> None:
        while not self._is_over.wait(1):
            self._take()

    def _take(self) -> None:
        for name, pid in self._pids.items():
            at = time.monotonic() - self._began
            self.samples[name].append(Sample(at, resident_bytes(pid), len(os.listdir(f"/proc/{pid}/fd"))))

    def stop(self) -> None:
        """Take the last, when the traffic has ended."""
        self._is_over.set()
        self._thread.join()
        self._take()


@contextmanager
def requests(stage: Stage) -> Any:
    """Let a client ask for pages, some on connections that it keeps; yield the count of each status."""
    statuses: Counter[int] = Counter()
    is_over = threading.Event()

    def ask() -> None:
        kept = httpx.Client()
        for number in count():
            if is_over.wait(0.1):
                kept.close()
                return
            url = f"http://127.0.0.1:{stage.ports[number % len(stage.ports)]}/page/"
            response = kept.get(url) if number % 3 else httpx.get(url)
            statuses[response.status_code] += 1

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield statuses
    finally:
        is_over.set()
        thread.join()


def one_round(stage: Stage, bare: Member, seconds: float) -> dict[str, int]:
    """Run a crowd for ``seconds``; return what became of its messages."""
    crowd: Crowd = stage.crowd(stay=STAY_SECONDS)
    others = Crowd([bare.port or 0], CLIENTS // len(stage.interfaces), stay=STAY_SECONDS)
    try:
        time.sleep(seconds)
        stage.settle(crowd)
    finally:
        others.end()
        crowd.end()
    stage.check_alive()
    verdict = stage.judge(crowd)
    stage.forget()
    broken = Promise().broken(Mode.MOST, verdict, 0)
    if broken:
        raise SystemExit(f"{'; '.join(broken)}: {verdict}")
    return {**asdict(verdict), "sockets": len(crowd.sockets)}


def keys(stage: Stage, most: int | None = None) -> int:
    """Return how many keys there are when the traffic has ended, and those of ended sockets, if more than ``most``."""
    deadline = time.monotonic() + (0 if most is None else FORGET_SECONDS)
    time.sleep(SETTLE_SECONDS)
    with stage.backend.server.client() as client:
        while (count := int(client.dbsize())) > (most or 0) and time.monotonic() < deadline:
            time.sleep(1)
    return count


def figures(samples: list[Sample]) -> dict[str, float]:
    """Return what the samples of one process say."""
    counted = samples[int(len(samples) * WARM_UP) :]
    per_second = slope([(sample.at, float(sample.memory)) for sample in counted])
    seconds = counted[-1].at - counted[0].at
    return {
        "memory_mb": [round(sample.memory / 1024**2, 1) for sample in _quarters(samples)],
        "slope_kb_per_minute": per_second * 60 / 1024,
        "growth_kb": per_second * seconds / 1024,
        "descriptors_first": samples[0].descriptors,
        "descriptors_most": max(sample.descriptors for sample in counted),
        "descriptors_last": samples[-1].descriptors,
    }


def _quarters(samples: list[Sample]) -> list[Sample]:
    """Return the first, the last, and three between them at the same distance."""
    return [samples[number * (len(samples) - 1) // 4] for number in range(5)]


def soak(directory: Path) -> dict[str, Any]:
    """Run everything and return the figures."""
    stage = Stage(directory, Servers(), {})
    bare = stage.serve("benchmarks.site.bare:application")
    totals: Counter[str] = Counter()
    try:
        one_round(stage, bare, 5)
        keys_before = keys(stage)
        recorder = Recorder(stage, bare)
        end = time.monotonic() + SECONDS
        with requests(stage) as statuses:
            while (left := end - time.monotonic()) > 0:
                totals.update(one_round(stage, bare, min(ROUND_SECONDS, left)))
        keys_after = keys(stage, keys_before)
        recorder.stop()
    finally:
        bare.close()
        stage.close()
    return {
        "seconds": SECONDS,
        "clients": CLIENTS,
        "messages": dict(totals),
        "requests": {str(status): number for status, number in statuses.items()},
        "keys_before": keys_before,
        "keys_after": keys_after,
        "processes": {name: figures(samples) for name, samples in recorder.samples.items()},
    }


def _workers_behind(name: str, names: Iterable[str]) -> int:
    """Return to how many workers files of the process ``name`` belong."""
    workers = [each for each in names if each.startswith("worker")]
    return len(workers) if name == REDIS else int(name in workers)


def complaints(found: dict[str, Any]) -> list[str]:
    """Return what grew."""
    texts = []
    of_the_server = max(0.0, found["processes"][BARE]["growth_kb"])
    for name, process in found["processes"].items():
        growth = process["growth_kb"] - (of_the_server if name.startswith(("interface", BARE)) else 0)
        if growth * 1024 > MOST_GROWTH:
            texts.append(f"{name} grew by {growth:,.0f} kB")
        kept = MOST_KEPT * _workers_behind(name, found["processes"])
        if process["descriptors_last"] > process["descriptors_first"] + kept:
            texts.append(f"{name} has {process['descriptors_last']} files open, {process['descriptors_first']} before")
    if found["keys_after"] > found["keys_before"]:
        texts.append(f"Redis has {found['keys_after']} keys, {found['keys_before']} before")
    if set(found["requests"]) != {"200"}:
        texts.append(f"requests were answered {found['requests']}")
    return texts


def main() -> None:
    """Print the figures, and what is wrong with them."""
    with tempfile.TemporaryDirectory(prefix="soak-") as directory:
        found = soak(Path(directory))
    print(f"{found['seconds']:,.0f} s, {found['clients']} clients; messages: {found['messages']}")
    print(f"requests: {found['requests']}; keys: {found['keys_before']} before, {found['keys_after']} after")
    for name, process in found["processes"].items():
        files = [process[f"descriptors_{when}"] for when in ("first", "most", "last")]
        print(
            f"{name:<12} {process['memory_mb']} MB in quarters, {process['slope_kb_per_minute']:+.1f} kB a minute, "
            f"{process['growth_kb']:+,.0f} kB in all; files {files[0]} at first, {files[1]} at most, {files[2]} at last"
        )
    if path := os.environ.get("SOAK_JSON"):
        Path(path).write_text(json.dumps(found, indent=1) + "\n")
    if texts := complaints(found):
        sys.exit("\n".join(texts))


if __name__ == "__main__":
    main()
