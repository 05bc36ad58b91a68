"""The port that tells of a worker's health, and clients that are not what asks for it."""

import contextlib
import http.client
import socket
import struct
from collections.abc import Iterator

import pytest

from channels.supervision.health import HealthPort
from channels.supervision.status import Health
from tests.support.loudness import Log

SECONDS = 30


@pytest.fixture
def port() -> Iterator[HealthPort]:
    """The port of a worker that is well."""
    made = HealthPort("127.0.0.1", 0)
    made.report(Health(is_live=True, is_ready=True, text="well"))
    yield made
    made.close()


def is_live(port: HealthPort) -> bool:
    """Ask as a probe does."""
    client = http.client.HTTPConnection("127.0.0.1", port.port, timeout=SECONDS)
    client.request("GET", "/live")
    status = client.getresponse().status
    client.close()
    return status == 200


REQUESTS = {
    "nothing": b"",
    "half": b"GET /li",
    "whole": b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n",
    "tls": b"\x16\x03\x01\x02\x00" * 10 + b"\r\n",
    "long": b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\n\r\n",
    "headers": b"GET /live HTTP/1.1\r\n" + b"A: b\r\n" * 300 + b"\r\n",
}


@pytest.mark.parametrize("request_", REQUESTS)
def test_client_that_hangs_up_leaves_no_traceback(
    port: HealthPort, request_: str, log: Log, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither in the log nor on the standard error of the worker, which is one where services write."""
    for _ in range(20):
        client = socket.create_connection(("127.0.0.1", port.port), SECONDS)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # A reset, not a farewell.
        with contextlib.suppress(OSError):  # It may be the one that hangs up.
            client.sendall(REQUESTS[request_])
        client.close()
    assert is_live(port)
    assert log.tracebacks == []
    assert "Traceback" not in capfd.readouterr().err


def test_clients_that_never_finish_keep_no_probe_waiting(port: HealthPort) -> None:
    """Each holds a thread for some seconds, and nobody else."""
    with contextlib.ExitStack() as stack:
        for _ in range(60):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port.port), SECONDS))
            client.sendall(b"GET /live HTTP/1.1\r\nX-Slow: ")
        assert is_live(port)
