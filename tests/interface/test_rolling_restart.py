"""Two interface processes behind nginx, restarted one after the other while clients are busy: nobody gets an error.

nginx's part is that of the documentation, word for word but for ports.
"""

import re
import subprocess
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.support.nginx import find_nginx, nginx
from tests.support.processes import ROOT, Processes, free_port, stop, wait_for
from tests.support.redis import RedisServer
from tests.support.servers import COMMANDS

SECONDS = 60

SITE = """
{upstream}
map $http_upgrade $connection_header {{ default upgrade; "" ""; }}
server {{
    listen 127.0.0.1:{port};
    location / {{
        proxy_pass http://interface;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_header;
        {next_upstream}
    }}
}}
"""


def documented() -> tuple[str, str]:
    """Return the upstream and the directive of the documentation."""
    text = (ROOT / "docs" / "interface.rst").read_text(encoding="utf-8")
    upstream, directive = re.findall(r"\.\. code-block:: nginx\n\n((?:    .*\n|\n)+)", text)
    return textwrap.dedent(upstream), textwrap.dedent(directive)


class Clients:
    """Threads that do the same over and over, until they are told to stop or something goes wrong.

    Attributes:
        errors: What went wrong.
        rounds: How often each did it, by its name.
        stopped: Set when they are to stop.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self.rounds: dict[str, int] = {}
        self.stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self, name: str, act: Callable[[], None]) -> None:
        """Do ``act`` over and over in a thread."""
        self.rounds[name] = 0
        thread = threading.Thread(target=self._run, args=(name, act))
        self._threads.append(thread)
        thread.start()

    def _run(self, name: str, act: Callable[[], None]) -> None:
        while not self.stopped.is_set():
            try:
                act()
            except Exception as error:
                self.errors.append(f"{name}: {error!r}")
                return
            self.rounds[name] += 1

    def wait_for_rounds(self, count: int = 3) -> None:
        """Wait until each has done it so often again."""
        goal = {name: done + count for name, done in self.rounds.items()}
        wait_for(
            lambda: self.errors or all(self.rounds[name] >= number for name, number in goal.items()),
            "busy clients",
            SECONDS,
        )

    def stop(self) -> None:
        """Stop all of them."""
        self.stopped.set()
        for thread in self._threads:
            thread.join(SECONDS)


@contextmanager
def busy(port: int) -> Iterator[Clients]:
    """Yield clients that read pages, open sockets, and talk over a socket that they keep as long as they may."""
    clients = Clients()
    url, ws_url = f"http://127.0.0.1:{port}/page/", f"ws://127.0.0.1:{port}/echo/"
    session = httpx.Client(timeout=SECONDS, trust_env=False)

    def read() -> None:
        assert session.get(url).status_code == 200

    def come_and_go() -> None:
        with connect(ws_url, open_timeout=SECONDS, proxy=None):
            pass

    def stay() -> None:
        with connect(ws_url, open_timeout=SECONDS, proxy=None) as client:
            try:
                while True:
                    client.send("x")
                    assert client.recv(SECONDS) == "x"
                    clients.rounds["stays"] += 1
                    if clients.stopped.wait(0.01):
                        return
            except ConnectionClosed as closed:
                if closed.rcvd is None or closed.rcvd.code != 1012:
                    raise

    clients.start("reads", read)
    clients.start("comes and goes", come_and_go)
    clients.start("stays", stay)
    try:
        yield clients
    finally:
        clients.stop()
        session.close()


@pytest.mark.slow
def test_restarts_of_two_interfaces_behind_nginx_show_no_client_an_error(
    tmp_path: Path, newest_redis: RedisServer
) -> None:
    """Pages and handshakes always succeed, and open sockets are closed with 1012, never cut."""
    find_nginx()
    settings = {"DJANGO_SETTINGS_MODULE": "tests.interface.project.settings", "PROJECT_REDIS": newest_redis.url}
    processes = Processes(tmp_path, settings)
    ports = {"8000": free_port(), "8001": free_port()}
    port = free_port()
    upstream, next_upstream = documented()
    for name, own in ports.items():
        assert upstream.count(f"127.0.0.1:{name}") == 1
        upstream = upstream.replace(f"127.0.0.1:{name}", f"127.0.0.1:{own}")

    def start(own: int) -> "subprocess.Popen[bytes]":
        command = [
            part.format(app="tests.interface.project.asgi:application", port=own) for part in COMMANDS["uvicorn"]
        ]
        process = processes.start(command)
        processes.wait_for_port(own)
        return process

    try:
        processes.start(["-m", "django", "runworker", "--threads", "4"])
        servers = {own: start(own) for own in ports.values()}
        processes.wait_for_log("Listening on channels", 4)
        configuration = SITE.format(upstream=upstream, port=port, next_upstream=next_upstream)
        with nginx(tmp_path, configuration, port) as log, busy(port) as clients:
            clients.wait_for_rounds()
            for own in [*servers, *servers]:
                stop(servers[own])
                processes.running.remove(servers[own])
                clients.wait_for_rounds(1)
                servers[own] = start(own)
                clients.wait_for_rounds(1)
    finally:
        processes.stop()
    assert clients.errors == [], log.read_text()
