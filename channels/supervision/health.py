"""Health for those who ask: a file that is fresh while all is well, and a port that answers HTTP."""

import errno
import http.server
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from channels.supervision.status import Health

logger = logging.getLogger("django.channels")

OLD_SECONDS = 10.0
"""A report that is older says that who reports hangs; reports come about every half second."""

WRITE_SECONDS = 1.0
"""How often the file is written."""


class HealthFile:
    """A file that is there, and not older than some seconds, while the workers live. It holds the report as JSON.

    Args:
        path: Where.

    Raises:
        OSError: Nothing can be written there.
    """

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._fresh = Path(f"{path}.{os.getpid()}")
        self._written_at = 0.0
        # Later it is tried again and again; who mistyped it is to be told now.
        if self._path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        self._fresh.touch()
        self._fresh.unlink()

    def report(self, health: Health) -> None:
        """Write the report, or take the file away where it is bad."""
        if not health.is_live:
            self.close()
            return
        now = time.monotonic()
        if now < self._written_at + WRITE_SECONDS:
            return
        self._written_at = now
        self._fresh.write_text(health.dump() + "\n", encoding="utf-8")
        self._fresh.replace(self._path)

    def close(self) -> None:
        """Take the file away."""
        self._written_at = 0.0
        self._path.unlink(missing_ok=True)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: "_Server"
    timeout = 10.0

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path not in ("/live", "/ready"):
            self.send_error(404, explain="There are /live and /ready.")
            return
        health = self.server.latest()
        is_well = health.is_ready if path == "/ready" else health.is_live
        body = (health.dump() + "\n").encode()
        self.send_response(200 if is_well else 503)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Probes come every few seconds; nobody reads of them."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128  # Of the standard library's five, a probe would wait a second for the sixth.

    def __init__(self, address: tuple[str, int]) -> None:
        super().__init__(address, _Handler)
        self.health = Health(is_live=True, is_ready=False, text="starting")
        self.reported_at = time.monotonic()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what a client did; unlike the standard library without a traceback where it only went away."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            logger.debug("A client of the health port went away: %s", error)
        else:
            logger.error("A request to the health port failed.", exc_info=error)

    def latest(self) -> Health:
        age = time.monotonic() - self.reported_at
        if age > OLD_SECONDS:
            return Health(False, False, f"no report for {age:.0f} s", self.health.statuses)
        return self.health


class HealthPort:
    """Answers ``GET /live`` and ``GET /ready`` with 200 or 503, and the report as JSON.

    Args:
        host: Address to listen on.
        port: Port; 0 for any that is free.

    Raises:
        OSError: The port is taken.
    """

    def __init__(self, host: str, port: int) -> None:
        self._server = _Server((host, port))
        self._thread = threading.Thread(target=self._server.serve_forever, name="channels-health", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.server_address[1])

    def report(self, health: Health) -> None:
        """Keep the report for who asks."""
        self._server.health = health
        self._server.reported_at = time.monotonic()

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
