"""An interface process that is killed: groups are rid of its sockets within a minute, and others lose nothing."""

import json
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

from channels import Group
from channels.layers.redis.alive import SHORTEST_LIFE
from tests.monitor.conftest import Site
from tests.support.processes import free_port
from tests.support.redis import RedisServer
from tests.support.servers import COMMANDS, serve

APP = "tests.monitor.site.asgi:application"
EXPIRY = 10
"""Seconds that messages live; signs of life of a process stand for 30 at least, 60 by default."""


@pytest.mark.slow
def test_members_of_a_killed_server_leave_groups_and_its_queue_goes(
    site: Site, redis_server: RedisServer, use_layer: Callable[..., None]
) -> None:
    """Its queue takes no further copies, its keys are gone, and sockets of another server got each message once."""
    use_layer(redis_server.url, expiry=EXPIRY)
    site.processes.environment["SITE_LAYER"] = json.dumps({"expiry": EXPIRY})
    site.start_worker()
    port = free_port()
    doomed = site.processes.start([part.format(app=APP, port=port) for part in COMMANDS["uvicorn"]])
    site.processes.wait_for_port(port)
    with serve("uvicorn", APP, site.processes) as server, ExitStack() as stack:
        lost = [stack.enter_context(connect(f"ws://127.0.0.1:{port}/")) for _ in range(3)]
        kept = [stack.enter_context(connect(f"{server.ws_url}/")) for _ in range(2)]
        for socket in (*lost, *kept):
            answer(socket)
        (prefixes,) = [one.content["channels"] for one in site.announced("server") if one.content["pid"] == doomed.pid]
        assert len(Group("room").channels()) == 5
        doomed.send_signal(signal.SIGKILL)
        doomed.wait()
        killed_at = time.monotonic()
        sent = 0
        while len(Group("room").channels()) > len(kept):
            assert time.monotonic() < killed_at + SHORTEST_LIFE + 60, Group("room").channels()
            Group("room").send({"text": str(sent)})
            sent += 1
            time.sleep(0.5)
        for socket in kept:
            assert [socket.recv(timeout=30) for _ in range(sent)] == [str(number) for number in range(sent)]
        assert left_of(redis_server, prefixes) == []
        Group("room").send({"text": "after"})
        assert [socket.recv(timeout=30) for socket in kept] == ["after", "after"]
        assert left_of(redis_server, prefixes) == []
        for socket in lost:
            with pytest.raises(ConnectionClosedError):
                socket.recv(timeout=30)


def answer(socket: ClientConnection) -> None:
    """Wait until the socket is in its group: its worker answers after that."""
    socket.send("there?")
    assert socket.recv(timeout=30) == "there?"


def left_of(redis_server: RedisServer, prefixes: list[str]) -> list[Any]:
    """Return the keys that name one of these queues, and members of groups that do.

    Statistics end by themselves, and so does the notice for a process that was taken for dead and is not.
    """
    with redis_server.client() as client:
        keys = [key for key in client.scan_iter(count=1000) if not (_ends_by_itself(key) and client.ttl(key) > 0)]
        members = [member for key in keys if b":group:" in key for member in client.zrange(key, 0, -1)]
    return [name for name in (*keys, *members) if any(prefix.encode() in name for prefix in prefixes)]


def _ends_by_itself(key: bytes) -> bool:
    return b"-meta:" in key or b":gone:" in key
