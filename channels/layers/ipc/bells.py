"""How a process that waits is woken by another: a UNIX datagram socket, which whoever sends a message rings."""

import asyncio
import errno
import os
import secrets
import select
import socket
import threading
from contextlib import suppress
from pathlib import Path

SUFFIX = ".bell"

_DEAD = {errno.ECONNREFUSED, errno.ENOENT, errno.ENOTSOCK}
"""What the kernel says when nobody holds a bell any more."""


class Bell:
    """One bell: to wait for until it is rung."""

    def __init__(self, directory: Path) -> None:
        self.name = secrets.token_hex(6) + SUFFIX
        self.path = directory / self.name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        try:
            self._socket.bind(str(self.path))
        except OSError:
            self._socket.close()
            raise

    def wait(self, seconds: float) -> None:
        """Return when it rings, or after ``seconds``."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        poll.poll(seconds * 1000)
        self.still()

    async def await_ring(self, seconds: float) -> None:
        """``wait`` for an event loop."""
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        loop.add_reader(self._socket, rung.set)
        timer = loop.call_later(seconds, rung.set)
        try:
            await rung.wait()
        finally:
            timer.cancel()
            loop.remove_reader(self._socket)
        self.still()

    def still(self) -> None:
        """Forget that it was rung."""
        with suppress(BlockingIOError):
            while True:
                self._socket.recv(1)

    def close(self) -> None:
        """Give it up; who rings it from now on learns that it is gone."""
        self._socket.close()
        self.path.unlink(missing_ok=True)


class Bells:
    """The bells of one process, and the ringing of those of others.

    Args:
        directory: Where the bells of all processes are.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._pid = os.getpid()
        self._lock = threading.RLock()  # Reentrant, as that of the place.
        self._idle: list[Bell] = []
        self._clapper: socket.socket | None = None

    def lend(self) -> Bell:
        """Return a bell that nobody else uses until it is given back.

        Raises:
            OSError: None can be made: too many files are open.
        """
        while True:
            with self._lock:
                if not self._idle:
                    break
                bell = self._idle.pop()
            if bell.path.exists():
                return bell
            bell.close()
        return Bell(self._directory)

    def give_back(self, bell: Bell) -> None:
        """Take back a bell that is no longer registered anywhere."""
        bell.still()
        with self._lock:
            self._idle.append(bell)

    def ring(self, name: str) -> bool:
        """Ring the bell ``name``; False if nobody holds it any more."""
        with self._lock:
            path = self._directory / name
            try:
                if self._clapper is None:
                    self._clapper = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                    self._clapper.setblocking(False)
                self._clapper.sendto(b"!", str(path))
            except OSError as error:
                if error.errno in _DEAD:
                    path.unlink(missing_ok=True)
                    return False
                # Any other says that it has been rung more often than was heard, or that this process has too many
                # files open. What it is rung for is done already; whoever waits looks after a while.
        return True

    def remove_dead(self) -> list[str]:
        """Remove bells whose process was killed, and return their names."""
        dead = []
        for path in self._directory.glob("*" + SUFFIX):
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
                if probe.connect_ex(str(path)) in _DEAD:
                    path.unlink(missing_ok=True)
                    dead.append(path.name)
        return dead

    def close(self) -> None:
        """Give up the bells that nobody has been lent; the others when they come back and are lent no more."""
        with self._lock:
            idle, self._idle = self._idle, []
            clapper, self._clapper = self._clapper, None
        for bell in idle:
            bell.close()
        if clapper is not None:
            clapper.close()
