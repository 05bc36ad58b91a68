"""The project in processes of its own: two servers on free ports, workers behind them, and sockets to them."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx

from channels.test.typed import LiveTypedSocket
from tests.support.processes import ROOT, Processes, free_port

SECONDS = 30


class Site:
    """A running project.

    Args:
        directory: Where its database and log go.
        redis_url: Its layer's server.
        package: The package with ``asgi``, ``settings`` and ``prepare``.
    """

    def __init__(self, directory: Path, redis_url: str, package: str = "tests.consumers_typed.site") -> None:
        self.ports = [free_port(), free_port()]
        self.package = package
        environment = {
            "TYPED_SITE_DB": str(directory / "site.sqlite3"),
            "TYPED_SITE_REDIS": redis_url,
            "DJANGO_SETTINGS_MODULE": f"{package}.settings",
        }
        self.processes = Processes(directory, environment)
        self.cookies: Mapping[str, str] = {}
        self.sockets = ExitStack()

    def start(self, workers: int = 2) -> None:
        """Make the database, start the servers and the workers."""
        prepared = subprocess.run(
            [sys.executable, "-m", f"{self.package}.prepare"],
            cwd=ROOT,
            env=self.processes.environment,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert prepared.returncode == 0, prepared.stderr
        self.cookies = json.loads(prepared.stdout)
        application = f"{self.package}.asgi:application"
        for port in self.ports:
            self.processes.start(["-m", "uvicorn", application, "--port", str(port), "--log-level", "warning"])
        for _ in range(workers):
            self.processes.start(["-m", "django", "runworker"])
        for port in self.ports:
            self.processes.wait_for_port(port)
        self.processes.wait_for_log("Listening on channels", workers)

    def get(self, path: str) -> Any:
        """Return what a view answers."""
        answer = httpx.get(f"http://127.0.0.1:{self.ports[0]}{path}", timeout=SECONDS)
        assert answer.status_code == 200, self.log()
        return answer.json()

    def open(
        self, path: str, user: str | None = None, *, expect: int | None = 200, server: int = 0, **options: Any
    ) -> LiveTypedSocket:
        """Open a socket, of a user if one is named; ``close_sockets`` closes it.

        Args:
            path: Its path.
            user: A name that ``prepare`` knows.
            expect: Status of the authentication, which is read; None: nothing is read.
            server: Which of the two.
            options: For ``LiveTypedSocket``.
        """
        cookies = {"sessionid": self.cookies[user]} if user else {}
        url = f"ws://127.0.0.1:{self.ports[server]}{path}"
        socket = self.sockets.enter_context(LiveTypedSocket(url, cookies=cookies, proxy=None, **options))
        if expect is not None:
            payload = socket.wait_for_auth(SECONDS).payload
            assert payload.status_code == expect, f"{payload}\n{self.log()}"
        return socket

    def log(self) -> str:
        """Return what its processes have printed."""
        return self.processes.log()

    def close_sockets(self) -> None:
        """Close what was opened."""
        self.sockets.close()

    def stop(self) -> None:
        """Close the sockets and end the processes."""
        self.close_sockets()
        self.processes.stop()


@contextmanager
def running(directory: Path, redis_url: str, **options: Any) -> Iterator[Site]:
    """Run the project during a ``with`` block."""
    site = Site(directory, redis_url, **options)
    try:
        site.start()
        yield site
    finally:
        site.stop()
