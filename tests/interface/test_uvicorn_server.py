"""The server inside our own process: what the development server and live tests start."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from channels.interface.servers import UvicornServer
from tests.support.processes import ROOT, answers, wait_for

MAIN = """
from channels.interface.servers import UvicornServer
from tests.interface.test_uvicorn_server import hello

server = UvicornServer(("127.0.0.1", 0))
server.set_app(hello)
print(server.server_port, flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


async def hello(scope: Any, receive: Any, send: Any) -> None:
    """Greet whoever asks."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})


@contextmanager
def serving() -> Iterator[UvicornServer]:
    """Yield a server that runs in a thread."""
    server = UvicornServer(("127.0.0.1", 0))
    server.set_app(hello)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(20)
    assert not thread.is_alive()


def test_server_in_a_thread_answers() -> None:
    """Its port is known before it runs; clients wait in the backlog."""
    with serving() as server:
        response = httpx.get(f"http://127.0.0.1:{server.server_port}/", timeout=10, trust_env=False)
    assert response.text == "hello"


def test_stopped_server_gives_its_port_back() -> None:
    """The next life of the development server binds it again."""
    with serving() as server:
        pass
    assert not answers(server.server_port)
    again = UvicornServer(("127.0.0.1", server.server_port))
    again.socket.close()


def test_server_that_was_stopped_before_it_began_does_not_begin() -> None:
    """A stop is never lost."""
    server = UvicornServer(("127.0.0.1", 0))
    server.set_app(hello)
    server.stop()
    server.serve_forever()
    assert not answers(server.server_port)


def test_taken_port_is_refused_at_once() -> None:
    """Before anything else is started; the error is the operating system's, as Django expects."""
    with serving() as server, pytest.raises(OSError, match="in use"):
        UvicornServer(("127.0.0.1", server.server_port))


def test_interrupt_reaches_the_caller_after_the_end() -> None:
    """In the main thread, uvicorn finishes its connections and then lets the signal through."""
    process = subprocess.Popen(
        [sys.executable, "-c", MAIN],
        cwd=ROOT,
        env={**os.environ, "PYTHONDEVMODE": ""},  # In which asyncio reports steps that took long, on a slow machine.
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        wait_for(lambda: _greets(port), "an answer")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()
    assert (out.split(), err, process.returncode) == ([b"interrupted"], b"", 0)


def _greets(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/", timeout=5, trust_env=False).text == "hello"
    except httpx.HTTPError:
        return False
