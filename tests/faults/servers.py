"""Faults of the layer's servers: killed, emptied, stopped, with a wrong clock, out of memory, failed over, moved."""

import os
import signal
import time
from typing import Any

from tests.faults.crowd import Crowd
from tests.faults.stage import HOUR, Stage

DOWN = 1.0
"""Seconds that a server is away."""

BUSIEST = "websocket.receive"
"""The channel that most messages are on."""


def restart_with_data(stage: Stage, crowd: Crowd) -> None:
    """SIGKILL the server and start it again on what it wrote down."""
    stage.backend.server.stop()
    time.sleep(DOWN)
    stage.backend.server.start()


def end_and_restart(stage: Stage, crowd: Crowd) -> None:
    """SIGTERM the server and start it again."""
    server = stage.backend.server
    os.kill(server.pid, signal.SIGTERM)
    time.sleep(DOWN)
    server.stop()
    server.start()


def restart_empty(stage: Stage, crowd: Crowd) -> None:
    """SIGKILL the server and start it again with nothing."""
    stage.backend.server.stop()
    stage.backend.server.forget()
    time.sleep(DOWN)
    stage.backend.server.start()


def freeze(stage: Stage, crowd: Crowd) -> None:
    """SIGSTOP the server for a while."""
    os.kill(stage.backend.server.pid, signal.SIGSTOP)
    time.sleep(2 * DOWN)
    os.kill(stage.backend.server.pid, signal.SIGCONT)


def _set(stage: Stage, **settings: Any) -> None:
    with stage.backend.server.client() as client:
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)


def shift_clock(stage: Stage, crowd: Crowd) -> None:
    """Set the clock of the server an hour forward, then back; then the other way round."""
    for seconds in (HOUR, 0, -HOUR, 0):
        stage.backend.set_clock(seconds)
        time.sleep(DOWN)


def run_out_of_memory(stage: Stage, crowd: Crowd) -> None:
    """Let the server refuse every write, as ``noeviction`` does."""
    _set(stage, maxmemory_policy="noeviction", maxmemory=1)
    time.sleep(DOWN)
    _set(stage, maxmemory=0)


def evict(stage: Stage, crowd: Crowd) -> None:
    """Let the server throw keys away, whichever, to be able to write."""
    with stage.backend.server.client() as client:
        used = client.info("memory")["used_memory"]
    _set(stage, maxmemory_policy="allkeys-random", maxmemory=used)
    time.sleep(DOWN)
    _set(stage, maxmemory=0, maxmemory_policy="noeviction")


def lose_one_of_two(stage: Stage, crowd: Crowd) -> None:
    """SIGKILL one of two servers, and bring it back."""
    restart_with_data(stage, crowd)


def fail_over(stage: Stage, crowd: Crowd) -> None:
    """SIGKILL the master; the Sentinels name another."""
    stage.backend.cluster.fail_over()


def fail_over_without_a_sentinel(stage: Stage, crowd: Crowd) -> None:
    """SIGKILL the Sentinel that is asked first and the master; the other Sentinels name another."""
    stage.backend.cluster.kill_sentinel()
    stage.backend.cluster.fail_over()


def fail_over_in_cluster(stage: Stage, crowd: Crowd) -> None:
    """SIGKILL the master of the busiest channel; its replica takes over, and it comes back as a replica."""
    stage.backend.cluster.fail_over(BUSIEST)
    stage.wait_until_served(crowd, time.monotonic_ns())
    stage.backend.cluster.bring_back()


def move_slots(stage: Stage, crowd: Crowd) -> None:
    """Move the slot of the busiest channel to another node, and back."""
    cluster, channel = stage.backend.cluster, BUSIEST
    first = cluster.holder_of(channel)
    other = next(node for node in cluster.masters if node is not first)
    for target in (other, first):
        cluster.begin_move(channel, target)
        time.sleep(DOWN / 2)
        cluster.end_move(channel, target)
        time.sleep(DOWN / 2)
