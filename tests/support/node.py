"""Node.js and npm, for the tests of the JavaScript client; without them tests skip at home and fail where CI is set."""

import fcntl
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.support.missing import skip_or_fail
from tests.support.processes import ROOT

CLIENT = ROOT / "js"


def require(program: str) -> str:
    """Return the path of ``node`` or ``npm``."""
    path = shutil.which(program)
    if path is None:
        skip_or_fail("Install Node.js 18 or later and npm (Debian: apt install nodejs npm).")
    return path


def run(command: Sequence[object], directory: Path = CLIENT, seconds: float = 300) -> str:
    """Run a command to its end, insist that it succeeds, and return what it printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=directory,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def install(directory: Path = CLIENT) -> None:
    """Install what the lock file of ``directory``, by default that of the client, says, unless it is there."""
    wanted, present = directory / "package-lock.json", directory / "node_modules/.package-lock.json"
    with wanted.open() as lock:
        # Tests that run at the same time wait for the one that installs.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not present.exists() or present.stat().st_mtime < wanted.stat().st_mtime:
            run([require("npm"), "ci", "--no-audit", "--no-fund"], directory)
