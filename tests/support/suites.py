"""Running test modules of this suite once more, on another database."""

import os
import subprocess
import sys
from collections.abc import Iterator

from tests.support.missing import skip_or_fail
from tests.support.postgres import PostgresMissing, PostgresServer
from tests.support.processes import ROOT


def serve_postgres() -> Iterator[PostgresServer]:
    """Give a PostgreSQL server. Without one, skip, or fail where CI is set."""
    try:
        server = PostgresServer()
    except PostgresMissing as error:
        skip_or_fail(str(error))
    try:
        yield server.start()
    finally:
        server.close()


def run_on_postgres(server: PostgresServer, *arguments: str) -> tuple[int, str]:
    """Run pytest with ``arguments`` on ``server``; return its exit status and what it printed."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "DJANGO"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=ROOT,
        env={
            **inherited,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])),
            "TEST_POSTGRES": str(server.directory),
            "DJANGO_SETTINGS_MODULE": "tests.support.postgres_settings",
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=900,
        check=False,
    )
    return done.returncode, done.stdout
