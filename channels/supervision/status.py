"""What a worker process is doing, as a value that can be sent, and what that says of its health."""

import json
import os
import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

SILENT_SECONDS = 10.0
"""A worker process that has said nothing for longer, where it would about twice a second, does not live."""


@dataclass(frozen=True, slots=True)
class Status:
    """One worker process at one moment.

    Attributes:
        pid: Its process id.
        messages: How many messages it has run.
        stalled: Seconds since the slowest of its workers last began something.
        jobs: The channels of the messages that are being run.
        is_connected: Whether the layer could be reached when last asked.
        memory: Resident memory, in bytes; 0 where it is not known.
        stopping: Why it is about to end; empty while it is not.
        silent: Seconds for which its supervisor has heard nothing of it.
    """

    pid: int
    messages: int = 0
    stalled: float = 0.0
    jobs: tuple[str, ...] = ()
    is_connected: bool = True
    memory: int = 0
    stopping: str = ""
    silent: float = 0.0

    def dump(self) -> str:
        """Return it as text."""
        return json.dumps(asdict(self))

    @classmethod
    def load(cls, text: str) -> "Status":
        """Return the status that ``dump`` wrote.

        Raises:
            ValueError: It did not.
        """
        try:
            values = json.loads(text)
            return cls(**{**values, "jobs": tuple(values["jobs"])})
        except (TypeError, KeyError) as error:
            raise ValueError(f"Not the status of a worker: {text!r}") from error


@dataclass(frozen=True, slots=True)
class Health:
    """What those who watch from outside are told.

    Attributes:
        is_live: Whether it works; a process that does not should be replaced.
        is_ready: Whether it takes messages now.
        text: One line for people.
        statuses: Of each process.
    """

    is_live: bool
    is_ready: bool
    text: str
    statuses: tuple[Status, ...] = ()

    def dump(self) -> str:
        """Return it as JSON."""
        return json.dumps(asdict(self))


def judge(statuses: Sequence[Status], expected: int, stall_time: float, trouble: str = "") -> Health:
    """Return the health of worker processes.

    Args:
        statuses: Of those that take messages.
        expected: How many there should be.
        stall_time: Seconds that one message may keep a worker busy.
        trouble: Of the supervisor, in words.
    """
    stalled = [status for status in statuses if status.stalled > stall_time]
    lost = [status for status in statuses if not status.is_connected]
    stopping = [status for status in statuses if status.stopping]
    silent = [status for status in statuses if status.silent > SILENT_SECONDS]
    is_live = bool(statuses) and not stalled and not silent
    is_ready = is_live and len(statuses) == expected and not lost and not stopping
    words = [
        f"{len(statuses)} of {expected} worker process(es), {sum(status.messages for status in statuses)} messages"
    ]
    words += [
        f"process {status.pid} is busy for {status.stalled:.0f} s with {', '.join(status.jobs) or 'no message'}"
        for status in stalled
    ]
    words += [f"process {status.pid} has said nothing for {status.silent:.0f} s" for status in silent]
    if lost:
        words.append("the channel layer cannot be reached")
    if stopping:
        words.append("stopping")
    if trouble:
        words.append(trouble)
    return Health(is_live, is_ready, "; ".join(words), tuple(statuses))


def read_status(worker: Any, stopping: str = "") -> Status:
    """Return the status of this process, whose worker, or group of workers, is ``worker``."""
    workers = [worker, *getattr(worker, "sub_workers", ())]
    now = time.monotonic()
    # A worker that another package put in the place of ours may keep no such notes.
    turned = [getattr(each, "turned_at", None) for each in workers]
    jobs = [getattr(each, "job", None) for each in workers]
    return Status(
        pid=os.getpid(),
        messages=sum(getattr(each, "messages", 0) for each in workers),
        stalled=max((now - moment for moment in turned if moment is not None), default=0.0),
        jobs=tuple(job for job in jobs if job is not None),
        is_connected=all(getattr(each, "is_connected", True) for each in workers),
        memory=resident_bytes(),
        stopping=stopping or ("stop" if getattr(worker, "termed", False) else ""),
    )


def resident_bytes() -> int:
    """Return how much memory this process has, in bytes; the most it ever had where only that is known."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
