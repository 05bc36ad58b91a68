"""The line between a supervisor and one of its worker processes: reports one way, the order to stop the other.

Orders do not go as signals: a service manager, or Ctrl-C in a terminal, may send those to all processes at once, and a
second signal means something else. The end of the line tells either side that the other has gone.
"""

import contextlib
import socket
from collections.abc import Mapping

from channels.supervision.inherited import take_socket
from channels.supervision.status import Status

VARIABLE = "CHANNELS_SUPERVISOR_FD"
"""Environment variable that tells a worker process which file descriptor leads to its supervisor."""

READY = "ready"
STOP = b"stop\n"


class _Line:
    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._socket.setblocking(False)
        self._rest = b""
        self.has_ended = False

    def fileno(self) -> int:
        """Return the file descriptor, to wait for it to be readable."""
        return self._socket.fileno()

    def _send(self, line: bytes) -> None:
        # Reports are small and come again; where the other side does not read, or has gone, they are not waited for.
        with contextlib.suppress(BlockingIOError, OSError):
            self._socket.sendall(line)

    def _read(self) -> list[bytes]:
        try:
            data = self._socket.recv(65536)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.has_ended = True
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        return lines

    def close(self) -> None:
        """Hang up."""
        self._socket.close()


class ToWorker(_Line):
    """The supervisor's end."""

    def stop(self) -> None:
        """Tell the worker process to stop."""
        self._send(STOP)

    def read(self) -> tuple[bool, Status | None]:
        """Return whether the worker said that it is ready, and the newest status it sent."""
        is_ready, status = False, None
        for line in self._read():
            text = line.decode(errors="replace")
            if text == READY:
                is_ready = True
            else:
                with contextlib.suppress(ValueError):
                    status = Status.load(text)
        return is_ready, status


class ToSupervisor(_Line):
    """The worker's end."""

    def ready(self) -> None:
        """Say that the worker is about to take messages."""
        self._send(f"{READY}\n".encode())

    def report(self, status: Status) -> None:
        """Send what the process is doing."""
        self._send(f"{status.dump()}\n".encode())

    def is_told_to_stop(self) -> bool:
        """Return whether the supervisor has said so, or has gone."""
        return STOP.strip() in self._read() or self.has_ended


def open_line(environment: Mapping[str, str]) -> tuple[ToWorker, socket.socket, dict[str, str]]:
    """Return the supervisor's end of a new line, the socket to pass on, and the environment that tells of it."""
    ours, theirs = socket.socketpair()
    return ToWorker(ours), theirs, {**environment, VARIABLE: str(theirs.fileno())}


def find_supervisor() -> ToSupervisor | None:
    """Return the line to the supervisor that started this process; None if none did."""
    end = take_socket(VARIABLE)
    return None if end is None else ToSupervisor(end)
