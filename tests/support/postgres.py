"""Private PostgreSQL servers: on a UNIX socket, in a directory of their own, stopped by process id."""

import glob
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.support.processes import wait_for

HINT = "install PostgreSQL, so that initdb and postgres are on PATH, and the Python package psycopg[binary]"
FAST_SHUTDOWN = signal.SIGINT


class PostgresMissing(Exception):
    """PostgreSQL or its client cannot be found; the text says what to install."""


class PostgresServer:
    """One server process with a database cluster of its own.

    Attributes:
        directory: Where its socket is: the ``HOST`` of a database.
    """

    user = "lamps"

    def __init__(self) -> None:
        # Debian keeps the programs of a server out of PATH.
        path = os.pathsep.join([os.environ["PATH"], *sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)])
        initdb, postgres = shutil.which("initdb", path=path), shutil.which("postgres", path=path)
        if not (initdb and postgres and importlib.util.find_spec("psycopg")):
            raise PostgresMissing(f"No PostgreSQL found: {HINT}.")
        self._initdb, self._postgres = initdb, postgres
        self._temporary = tempfile.TemporaryDirectory(prefix="postgres-")
        self.directory = Path(self._temporary.name)
        # PostgreSQL refuses to run as root.
        self._identity: dict[str, Any] = {}
        if os.geteuid() == 0:
            account = next((entry for entry in pwd.getpwall() if entry.pw_name == "postgres"), pwd.getpwnam("nobody"))
            os.chown(self.directory, account.pw_uid, account.pw_gid)
            self._identity = {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> "PostgresServer":
        """Make the cluster, start the server, and return once it answers."""
        data, log = self.directory / "data", (self.directory / "log.txt").open("wb")
        common: dict[str, Any] = {"cwd": self.directory, "stdout": log, "stderr": log, **self._identity}
        with log:
            command = [
                self._initdb,
                "--auth",
                "trust",
                "--username",
                self.user,
                "--no-sync",
                "--encoding",
                "UTF8",
                str(data),
            ]
            subprocess.run(command, check=True, **common)
            options = ["-k", str(self.directory), "-c", "listen_addresses=", "-c", "fsync=off"]
            self._process = subprocess.Popen([self._postgres, "-D", str(data), *options], **common)
        wait_for(self._answers, f"PostgreSQL answers; its log is in {self.directory}", 60)
        return self

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(host=str(self.directory), user=self.user, dbname="postgres").close()
        except psycopg.OperationalError:
            return False
        return True

    def close(self) -> None:
        """Stop the server and remove its directory."""
        if self._process is not None:
            self._process.send_signal(FAST_SHUTDOWN)
            self._process.wait(30)
        self._temporary.cleanup()
