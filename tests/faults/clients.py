"""Faults that clients are at: they never read, never finish what they began, or come by the thousand and vanish."""

import itertools
import json
import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from websockets.client import ClientProtocol
from websockets.uri import parse_uri

from tests.faults.crowd import Crowd
from tests.faults.stage import Stage
from tests.support.proxy import RESET

HOLD = 2.0
"""Seconds for which bad clients are there."""

VANISHING = 10_000
"""How many clients come at once and vanish."""

SPARE = 500
"""Files that a process may need beside the connections of those clients."""

FOREIGN_ID = 10**15
"""Where the ids of frames begin that no crowd has sent."""


@contextmanager
def _handshake(
    port: int, path: str = "/plain/room0/", small: bool = False
) -> Iterator[tuple[socket.socket, ClientProtocol]]:
    """Yield a connection on which a handshake is under way."""
    protocol = ClientProtocol(parse_uri(f"ws://127.0.0.1:{port}{path}"))
    protocol.send_request(protocol.connect())
    with socket.socket() as connection:
        if small:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(10)
        connection.connect(("127.0.0.1", port))
        connection.sendall(b"".join(protocol.data_to_send()))
        yield connection, protocol


def never_read(stage: Stage, crowd: Crowd) -> None:
    """Ask for megabytes of answers on each interface and read none of them."""
    with ExitStack() as stack:
        connections = []
        for member in stage.interfaces:
            connection, protocol = stack.enter_context(_handshake(member.port or 0, small=True))
            while protocol.handshake_exc is None and not _is_open(protocol):
                protocol.receive_data(connection.recv(4096))
            connections.append((connection, protocol))
        numbers = itertools.count(FOREIGN_ID)
        for _ in range(100):
            for connection, protocol in connections:
                text = json.dumps({"id": next(numbers), "padding": "x" * 50_000})
                protocol.send_text(text.encode())
                connection.sendall(b"".join(protocol.data_to_send()))
        time.sleep(HOLD)


def _is_open(protocol: ClientProtocol) -> bool:
    return protocol.state.name == "OPEN"


def never_finish(stage: Stage, crowd: Crowd) -> None:
    """Begin a hundred handshakes on each interface, with half a request, and leave them so."""
    with ExitStack() as stack:
        for member in stage.interfaces:
            for _ in range(100):
                connection = stack.enter_context(socket.create_connection(("127.0.0.1", member.port or 0), 10))
                connection.sendall(b"GET /plain/room0/ HTTP/1.1\r\nhost: testserver\r\nupgrade: websoc")
        time.sleep(HOLD)


def vanish(stage: Stage, crowd: Crowd) -> None:
    """Begin thousands of handshakes, all at the same time, and reset all; their file descriptors must be freed."""
    before = [_descriptors(member.pid) for member in stage.interfaces]
    _require_descriptors(os.getpid(), VANISHING)
    for member in stage.interfaces:
        _require_descriptors(member.pid, VANISHING // len(stage.interfaces))
    ports = itertools.cycle(member.port or 0 for member in stage.interfaces)
    with ExitStack() as stack:
        for port in itertools.islice(ports, VANISHING):
            connection, _ = stack.enter_context(_handshake(port))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def are_freed() -> bool:
        now = [_descriptors(member.pid) for member in stage.interfaces]
        return all(count <= old + 5 for count, old in zip(now, before, strict=True))

    stage.wait_for(are_freed, "Connections that vanished are forgotten")


def _require_descriptors(pid: int, count: int) -> None:
    """Let a process have ``count`` files open beside what it may need otherwise."""
    _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    assert most >= count + SPARE, f"ulimit -Hn is {most}: {count + SPARE} open files are needed for {count} clients"
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))


def _descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
