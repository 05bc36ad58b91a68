"""A clock that can be set for one process, of any program, while it runs.

A small library in C is compiled and loaded before all others; it answers whoever asks for the time. The clock that
cannot be set, the monotonic one, goes on as in real life. (libfaketime could not be used: with the monotonic clock left
alone, ``time.sleep`` of Python 3.11 fails in it.)
"""

import shutil
import struct
import subprocess
import sys
from pathlib import Path

from tests.support.missing import skip_or_fail

SOURCE = Path(__file__).with_suffix(".c")


class Clock:
    """A clock for one process.

    Args:
        directory: Where its files go.
    """

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self._library = directory / "clock.so"
        self.set(0)

    def set(self, seconds: int) -> None:
        """Let it be off by ``seconds`` from now on."""
        number = struct.pack("=q", seconds)
        if self._file.exists():
            with self._file.open("r+b", buffering=0) as file:
                file.write(number)  # In one piece: the process looks at it all the time.
        else:
            self._file.write_bytes(number)

    def environment(self) -> dict[str, str]:
        """Return what a process must have in its environment to have this clock.

        Without a C compiler the test is skipped, or fails where CI is set.
        """
        compiler = shutil.which("cc") if sys.platform == "linux" else None
        if compiler is None:
            skip_or_fail("Install a C compiler on Linux (Debian: gcc).")
        if not self._library.exists():
            command = [compiler, "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(self._library), str(SOURCE)]
            subprocess.run(command, check=True)
        return {"LD_PRELOAD": str(self._library), "SETTABLE_CLOCK": str(self._file)}
