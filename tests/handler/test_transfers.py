"""Bodies and responses far larger than what a process may hold: uvicorn, Redis and one worker, watched from outside.

``TRANSFER_MB`` says how large, 128 unless told otherwise. A gigabyte, with the figures printed:
``TRANSFER_MB=1024 pytest -s tests/handler/test_transfers.py``.
"""

import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.pages import pages
from tests.support.redis import RedisServer
from tests.support.servers import Server
from tests.support.wire import Wire, encode

PIECE = 512 * 1024

PIECES = int(os.environ.get("TRANSFER_MB", "128")) * 2

ALLOWED_MB = 64
"""By how much interface and worker may grow, however large the transfer."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(newest_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The pages, once used, so that what is loaded at first use is not counted."""
    with pages("uvicorn", tmp_path_factory.mktemp("transfers"), newest_redis) as running:
        upload(running, 4)
        download(running, 4)
        yield running


def kilobytes(pid: int, what: str) -> int:
    """Return a figure of the memory of a process: VmRSS is now, VmHWM the most since ``forget_peaks``."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{what}:"))


def forget_peaks(pid: int) -> None:
    """Count the most from now on."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def growth(server: Server, transfer: Any) -> dict[str, float]:
    """Return by how many MB each process grew at most during ``transfer``."""
    processes = {"interface": server.process.pid, "worker": server.beside[0].pid}
    before = {name: kilobytes(pid, "VmRSS") for name, pid in processes.items()}
    for pid in processes.values():
        forget_peaks(pid)
    began = time.monotonic()
    transfer(server, PIECES)
    took = time.monotonic() - began
    grown = {name: (kilobytes(pid, "VmHWM") - before[name]) / 1024 for name, pid in processes.items()}
    figures = ", ".join(f"{name} +{value:.1f} MB" for name, value in grown.items())
    print(f"{transfer.__name__} of {PIECES // 2} MB: {figures}, {PIECES / 2 / took:.0f} MB/s")
    return grown


def pieces(count: int) -> Iterator[bytes]:
    """Yield the pieces of a transfer."""
    return (bytes([number % 256]) * PIECE for number in range(count))


def upload(server: Server, count: int) -> None:
    """Send pieces, and insist that all of them arrived."""
    digest = hashlib.sha256()
    with Wire(server.port) as wire:
        wire.send(encode("/digest/", "POST", [(b"content-length", b"%d" % (count * PIECE))]))
        for piece in pieces(count):
            digest.update(piece)
            wire.send(piece)
        assert wire.response("POST").body.decode() == digest.hexdigest()


def download(server: Server, count: int) -> None:
    """Take pieces, and insist that they are all there."""
    ours, theirs = hashlib.sha256(), hashlib.sha256()
    for piece in pieces(count):
        ours.update(piece)
    with Wire(server.port) as wire:
        wire.send(encode(f"/made/{count}/{PIECE}/"))
        assert wire.response(into=theirs.update).status == 200
    assert theirs.hexdigest() == ours.hexdigest()


@pytest.mark.parametrize("transfer", [upload, download])
def test_memory_stays_flat(transfer: Any, server: Server) -> None:
    """In the interface and in the worker."""
    grown = growth(server, transfer)
    assert all(value < ALLOWED_MB for value in grown.values()), grown
