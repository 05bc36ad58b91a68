"""Listens as systemd does to services that notify it."""

import re
import socket
from pathlib import Path
from types import TracebackType

SECONDS = 60.0


class ServiceManager:
    """A service manager that is told things.

    Args:
        path: Of its socket.

    Attributes:
        heard: The lines that were heard.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.heard: list[str] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(SECONDS)

    def __enter__(self) -> "ServiceManager":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._socket.close()

    def wait_for(self, pattern: str) -> str:
        """Wait until a line matches the regular expression ``pattern``, and return it."""
        while True:
            for line in self.heard:
                if re.match(pattern, line):
                    return line
            self.heard += self._socket.recv(4096).decode().splitlines()
