"""The example chat as tests use it: its processes on free ports, its users as HTTP, WebSocket and browser clients."""

import json
import shutil
import sqlite3
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.support.missing import skip_or_fail
from tests.support.processes import ROOT, Processes, free_port, wait_for

CHAT = ROOT / "examples/chat"
PASSWORD = "correct-horse-battery"

_CHROMIUM_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,860",
    "--lang=en-GB",
)


class Site:
    """A running example: a server, perhaps workers of their own, and a database.

    Attributes:
        project: Directory of the example; the names of its environment variables begin with that of the directory.

    Args:
        directory: Where the database and the logs go.
        redis_url: Use the Redis layer at this address, with workers as processes.
    """

    project: Path = CHAT

    def __init__(self, directory: Path, redis_url: str | None = None) -> None:
        self.port = free_port()
        self.is_distributed = redis_url is not None
        self.database = directory / "site.sqlite3"
        prefix = self.project.name.upper()
        environment = {f"{prefix}_DB": str(self.database), f"{prefix}_REDIS_URL": redis_url or ""}
        self.processes = Processes(directory, environment)

    @property
    def url(self) -> str:
        """The address of the site."""
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments: str) -> "subprocess.Popen[bytes]":
        """Start a management command; its output goes to the log."""
        return self.processes.start([str(self.project / "manage.py"), *arguments])

    def migrate(self) -> None:
        """Make the database."""
        assert self.manage("migrate", "--verbosity", "0").wait(120) == 0, self.processes.log()

    def execute(self, statement: str, *values: str) -> None:
        """Change the database behind the site's back."""
        with closing(sqlite3.connect(self.database, timeout=20)) as database, database:
            database.execute(statement, values)

    def start_server(self) -> "subprocess.Popen[bytes]":
        """Start the server, with workers in it unless there are to be workers elsewhere."""
        extra = ["--noworker"] if self.is_distributed else []
        return self.manage("runserver", "--noreload", *extra, f"127.0.0.1:{self.port}")

    def start_worker(self) -> "subprocess.Popen[bytes]":
        """Start a worker process."""
        return self.manage("runworker")

    def wait_until_up(self) -> None:
        """Wait until a page is answered."""

        self.processes.wait_for_port(self.port)

        def answers() -> bool:
            try:
                return httpx.get(f"{self.url}/login/", timeout=5).status_code == 200
            except httpx.HTTPError:
                return False

        wait_for(answers, f"The site answers\n{self.processes.log()}", 60)


@contextmanager
def running(directory: Path, redis_url: str | None = None, workers: int = 0, kind: type[Site] = Site) -> Iterator[Site]:
    """Run an example during a ``with`` block.

    Args:
        directory: Where the database and the logs go.
        redis_url: Use Redis, with ``workers`` worker processes.
        workers: How many.
        kind: Which example; the chat by default.
    """
    site = kind(directory, redis_url)
    try:
        site.migrate()
        site.start_server()
        for _ in range(workers):
            site.start_worker()
        site.wait_until_up()
        yield site
    finally:
        site.processes.stop()


class Talker:
    """A user with an account, over HTTP and WebSockets without a browser."""

    def __init__(self, site: Site, name: str) -> None:
        self.site = site
        self.name = name
        self.stack = ExitStack()
        self.http = self.stack.enter_context(httpx.Client(base_url=site.url, follow_redirects=True, timeout=20))
        page = self.post("/signup/", username=name, password1=PASSWORD, password2=PASSWORD)
        assert "sessionid" in self.http.cookies, page.text

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Send a form, as a page would."""
        if "csrftoken" not in self.http.cookies:
            self.http.get("/login/")
        return self.http.post(path, data={**fields, "csrfmiddlewaretoken": self.http.cookies["csrftoken"]})

    def open_room(self, title: str) -> str:
        """Open a room and return the last part of its address."""
        page = self.post("/rooms/new/", title=title, topic="")
        assert page.url.path == f"/rooms/{title.lower()}/", page.text
        return title.lower()

    def enter(self, room: str) -> ClientConnection:
        """Open a socket in a room."""
        cookie = f"sessionid={self.http.cookies['sessionid']}"
        address = f"ws://127.0.0.1:{self.site.port}/rooms/{room}/socket/"
        opening = connect(address, origin=Origin(self.site.url), additional_headers={"Cookie": cookie}, proxy=None)
        return self.stack.enter_context(opening)

    def close(self) -> None:
        """Close the sockets and the HTTP client."""
        self.stack.close()


def send(opened: ClientConnection, stream: str, **payload: Any) -> None:
    """Send a frame of a stream."""
    opened.send(json.dumps({"stream": stream, "payload": payload}))


def hear(opened: ClientConnection, stream: str, event: str, seconds: float = 20, **values: Any) -> dict[str, Any]:
    """Return the next frame of a stream that has these values; others are passed over.

    Raises:
        TimeoutError: None came within the time.
    """
    deadline = time.monotonic() + seconds
    while True:
        frame = json.loads(opened.recv(timeout=max(0, deadline - time.monotonic())))
        payload: dict[str, Any] = frame["payload"]
        wanted = {"event": event, **values}
        if frame["stream"] == stream and wanted.items() <= {key: payload.get(key) for key in wanted}.items():
            return payload


def find_browser() -> tuple[str, str]:
    """Return the paths of Chromium and its driver; without them, skip, or fail where CI is set."""
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (program and driver):
        skip_or_fail("Install chromium and chromedriver (Debian: apt install chromium chromium-driver).")
    return program, driver


@contextmanager
def browser() -> Iterator[Any]:
    """Run a headless Chromium during a ``with`` block; without one, skip, or fail where CI is set."""
    program, driver = find_browser()
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = webdriver.ChromeOptions()
        options.binary_location = program
        for flag in (*_CHROMIUM_FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        chrome = webdriver.Chrome(options=options, service=Service(driver))
        try:
            yield chrome
        finally:
            chrome.quit()
