"""SIGTERM, held back from the server until open connections were dealt with.

Servers close listeners, sockets and themselves as soon as they get the signal, each in its own way, and tell
applications too late or not at all. The handler here stands in front of the server's own, whichever way that was
installed: as a handler of the process, or in an event loop, which reads signals from a file descriptor.
"""

import asyncio
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

logger = logging.getLogger("django.channels.interface")

NUMBER = signal.SIGTERM


class HeldSignal:
    """Stands in front of the handlers of SIGTERM; to be made by ``hold``.

    Args:
        loop: Runs in the main thread.
        on_signal: Called in that loop when the signal comes for the first time. The second time it is passed on.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, on_signal: Callable[[], None]) -> None:
        self._loop = loop
        self._on_signal = on_signal
        self._came = False
        self._released = False
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)
        try:
            loop.add_reader(self._reader, self._forward)
        except NotImplementedError:
            self._reader.close()
            self._writer.close()
            raise
        self._previous_fd = signal.set_wakeup_fd(self._writer.fileno(), warn_on_full_buffer=False)
        self._previous = signal.signal(NUMBER, self._handle)

    def pass_on(self) -> None:
        """Let go, and give the signal to whoever would have handled it. Only in the main thread."""
        if not self._released:
            self.release()
            signal.raise_signal(NUMBER)

    def release(self) -> None:
        """Let go: from now on the signal takes the way it took before. Only in the main thread."""
        if self._released:
            return
        self._released = True
        # Whoever came after us stays where they are.
        if signal.getsignal(NUMBER) == self._handle:
            signal.signal(NUMBER, self._previous)
        present = signal.set_wakeup_fd(-1)
        wanted = self._previous_fd if present == self._writer.fileno() else present
        with suppress(OSError, ValueError):
            signal.set_wakeup_fd(wanted)
        if not self._loop.is_closed():
            self._loop.remove_reader(self._reader)
        self._reader.close()
        self._writer.close()

    def _handle(self, number: int, frame: Any) -> None:
        if self._came:
            self.pass_on()
            return
        self._came = True
        self._loop.call_soon_threadsafe(self._on_signal)

    def _forward(self) -> None:
        """Hand on the numbers of other signals: this file descriptor stands where that of the loop stood."""
        with suppress(BlockingIOError, OSError):
            others = bytes(number for number in self._reader.recv(4096) if number != NUMBER)
            if others and self._previous_fd != -1:
                os.write(self._previous_fd, others)


def hold(loop: asyncio.AbstractEventLoop, on_signal: Callable[[], None]) -> HeldSignal | None:
    """Return what holds SIGTERM back, or None where that cannot be done.

    It can in the main thread, on event loops that watch file descriptors, if the signal is not ignored.
    """
    if threading.current_thread() is not threading.main_thread():
        return None
    if signal.getsignal(NUMBER) in (None, signal.SIG_IGN):
        return None
    try:
        return HeldSignal(loop, on_signal)
    except NotImplementedError:
        return None
