"""The example's own tests, run by the command that its README names."""

import re
from pathlib import Path

import pytest

from tests.support.chat import CHAT, find_browser
from tests.support.redis import RedisServer
from tests.testing.test_project import run


def run_example(directory: Path, *command: str, **environment: str) -> str:
    """Run a command in the example, with a database of its own for tests, and return what it printed."""
    find_browser()
    environment = {"CHAT_TEST_DB": str(directory / "test.sqlite3"), "CHAT_REDIS_URL": "", **environment}
    status, output = run(list(command), environment, CHAT)
    assert status == 0, output
    assert "skipped" not in output
    return output


@pytest.mark.browser
@pytest.mark.slow
@pytest.mark.parametrize("layer", ["memory", "redis"])
def test_example_passes_its_own_tests(tmp_path: Path, redis_server: RedisServer, layer: str) -> None:
    """With workers in the live server's process, and in one of their own."""
    url = redis_server.url if layer == "redis" else ""
    output = run_example(tmp_path, "-W", "error", "-m", "pytest", "-p", "no:cacheprovider", CHAT_REDIS_URL=url)
    found = re.search(r"(\d+) passed", output)
    assert found, output
    assert int(found[1]) >= 17


@pytest.mark.browser
@pytest.mark.slow
def test_example_passes_with_djangos_runner(tmp_path: Path) -> None:
    """What is not written for pytest."""
    output = run_example(tmp_path, "-W", "error", "manage.py", "test")
    found = re.search(r"Ran (\d+) tests", output)
    assert found, output
    assert int(found[1]) >= 12
