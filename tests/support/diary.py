"""Diaries of processes: what each of them did to which message, and when. What was written stays after a SIGKILL."""

import os
import time
from pathlib import Path
from typing import NamedTuple


class Entry(NamedTuple):
    """One thing that a process did; ``at`` is in nanoseconds of a clock that all processes of a machine share."""

    at: int
    number: int
    pid: int


class Diary:
    """The diary of the calling process.

    Args:
        directory: Where the diaries of all processes of its kind are.
    """

    def __init__(self, directory: Path) -> None:
        self._file = os.open(directory / str(os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def note(self, number: int) -> None:
        """Write down that something was done to the message with this number."""
        os.write(self._file, b"%d %d\n" % (time.monotonic_ns(), number))


def read_diaries(directory: Path) -> list[Entry]:
    """Return all entries of all processes, in the order of time."""
    return sorted(
        Entry(int(at), int(number), int(diary.name))
        for diary in directory.iterdir()
        for at, number in map(bytes.split, diary.read_bytes().splitlines())
    )
