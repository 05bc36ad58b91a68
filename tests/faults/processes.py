"""Faults of the site's own processes: killed, stopped for a while, told to end, with a wrong clock or a full disk."""

import os
import signal
import time
from pathlib import Path

from tests.faults.crowd import Crowd
from tests.faults.stage import HOUR, Member, Stage
from tests.support.servers import CLEAN_EXITS

PAUSE = 0.7
"""Seconds of traffic between two faults of one scenario."""

FROZEN = 2.0
"""Seconds that a process is stopped."""

ROUNDS = 2
"""How often each process of a kind is killed."""


def _kill(members: list[Member]) -> None:
    for member in ROUNDS * members:
        member.kill()
        member.replace()
        time.sleep(PAUSE)


def _freeze(members: list[Member], seconds: float) -> None:
    for member in members:
        os.kill(member.pid, signal.SIGSTOP)
    time.sleep(seconds)
    for member in members:
        os.kill(member.pid, signal.SIGCONT)


def _end(members: list[Member]) -> None:
    for member in members:
        status = member.end()
        assert status in CLEAN_EXITS, f"ended with {status}:\n{member.log()}"
        member.replace()
        time.sleep(PAUSE)


def kill_workers(stage: Stage, crowd: Crowd) -> None:
    """SIGKILL each worker, one after the other; each is replaced at once."""
    _kill(stage.workers)


def kill_interfaces(stage: Stage, crowd: Crowd) -> None:
    """SIGKILL each interface."""
    _kill(stage.interfaces)


def end_workers(stage: Stage, crowd: Crowd) -> None:
    """SIGTERM each worker."""
    _end(stage.workers)


def end_interfaces(stage: Stage, crowd: Crowd) -> None:
    """SIGTERM each interface."""
    _end(stage.interfaces)


def freeze_worker(stage: Stage, crowd: Crowd) -> None:
    """SIGSTOP one worker, while the other goes on."""
    _freeze(stage.workers[:1], FROZEN)


def freeze_all_workers(stage: Stage, crowd: Crowd) -> None:
    """SIGSTOP all workers, until channels are full."""
    _freeze(stage.workers, FROZEN)


def freeze_interface(stage: Stage, crowd: Crowd) -> None:
    """SIGSTOP one interface."""
    _freeze(stage.interfaces[:1], FROZEN)


def _shift_clock(member: Member) -> None:
    for seconds in (HOUR, 0, -HOUR, 0):
        member.set_clock(seconds)
        time.sleep(PAUSE)


def shift_clock_of_worker(stage: Stage, crowd: Crowd) -> None:
    """Set the clock of a worker an hour forward, then back; then the other way round."""
    _shift_clock(stage.workers[0])


def shift_clock_of_interface(stage: Stage, crowd: Crowd) -> None:
    """The same for an interface."""
    _shift_clock(stage.interfaces[0])


def fill_disk(stage: Stage, crowd: Crowd) -> None:
    """Let every log line of a new worker and a new interface fail, while they lose Redis and have much to say."""
    members = [stage.workers[0], stage.interfaces[0]]
    for member in members:
        assert member.end() in CLEAN_EXITS
        member.replace(Path("/dev/full"))
    stage.wait_until_served(crowd, time.monotonic_ns())
    stage.backend.server.stop()
    time.sleep(PAUSE)
    stage.backend.server.start()
    stage.wait_until_served(crowd, time.monotonic_ns())
    _end(members)
