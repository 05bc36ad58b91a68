"""The tools in a project of their own: run by Django's runner and by pytest, one process or several."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.postgres import PostgresServer
from tests.support.processes import ROOT
from tests.support.redis import RedisServer
from tests.support.suites import serve_postgres

PROJECT = Path(__file__).parent / "project"


@pytest.fixture
def environment(tmp_path: Path, redis_server: RedisServer) -> dict[str, str]:
    """What the project wants to know: a directory for its database, and a Redis for tests."""
    return {"LAMPS_DIRECTORY": str(tmp_path), "LAMPS_REDIS": redis_server.url}


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server."""
    yield from serve_postgres()


def run(arguments: list[str], environment: Mapping[str, str], directory: Path = PROJECT) -> tuple[int, str]:
    """Run Python in the project; return its exit status and what it printed."""

    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "DJANGO"))}
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env={**inherited, "PYTHONPATH": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=600,
        check=False,
    )
    return done.returncode, done.stdout


def run_pytest(files: list[str], environment: Mapping[str, str], *options: str) -> tuple[int, str]:
    """Run pytest in the project with these files."""
    own = ["-c", "/dev/null", "--rootdir", str(PROJECT), "-p", "no:cacheprovider", "--ds", "settings", "-W", "error"]
    return run(["-m", "pytest", *own, *options, *files], environment)


@pytest.mark.parametrize("parallel", ["1", "2"])
def test_djangos_runner_runs_the_project(environment: dict[str, str], parallel: str) -> None:
    """In one process and in two, which share a Redis."""
    status, output = run(["-W", "error", "manage.py", "test", "--parallel", parallel], environment)
    assert status == 0, output
    found = re.search(r"Ran (\d+) tests", output)
    assert found, output
    assert int(found[1]) >= 25
    assert re.search(r"^OK$", output, re.MULTILINE), output


@pytest.mark.slow
def test_djangos_runner_runs_the_project_on_postgresql(environment: dict[str, str], postgres: PostgresServer) -> None:
    """Two processes, each with a database that its live servers share."""
    environment["LAMPS_POSTGRES"] = str(postgres.directory)
    status, output = run(["-W", "error", "manage.py", "test", "--parallel", "2"], environment)
    assert status == 0, output
    assert re.search(r"^OK$", output, re.MULTILINE), output
    assert list(Path(environment["LAMPS_DIRECTORY"]).iterdir()) == []


@pytest.mark.parametrize("processes", ["0", pytest.param("2", marks=pytest.mark.slow)])
def test_pytest_runs_the_project(environment: dict[str, str], processes: str) -> None:
    """Fixtures and test cases, without and with pytest-xdist."""
    status, output = run_pytest(["lamps/pytests.py", "lamps/tests.py"], environment, "-n", processes)
    assert status == 0, output
    found = re.search(r"(\d+) passed", output)
    assert found, output
    assert int(found[1]) >= 32
    assert "failed" not in output


def test_failing_consumer_fails_the_test_with_its_traceback(environment: dict[str, str]) -> None:
    """Run by the client, or by the worker of a live server."""
    status, output = run_pytest(["lamps/failing.py"], environment)
    assert status == 1, output
    assert ">       return 1 / 0" not in output.split("faulty_consumer")[0]
    assert "return 1 / 0" in output
    assert "E       ZeroDivisionError" in output or "E   ZeroDivisionError" in output
    assert re.search(r'consumers.py", line \d+, in receive\n', output), output
    assert "Lamp matching query does not exist" in output


def test_plugin_leaves_projects_without_django_alone(tmp_path: Path) -> None:
    """Their tests run, no setting is looked at, and tests that ask for a fixture are skipped."""
    (tmp_path / "test_plain.py").write_text(
        "from django.conf import settings\n\n"
        "def test_plain():\n    assert not settings.configured\n\n"
        "def test_skipped(ws_client):\n    assert False\n\n"
        "def test_skipped_too(live_channels_server):\n    assert False\n"
    )
    options = ["-c", "/dev/null", "--rootdir", str(tmp_path), "-p", "no:cacheprovider", "-rs", "-W", "error"]
    status, output = run(["-m", "pytest", *options, "test_plain.py"], {}, tmp_path)
    assert status == 0, output
    assert "1 passed, 2 skipped" in output
    assert "no Django settings" in output
    status, output = run(["-m", "pytest", *options, "-p", "no:django", "test_plain.py"], {}, tmp_path)
    assert "1 passed, 2 skipped" in output
