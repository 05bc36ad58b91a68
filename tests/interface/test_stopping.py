"""Servers that stop, and a Redis that goes and comes back, while clients are connected."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.support.processes import Processes, wait_for
from tests.support.redis import RedisServer, find_newest
from tests.support.servers import COMMANDS, RESTART_CODES, Server, serve

SECONDS = 60


@contextmanager
def site(name: str, directory: Path, **environment: str) -> Iterator[tuple[Server, Path]]:
    """Yield a server with the test project, and the journal of its consumers."""
    journal = directory / "journal"
    journal.touch()
    settings = {"DJANGO_SETTINGS_MODULE": "tests.interface.project.settings", "PROJECT_JOURNAL": str(journal)}
    processes = Processes(directory, {**settings, **environment})
    try:
        if "PROJECT_REDIS" in environment:
            processes.start(["-m", "django", "runworker"])
        with serve(name, "tests.interface.project.asgi:application", processes) as server:
            if "PROJECT_REDIS" in environment:
                processes.wait_for_log("Listening on channels")
            yield server, journal
    finally:
        processes.stop()


def disconnects(journal: Path) -> list[Any]:
    """Return what consumers wrote down about ends of sockets."""
    entries = map(json.loads, journal.read_text().splitlines())
    return [entry for entry in entries if entry["channel"] == "websocket.disconnect"]


def close_code(client: ClientConnection) -> int | None:
    """Return the code that the server closes ``client`` with; None: it did not say."""
    with pytest.raises(ConnectionClosed) as caught:
        client.recv(SECONDS)
    return None if caught.value.rcvd is None else caught.value.rcvd.code


@pytest.mark.parametrize("name", COMMANDS)
def test_sockets_are_closed_and_consumers_hear_of_it_when_the_server_stops(
    name: str, tmp_path: Path, newest_redis: RedisServer
) -> None:
    """Clients are told to come back, consumers get one disconnect for each."""
    with site(name, tmp_path, PROJECT_REDIS=newest_redis.url) as (server, journal), ExitStack() as sockets:
        clients = [sockets.enter_context(connect(f"{server.ws_url}/stay/{number}/")) for number in range(3)]
        for client in clients:
            client.send("x")
            assert client.recv(SECONDS) == "x"
        server.process.terminate()
        assert [close_code(client) for client in clients] == [RESTART_CODES[name]] * 3
        ends = wait_for(lambda: len(disconnects(journal)) == 3 and disconnects(journal), "three disconnects")
    assert sorted((entry["path"], entry["code"]) for entry in ends) == [(f"/stay/{n}/", 1012) for n in range(3)]


def can_echo(server: Server) -> bool:
    """Return whether a new socket is accepted and answered."""
    try:
        with connect(f"{server.ws_url}/echo/", open_timeout=SECONDS) as client:
            client.send("x")
            return client.recv(SECONDS) == "x"
    except (InvalidStatus, ConnectionClosed, TimeoutError):
        return False


@pytest.fixture
def own_redis() -> Iterator[RedisServer]:
    """A Redis that a test may stop."""
    server = RedisServer(find_newest())
    try:
        yield server.start()
    finally:
        server.close()


def test_site_recovers_when_redis_comes_back(tmp_path: Path, own_redis: RedisServer) -> None:
    """Meanwhile requests get 503 and handshakes are refused, at once; no process needs a restart."""
    with site("uvicorn", tmp_path, PROJECT_REDIS=own_redis.url) as (server, journal):
        assert can_echo(server)
        wait_for(lambda: disconnects(journal), "the end of the first socket")
        own_redis.stop()
        began = time.monotonic()
        assert httpx.get(f"{server.url}/page/", timeout=SECONDS, trust_env=False).status_code == 503
        with pytest.raises(InvalidStatus) as caught, connect(f"{server.ws_url}/echo/"):
            pass
        assert caught.value.response.status_code == 503
        assert time.monotonic() - began < 30
        own_redis.start()
        assert wait_for(lambda: can_echo(server), "an echo after the outage")
        assert httpx.get(f"{server.url}/page/", timeout=SECONDS, trust_env=False).status_code == 200
        assert server.log().count("No replies can be received") == 1


def wait_for_upkeep(redis: RedisServer) -> None:
    """Wait until the interface knows which epoch it is in."""
    with redis.client() as client:
        wait_for(lambda: client.exists("asgi::epoch"), "an epoch")


def test_sockets_come_back_after_a_flush_of_redis(tmp_path: Path, own_redis: RedisServer) -> None:
    """Their memberships are gone, so the interface closes them: a client that comes back hears its group again."""
    with site("uvicorn", tmp_path, PROJECT_REDIS=own_redis.url) as (server, journal):
        with connect(f"{server.ws_url}/group/") as client:
            client.send("everyone hear")
            assert client.recv(SECONDS) == "everyone hear"
            wait_for_upkeep(own_redis)
            own_redis.flush()
            assert close_code(client) == 1012
        with connect(f"{server.ws_url}/group/") as client:
            client.send("everyone hear again")
            assert client.recv(SECONDS) == "everyone hear again"
        wait_for(lambda: [entry["code"] for entry in disconnects(journal)][:1] == [1012], "a disconnect")
        assert "has lost what it held" in server.log()


def test_sockets_come_back_when_redis_restarts_empty(tmp_path: Path, own_redis: RedisServer) -> None:
    """The same without a word of Redis."""
    with site("uvicorn", tmp_path, PROJECT_REDIS=own_redis.url) as (server, journal):
        with connect(f"{server.ws_url}/group/") as client:
            client.send("everyone hear")
            assert client.recv(SECONDS) == "everyone hear"
            wait_for_upkeep(own_redis)
            own_redis.stop()
            own_redis.start()
            assert close_code(client) == 1012
        wait_for(lambda: disconnects(journal), "a disconnect")
