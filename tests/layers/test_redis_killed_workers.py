"""Delivery at least once while workers are killed with SIGKILL again and again: nothing is lost, little comes twice.

``DURABLE_MESSAGES`` says how many messages, 20,000 unless told otherwise; then eight workers are killed, four a second.
The long form, one a second, with its figures printed:
``DURABLE_MESSAGES=100000 pytest -s tests/layers/test_redis_killed_workers.py``.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels import conf
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer
from tests.support.diary import read_diaries
from tests.support.diary_worker import CHANNEL
from tests.support.processes import ROOT, wait_for
from tests.support.redis import RedisServer

MESSAGES = int(os.environ.get("DURABLE_MESSAGES", "20000"))
WORKERS = 8
IS_LONG = MESSAGES >= 100_000
KILL_SECONDS = 1.0 if IS_LONG else 0.25
MOST_KILLS = 1_000 if IS_LONG else 8

LEAST_RUNS = 100
"""What a worker has run at least when it is killed, so that it has messages in hand."""

pytestmark = pytest.mark.slow


class Herd:
    """Workers, of which one is killed and replaced now and then.

    Args:
        config: That of their layer.
        diaries: Directory for what they note.

    Attributes:
        killed: Process ids of those that were killed at work.
    """

    def __init__(self, config: dict[str, Any], diaries: Path) -> None:
        self._command = [sys.executable, "-m", "tests.support.diary_worker", "work", "RedisChannelLayer"]
        self._command += [json.dumps(config), str(diaries)]
        self.diaries = diaries
        self._workers: deque[subprocess.Popen[bytes]] = deque()
        self.killed: set[int] = set()
        for _ in range(WORKERS):
            self._start()

    def _start(self) -> None:
        self._workers.append(subprocess.Popen(self._command, cwd=ROOT))

    def _is_busy(self, worker: "subprocess.Popen[bytes]") -> bool:
        diary = self.diaries / str(worker.pid)
        return diary.exists() and diary.read_bytes().count(b"\n") >= LEAST_RUNS

    def kill_one(self) -> bool:
        """Kill a worker that has worked already and start another in its place; return whether there was one."""
        worker = next((worker for worker in self._workers if self._is_busy(worker)), None)
        if worker is None:
            return False
        worker.kill()
        worker.wait()
        self.killed.add(worker.pid)
        self._workers.remove(worker)
        self._start()
        return True

    def stop(self) -> None:
        """End all workers in order."""
        for worker in self._workers:
            worker.terminate()
        for worker in self._workers:
            worker.wait(60)


@pytest.fixture(scope="module")
def layer(newest_redis: RedisServer) -> Iterator[RedisChannelLayer]:
    """A layer on an empty server with room for all messages."""
    newest_redis.flush()
    made = RedisChannelLayer(hosts=[newest_redis.url], delivery={CHANNEL: "at-least-once"}, capacity=MESSAGES)
    yield made
    made.close()


@pytest.fixture(scope="module")
def herd(layer: RedisChannelLayer, newest_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Herd:
    """Workers that have run all messages, while one of them was killed now and then."""
    assert not any(layer.send_batch([Outgoing(CHANNEL, {"n": number}) for number in range(MESSAGES)]))
    config = {"hosts": [newest_redis.url], "delivery": {CHANNEL: "at-least-once"}}
    began = next_kill = time.monotonic()
    herd = Herd({**config, "redelivery_after": 5, "max_deliveries": 50}, tmp_path_factory.mktemp("diaries"))

    def is_done() -> bool:
        nonlocal next_kill
        if len(herd.killed) < MOST_KILLS and time.monotonic() >= next_kill and herd.kill_one():
            next_kill = time.monotonic() + KILL_SECONDS
        return not layer.channel_statistics(CHANNEL)["messages_pending"]

    try:
        wait_for(is_done, "all messages are finished", 60 + MESSAGES / 100)
    finally:
        herd.stop()
    runs = read_diaries(herd.diaries)
    done = len({run.number for run in runs})
    print(
        f"\n{MESSAGES} messages, {WORKERS} workers, {len(herd.killed)} killed, {time.monotonic() - began:.0f} s: "
        f"{MESSAGES - done} lost, {len(runs) - done} run again"
    )
    return herd


def test_killed_workers_lose_nothing(herd: Herd, layer: RedisChannelLayer) -> None:
    """Each message was run, and none became a dead letter."""
    assert len(herd.killed) >= 2
    assert {run.number for run in read_diaries(herd.diaries)} == set(range(MESSAGES))
    assert layer.dead_letters(CHANNEL) == []


def test_only_what_killed_workers_had_in_hand_is_run_again(herd: Herd) -> None:
    """Every run of a message but its last was by a worker that was killed, and among its last messages."""
    runs = read_diaries(herd.diaries)
    last = {run.number: run for run in runs}
    again = [run for run in runs if run != last[run.number]]
    assert {run.pid for run in again} <= herd.killed
    left: Counter[int] = Counter(run.pid for run in runs)
    for run in runs:
        # In the order of time: what a worker still ran after this one.
        left[run.pid] -= 1
        if run != last[run.number]:
            assert left[run.pid] < conf.get("CHANNELS_BATCH_LIMIT")
