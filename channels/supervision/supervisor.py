"""The process that starts worker processes, replaces those that end, and stops them in order. It runs no message."""

import contextlib
import logging
import selectors
import signal
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from channels import conf, counters
from channels.supervision.children import STABLE_SECONDS, Child, Place, describe
from channels.supervision.status import Health, judge
from channels.supervision.systemd import Systemd
from channels.supervision.watch import Reporter

logger = logging.getLogger("django.channels")

LOOK_SECONDS = 0.5
"""How often processes are looked at; what they say, and signals, are heard at once."""

KILL_SECONDS = 5.0
"""How much longer than the grace a process may take to end by itself, before it is killed."""

HANG_SECONDS = 30.0
"""How long a worker process may say nothing before it is replaced, unless the command says otherwise."""

START_SECONDS = 300.0
"""How long one may take until it is ready."""

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)


class Supervisor:
    """Keeps ``count`` processes of ``command`` running.

    SIGTERM and SIGINT stop them; a second one ends them at once. SIGHUP replaces them one after the other.

    Args:
        command: What a worker process is started with.
        count: How many.
        grace: Seconds they may take to finish when they are told to stop.
        systemd: The service manager to tell.
        reporters: Where else the health of all is told.
        hang_time: Seconds that one may say nothing before it is replaced.
    """

    def __init__(
        self,
        command: Sequence[str],
        count: int,
        grace: float,
        systemd: Systemd,
        reporters: Sequence[Reporter] = (),
        hang_time: float = HANG_SECONDS,
    ) -> None:
        self._command = command
        self._grace = grace
        self._hang_time = hang_time
        self._systemd = systemd
        self._reporters = [systemd, *reporters]
        self._places = [Place(number) for number in range(1, count + 1)]
        self._generation = 0
        self._is_renewing = False
        self._was_ready = False
        self._stops = 0
        self._has_killed = False
        self._passed_at = time.monotonic()
        self._stall_time: float = conf.get("CHANNELS_STALL_TIME")
        self._selector = selectors.DefaultSelector()

    def running(self) -> list[tuple[int, Child]]:
        """Return the processes that take messages, with the numbers of their places. Safe in threads."""
        children = [(place.number, place.child) for place in self._places]
        return [(number, child) for number, child in children if child is not None and child.is_ready]

    def run(self) -> int:
        """Run until told to stop and all processes have ended; return the exit status."""
        with self._signals() as signals:
            self._selector.register(signals, selectors.EVENT_READ)
            try:
                while not self._stops or any(place.children for place in self._places):
                    self._pass(signals)
            finally:
                self._systemd.stopping()
                for child in [child for place in self._places for child in place.children]:
                    child.kill()
                    child.close()
                self._selector.close()
                for reporter in self._reporters:
                    reporter.close()
        return 1 if self._has_killed else 0

    @contextlib.contextmanager
    def _signals(self) -> Iterator[socket.socket]:
        """Hear signals on a socket, so that they are acted on between two passes and not inside one."""
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        wakeup = signal.set_wakeup_fd(theirs.fileno())
        handlers = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        try:
            yield ours
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wakeup)
            ours.close()
            theirs.close()

    def _pass(self, signals: socket.socket) -> None:
        self._excuse_absence()
        for place in self._places:
            self._look(place)
            for child in place.children:
                self._mind_silence(child)
        self._renew()
        self._report()
        for key, _ in self._selector.select(min(LOOK_SECONDS, self._systemd.interval)):
            if key.fileobj is signals:
                for number in signals.recv(4096):
                    self._on_signal(number)
            elif key.data.listen():
                logger.info("Worker process %d is ready.", key.data.pid)
            elif key.data.link.has_ended:
                # Its end is seen by its exit status.
                self._selector.unregister(key.fileobj)

    def _excuse_absence(self) -> None:
        """Hold against no process what it could not say while this one, and the others perhaps, did not run."""
        now = time.monotonic()
        absence = now - self._passed_at - LOOK_SECONDS
        self._passed_at = now
        if absence > 0:
            for child in [child for place in self._places for child in place.children]:
                child.excuse(absence)

    def _on_signal(self, number: int) -> None:
        if number == signal.SIGHUP and not self._stops:
            logger.info("SIGHUP received, replacing the worker processes one after the other.")
            self._systemd.reloading()
            self._generation += 1
            self._is_renewing = True
        elif number in (signal.SIGTERM, signal.SIGINT):
            self._stops += 1
            if self._stops > 1:
                logger.warning("Second shutdown signal received, ending the worker processes at once.")
                self._kill(child for place in self._places for child in place.children)
                return
            logger.info("Shutdown signal received, waiting up to %g s for the worker processes.", self._grace)
            self._systemd.stopping()
            for place in self._places:
                for child in place.children:
                    child.stop()

    def _kill(self, children: Any) -> None:
        for child in children:
            self._has_killed = True
            child.kill()

    def _start(self, place: Place) -> Child | None:
        """Return a new process; None if the system gives none now."""
        try:
            child = Child(self._command, self._generation)
        except OSError as error:
            pause = place.failed(None)
            logger.error("Cannot start a process in place %d: %s; tried again in %.1f s.", place.number, error, pause)
            return None
        self._selector.register(child.link, selectors.EVENT_READ, child)
        return child

    def _forget(self, child: Child) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.link)
        child.listen()  # Its last words.
        child.close()

    def _look(self, place: Place) -> None:
        """Start what should run in ``place``, and see what has ended."""
        child = place.child
        if child is None:
            place.child, place.successor = place.successor, None
            if place.child is None and not self._stops and time.monotonic() >= place.restart_at:
                place.child = self._start(place)
            return
        status = child.ended()
        if status is not None:
            self._forget(child)
            place.child = None
            self._on_end(place, child, status)
        elif child.told_at is not None and time.monotonic() > child.told_at + self._grace + KILL_SECONDS:
            logger.error("Worker process %d did not end when it was told to; it is killed.", child.pid)
            self._kill([child])
        elif child.age >= STABLE_SECONDS and child.is_ready and place.settled():
            logger.warning("Worker process %d runs; the crash loop is over.", child.pid)

    def _mind_silence(self, child: Child) -> None:
        """End a process that hangs, as it could not do so itself; name one whose consumer does."""
        if child.is_given_up or child.told_at is not None:
            return
        if child.notice_stall(self._stall_time):
            logger.warning("Worker process %d is busy for %.0f s with %s.", child.pid, child.status.stalled, child.jobs)
        if child.silence <= (self._hang_time if child.is_ready else START_SECONDS):
            return
        counters.add("worker.replaced.hang")
        what = f"has said nothing, the last time it ran {child.jobs}," if child.is_ready else "has not become ready"
        logger.error(
            "Worker process %d %s for %.0f s: it hangs. It is killed, what it runs is lost, and another is started.",
            child.pid,
            what,
            child.silence,
        )
        child.give_up()

    def _on_end(self, place: Place, child: Child, status: int) -> None:
        if child.told_at is not None:
            if status:
                logger.error("Worker process %d %s while it was stopping.", child.pid, describe(status))
                self._has_killed = True
            else:
                logger.info("Worker process %d has stopped.", child.pid)
        elif child.has_retired and status == 0:
            logger.info("Worker process %d has made way for a fresh one (%s).", child.pid, child.status.stopping)
        else:
            if not child.is_given_up:
                counters.add("worker.replaced.crash")
            pause = place.failed(child)
            logger.error(
                "Worker process %d of place %d %s, %.1f s after its start%s; another is started in %.1f s.",
                child.pid,
                place.number,
                describe(status),
                child.age,
                f". This is a crash loop: the last {place.failures} ended so" if place.is_in_crash_loop else "",
                pause,
            )

    def _renew(self) -> None:
        """Replace processes of old code one by one: the new one is ready before the old one is told to stop."""
        if self._stops or not self._is_renewing:
            return
        old = [place for place in self._places if place.child and place.child.generation < self._generation]
        if not old:
            self._is_renewing = False
            logger.info("All worker processes have been replaced.")
            self._systemd.ready()
        elif old[0].successor is None:
            if time.monotonic() >= old[0].restart_at:
                old[0].successor = self._start(old[0])
        elif old[0].child and old[0].successor.is_ready:
            old[0].child.stop()
        elif (status := old[0].successor.ended()) is not None:
            self._give_up_renewal(old, old[0].successor, status)

    def _give_up_renewal(self, old: Sequence[Place], successor: Child, status: int) -> None:
        self._forget(successor)
        old[0].successor = None
        self._is_renewing = False
        for place in old:
            if place.child is not None:
                place.child.generation = self._generation
        logger.error(
            "Worker process %d %s before it was ready; the processes that it was to replace go on.",
            successor.pid,
            describe(status),
        )
        self._systemd.ready()

    def _report(self) -> None:
        health = self._health()
        if health.is_ready and not self._was_ready:
            self._was_ready = True
            self._systemd.ready()
        for reporter in self._reporters:
            with contextlib.suppress(OSError):
                reporter.report(health)

    def _health(self) -> Health:
        children = [place.child for place in self._places if place.child is not None and place.child.is_ready]
        loops = [str(place.number) for place in self._places if place.is_in_crash_loop]
        trouble = f"crash loop in place {', '.join(loops)}" if loops else "stopping" if self._stops else ""
        return judge(
            [replace(child.status, silent=child.silence) for child in children],
            len(self._places),
            self._stall_time,
            trouble,
        )
