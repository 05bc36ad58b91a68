"""Traffic between processes over Sentinels while the master is killed with SIGKILL: it goes on, and losses are counted.

``FAILOVER_RATE`` says how many messages a second are sent, 500 unless told otherwise. The full form, with its figures
printed: ``FAILOVER_RATE=2000 pytest -s tests/layers/test_redis_failover.py``.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.diary import Entry, read_diaries
from tests.support.processes import Processes, wait_for
from tests.support.redis import find_newest
from tests.support.sentinel import SERVICE, Cluster

RATE = int(os.environ.get("FAILOVER_RATE", "500"))

WORKERS = 2

GRACE_SECONDS = 10.0
"""How long after the Sentinel's own failover messages flow again at the latest."""

pytestmark = pytest.mark.slow


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A master with a replica, whose master the test may kill."""
    made = Cluster(find_newest())
    try:
        yield made.start()
    finally:
        made.stop()


class Traffic:
    """A sender and workers, each a process of its own, which keep diaries."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.sent, self.ran = directory / "sent", directory / "ran"
        config = {"hosts": [cluster.address], "services": [SERVICE], "capacity": 100_000}
        layer = ("RedisSentinelChannelLayer", json.dumps(config))
        self.processes = Processes(directory, {})
        for diaries in (self.sent, self.ran):
            diaries.mkdir()
        for _ in range(WORKERS):
            self.processes.start(["-m", "tests.support.diary_worker", "work", *layer, str(self.ran)])
        self.processes.start(["-m", "tests.support.diary_worker", "send", *layer, str(self.sent), str(RATE)])

    def wait_until_steady(self) -> None:
        """Return when messages have arrived for a while."""
        wait_for(lambda: self.ran_since(0) >= RATE, "a second's messages have arrived", 60)

    def ran_since(self, moment: int) -> int:
        """Return how many messages were run that were sent since ``moment``."""
        fresh = {entry.number for entry in read_diaries(self.sent) if entry.at >= moment}
        return sum(entry.number in fresh for entry in read_diaries(self.ran))

    def stop(self) -> None:
        """Stop the sender, let the workers do what is left, and stop them."""
        assert [process.poll() for process in self.processes.running] == [None] * (WORKERS + 1), self.processes.log()
        *_, sender = self.processes.running
        sender.kill()
        sender.wait()
        last = read_diaries(self.sent)[-1].number
        wait_for(lambda: any(entry.number == last for entry in read_diaries(self.ran)), "the last message has run")
        self.processes.stop()


def first_after(entries: list[Entry], moment: int) -> int:
    """Return when the first entry after ``moment`` was written."""
    return min(entry.at for entry in entries if entry.at > moment)


def test_traffic_survives_the_masters_death(cluster: Cluster, tmp_path: Path) -> None:
    """It goes on in time, in the same processes; nothing comes twice, and little is lost."""
    traffic = Traffic(cluster, tmp_path)
    try:
        traffic.wait_until_steady()
        killed = time.monotonic_ns()
        cluster.master.stop()
        cluster.wait_for_failover()
        failed_over = time.monotonic_ns()
        wait_for(lambda: traffic.ran_since(failed_over) >= RATE, "messages arrive again")
        traffic.stop()
    finally:
        traffic.processes.stop()
    sent, ran = read_diaries(traffic.sent), read_diaries(traffic.ran)
    # A message counts as traffic if it was both sent and run after the failover.
    fresh = {entry.number for entry in sent if entry.at > failed_over}
    back = first_after([entry for entry in ran if entry.number in fresh], failed_over)
    attempted = sent[-1].number + 1
    lost = {entry.number for entry in sent} - {entry.number for entry in ran}
    print(
        f"\n{RATE} messages/s: failover took {(failed_over - killed) / 1e9:.2f} s, messages flowed "
        f"{(back - failed_over) / 1e9:.2f} s after it; of {attempted} sent {attempted - len(sent)} were refused with "
        f"an error and {len(lost)} lost"
    )
    assert (back - failed_over) / 1e9 < GRACE_SECONDS
    assert len(ran) == len({entry.number for entry in ran})
    # What the sender was told nothing about was on its way when the master died, or had not reached the replica.
    assert len(lost) <= RATE
