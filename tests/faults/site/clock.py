"""A clock that can be set while a process runs: what ``time.time`` says is off by the number in a shared file."""

import mmap
import struct
import time
from pathlib import Path

_NUMBER = struct.Struct("d")


def set_clock(path: Path, seconds: float = 0.0) -> None:
    """Let processes that follow ``path`` see the time plus ``seconds``; makes the file."""
    if not path.exists():
        path.write_bytes(_NUMBER.pack(seconds))
    with path.open("r+b") as file:
        file.write(_NUMBER.pack(seconds))


def follow(path: Path) -> None:
    """Let this process see the time that ``path`` says. To be called before others take ``time.time`` by its name."""
    with path.open("r+b") as file:
        memory = mmap.mmap(file.fileno(), _NUMBER.size)
    true_time = time.time

    def shifted() -> float:
        return true_time() + float(_NUMBER.unpack(memory[:])[0])

    time.time = shifted
