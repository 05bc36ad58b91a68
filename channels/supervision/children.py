"""One worker process as its supervisor sees it, and the place it fills."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence

from channels.backoff import Backoff
from channels.supervision import questions
from channels.supervision.link import open_line
from channels.supervision.questions import Asker
from channels.supervision.status import Status

STABLE_SECONDS = 10.0
"""A process that lives as long has started well; one that ends sooner may be in a crash loop."""

LOOP_LENGTH = 3
"""So many in a row that did not live as long are a crash loop."""

RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 30.0
"""The first and the longest pause before a process in a crash loop is started again."""


class Child:
    """A running worker process.

    Args:
        command: What to run.
        generation: How often processes had been replaced when it was started.
    """

    def __init__(self, command: Sequence[str], generation: int) -> None:
        self.generation = generation
        self.link, theirs, environment = open_line(os.environ)
        ours, asked = socket.socketpair()
        self._asker = Asker(ours)
        environment[questions.VARIABLE] = str(asked.fileno())
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                command, env=environment, pass_fds=[theirs.fileno(), asked.fileno()]
            )
        except BaseException:
            self.link.close()
            self._asker.close()
            raise
        finally:
            theirs.close()
            asked.close()
        self.started_at = self.heard_at = time.monotonic()
        self.told_at: float | None = None
        self.is_ready = False
        self.is_given_up = False
        self._is_stalled = False
        self.status = Status(self._process.pid)

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started_at

    @property
    def silence(self) -> float:
        """Seconds since it last said how it is; it does about twice a second once it is ready."""
        return time.monotonic() - self.heard_at

    @property
    def jobs(self) -> str:
        """What it last said that it runs."""
        return ", ".join(self.status.jobs) or "no message"

    def notice_stall(self, stall_time: float) -> bool:
        """Return whether one message has kept it busy for longer than that, and did not when it was asked before."""
        was_stalled, self._is_stalled = self._is_stalled, self.status.stalled > stall_time
        return self._is_stalled and not was_stalled

    @property
    def has_retired(self) -> bool:
        """Whether it made way by itself, as it should."""
        return self.status.stopping in ("messages", "memory")

    def listen(self) -> bool:
        """Read what it says; return whether it has just become ready."""
        is_ready, status = self.link.read()
        if status is not None or is_ready:
            self.heard_at = time.monotonic()
        self.status = status or self.status
        has_become_ready = is_ready and not self.is_ready
        self.is_ready = self.is_ready or is_ready
        return has_become_ready

    def excuse(self, seconds: float) -> None:
        """Count ``seconds`` in which nobody listened neither as its silence nor as time it had to stop."""
        self.heard_at += seconds
        if self.told_at is not None:
            self.told_at += seconds

    def stop(self) -> None:
        """Tell it to stop."""
        if self.told_at is None:
            self.told_at = time.monotonic()
            self.link.stop()

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def ask(self, patience: float) -> bytes | None:
        """Return its metrics as text; None if it does not tell them within ``patience`` seconds."""
        return self._asker.ask(patience)

    def give_up(self) -> None:
        """End it, because it does not answer; another is to take its place."""
        self.is_given_up = True
        self.kill()

    def ended(self) -> int | None:
        """Return its exit status once it has ended; None before."""
        return self._process.poll()

    def close(self) -> None:
        """Forget a process that has ended."""
        self._process.wait()
        self.link.close()
        self._asker.close()


class Place:
    """A place for one worker process: the one that runs, and while it is replaced, the one that will.

    Args:
        number: Which place, from 1.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.child: Child | None = None
        self.successor: Child | None = None
        self.restart_at = 0.0
        self._backoff = Backoff(RESTART_SECONDS, LONGEST_RESTART_SECONDS)

    @property
    def children(self) -> list[Child]:
        """The processes of this place."""
        return [child for child in (self.child, self.successor) if child is not None]

    @property
    def is_in_crash_loop(self) -> bool:
        """Whether process after process ends soon after its start."""
        return self._backoff.failures >= LOOP_LENGTH

    def failed(self, child: Child | None) -> float:
        """Take note that a process ended that should not have; return the seconds until the next is started.

        Args:
            child: The process; None if it could not even be started.
        """
        if child is not None and child.age >= STABLE_SECONDS:
            self._backoff.recovered()
        pause = self._backoff.failed()
        self.restart_at = time.monotonic() + pause
        return pause

    def settled(self) -> bool:
        """Take note that its process has lived for long enough; return whether that ends a crash loop."""
        was_in_crash_loop = self.is_in_crash_loop
        self._backoff.recovered()
        return was_in_crash_loop

    @property
    def failures(self) -> int:
        """How many processes ended soon after their start, in a row."""
        return self._backoff.failures


def describe(status: int) -> str:
    """Return in words how a process ended."""
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        return f"was killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"was killed by signal {-status}"


def this_command() -> list[str]:
    """Return the command that this process was started with, to run it again with the code of then."""
    from django.utils.autoreload import get_child_arguments

    arguments = get_child_arguments()
    return [str(argument) for argument in arguments] if arguments else [sys.executable, *sys.argv]
