"""The thread that looks after the worker of its process: reports, memory, orders of the supervisor, grace."""

import contextlib
import logging
import os
import select
import socket
import sys
import threading
import time
import traceback
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Protocol

from channels import conf, counters
from channels.supervision.limits import Budget
from channels.supervision.link import ToSupervisor
from channels.supervision.status import Health, Status, judge, read_status
from channels.supervision.systemd import Systemd

logger = logging.getLogger("django.channels")

LOOK_SECONDS = 0.5
"""How often the worker is looked at; orders are heard at once."""

FORCED_STATUS = 1
"""Exit status of a process whose worker did not finish within the grace."""


class Reporter(Protocol):
    """Where health is told."""

    def report(self, health: Health) -> None:
        """Tell it."""

    def close(self) -> None:
        """Tell that it ends."""


class Watch:
    """Looks after ``worker`` during a ``with`` block.

    Args:
        worker: A worker, or group of workers, that runs in this process.
        grace: Seconds it may take to finish once it was told to stop; then the process ends without it.
        max_memory: Bytes of resident memory at which it is told to stop; None for no limit.
        budget: How many messages it may run; None for no limit.
        link: The line to the supervisor, if there is one.
        systemd: The service manager to tell; None where a supervisor tells it.
        reporters: Where else its health is told.
    """

    def __init__(
        self,
        worker: Any,
        *,
        grace: float,
        max_memory: int | None = None,
        budget: Budget | None = None,
        link: ToSupervisor | None = None,
        systemd: Systemd | None = None,
        reporters: Sequence[Reporter] = (),
    ) -> None:
        self._worker = worker
        self._grace = grace
        self._max_memory = max_memory
        self._link = link
        self._systemd = systemd
        self._reporters = reporters if systemd is None else [systemd, *reporters]
        self._stall_time: float = conf.get("CHANNELS_STALL_TIME")
        self._interval = LOOK_SECONDS if systemd is None else min(LOOK_SECONDS, systemd.interval)
        self._reason = ""
        self._told_at: float | None = None
        self._ended, self._end = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="channels-watch", daemon=True)
        if budget is not None:
            budget.on_spent = self._spent

    def __enter__(self) -> "Watch":
        self._thread.start()
        if self._link is not None:
            self._link.ready()
        if self._systemd is not None:
            self._systemd.ready()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._end.close()
        self._thread.join()
        self._ended.close()
        if self._link is not None:
            self._link.report(self.status())
            self._link.close()
        if self._systemd is not None and self._told_at is None:
            self._systemd.stopping()
        for reporter in self._reporters:
            reporter.close()

    def status(self) -> Status:
        """Return what the process is doing."""
        return read_status(self._worker, self._reason)

    def stop(self, reason: str) -> None:
        """Tell the worker to stop, for a reason of this process."""
        self._reason = self._reason or reason
        self._worker.stop()

    def _spent(self) -> None:
        counters.add("worker.stopped.messages")
        logger.info("This worker process has run as many messages as it may; it stops.")
        self.stop("messages")

    def _run(self) -> None:
        watched: list[Any] = [self._ended] if self._link is None else [self._ended, self._link]
        while True:
            ready, _, _ = select.select(watched, [], [], self._interval)
            if self._ended in ready:
                return
            try:
                if self._link in ready and self._link is not None and self._link.is_told_to_stop():
                    watched.remove(self._link)
                    self.stop("stop")
                self._look()
            except Exception:
                logger.exception("Error looking after a worker")

    def _look(self) -> None:
        status = self.status()
        if status.stopping:
            self._mind_grace(time.monotonic())
        elif self._max_memory is not None and status.memory > self._max_memory:
            counters.add("worker.stopped.memory")
            logger.warning(
                "This worker process has %d MiB of memory, more than the %d MiB it may have; it stops.",
                status.memory >> 20,
                self._max_memory >> 20,
            )
            self.stop("memory")
            status = self.status()  # Why it stops is to be told at once.
        if self._link is not None:
            self._link.report(status)
        health = judge([status], 1, self._stall_time)
        for reporter in self._reporters:
            with contextlib.suppress(OSError):
                reporter.report(health)

    def _mind_grace(self, now: float) -> None:
        if self._told_at is None:
            self._told_at = now
            if self._systemd is not None:
                self._systemd.stopping()
        if now - self._told_at < self._grace:
            return
        counters.add("worker.stopped.grace")
        logger.error(
            "This worker was told to stop and did not finish within %g s; it ends now, and what it runs is lost:\n%s",
            self._grace,
            "\n".join(self._stacks()),
        )
        os._exit(FORCED_STATUS)

    def _stacks(self) -> list[str]:
        """Return what the threads of the busy workers are doing."""
        main: Any = threading.main_thread()
        threads = [main, *getattr(self._worker, "threads", ())]
        workers = [self._worker, *getattr(self._worker, "sub_workers", ())]
        frames = sys._current_frames()
        stacks = []
        for worker, thread in zip(workers, threads, strict=False):
            if thread.ident in frames and thread.is_alive():
                stack = traceback.format_stack(frames[thread.ident])
                stacks.append("".join([getattr(worker, "job", None) or "no message", ", in\n", *stack]))
        return stacks
