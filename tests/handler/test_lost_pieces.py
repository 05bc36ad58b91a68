"""Pieces of responses and uploads that Redis loses: nobody takes what is left for the whole."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from tests.support.pages import pages
from tests.support.processes import wait_for
from tests.support.redis import RedisServer
from tests.support.servers import Server
from tests.support.wire import CutOff, Wire, encode

PIECE = 512 * 1024

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(newest_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The pages."""
    with pages("uvicorn", tmp_path_factory.mktemp("lost"), newest_redis) as running:
        yield running


@contextmanager
def stopped(process: "subprocess.Popen[bytes]") -> Iterator[None]:
    """Let ``process`` stand still."""
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process.pid, signal.SIGCONT)


def lose_one(redis: RedisServer, queue: bytes) -> bool:
    """Remove the second message of the queue whose name has ``queue`` in it; False if fewer than three wait there."""
    with redis.client() as client:
        keys = [key for key in client.scan_iter(_type="list") if queue in key and client.llen(key) >= 3]
        return bool(keys) and client.lrem(keys[0], 1, client.lrange(keys[0], 1, 1)[0]) == 1


def test_response_with_a_hole_is_cut_off(server: Server, newest_redis: RedisServer) -> None:
    """The client knows that it has not got all."""

    def lose() -> bool:
        # At times the interface has them all in its hands, and the worker waits for it.
        with stopped(server.process), suppress(AssertionError):
            return bool(wait_for(lambda: lose_one(newest_redis, b"http.response."), "Three messages", seconds=0.5))
        return False

    with Wire(server.port) as wire, ThreadPoolExecutor(1) as pool:
        wire.send(encode("/made/1000000/100/"))
        wire.wait_for_bytes(1000)
        response = pool.submit(wire.response)
        wait_for(lose, "A loss")
        with pytest.raises(CutOff):
            response.result()


def test_upload_with_a_hole_gets_503(server: Server, newest_redis: RedisServer) -> None:
    """No view runs; the next upload arrives."""
    body = os.urandom(6 * PIECE)
    with Wire(server.port) as wire:
        with stopped(server.beside[0]):
            wire.send(encode("/digest/", "POST", body=body))
            wait_for(lambda: lose_one(newest_redis, b"http.request.body"), "Three pieces")
        assert wire.response("POST").status == 503
    with Wire(server.port) as wire:
        assert wire.ask("/digest/", "POST", body=body).status == 200
