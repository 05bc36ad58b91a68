"""``run.py``, the one command of each example: what it installs, what it skips, and that the server takes its place."""

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from tests.support.processes import ROOT, free_port, stop, wait_for


@pytest.fixture(scope="module")
def run() -> ModuleType:
    """What the scripts of all examples share."""
    spec = importlib.util.spec_from_file_location("running", ROOT / "examples/running.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A small copy of the checkout: as much of it as decides whether to install again."""
    root = tmp_path / "checkout"
    (root / "channels").mkdir(parents=True)
    for name in ("setup.py", "pyproject.toml", "channels/_version.py"):
        shutil.copy2(ROOT / name, root / name)
    return root


@contextmanager
def serving(*options: str, database: Path, example: str = "chat") -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Run the script until its login page is answered; give the process and the address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / example / "run.py"), "--port", str(port), *options],
        env={**os.environ, f"{example.upper()}_DB": str(database)},
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )

    def answers() -> bool:
        assert process.poll() is None, "run.py ended"
        try:
            return httpx.get(f"http://127.0.0.1:{port}/login/", timeout=5).status_code == 200
        except httpx.HTTPError:
            return False

    try:
        wait_for(answers, "run.py serves the login page", 300)
        yield process, f"http://127.0.0.1:{port}"
    finally:
        # The reloader's child is in the same session, and nothing else is.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        stop(process)


@pytest.mark.parametrize("example", ["chat", "board", "teamchat"])
def test_script_prepares_and_serves(tmp_path: Path, example: str) -> None:
    """With the interpreter at hand: a new database, then the pages and their styles."""
    styles = f"{example}/{example}.css"
    with serving("--no-venv", database=tmp_path / "new.sqlite3", example=example) as (_, url):
        assert styles in httpx.get(f"{url}/login/").text
        assert httpx.get(f"{url}/static/{styles}").status_code == 200


def test_interrupt_ends_the_server(tmp_path: Path) -> None:
    """Ctrl-C goes to every process of the terminal."""
    with serving("--no-venv", database=tmp_path / "new.sqlite3") as (process, url):
        os.killpg(process.pid, signal.SIGINT)
        process.wait(60)
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_termination_reaches_the_server(tmp_path: Path) -> None:
    """A supervisor signals one process: the server, which took the place of the script."""
    with serving("--no-venv", database=tmp_path / "new.sqlite3") as (process, url):
        process.terminate()
        process.wait(60)
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)


def test_script_installs_once(run: ModuleType, tmp_path: Path) -> None:
    """A first run makes the environment, a second finds it ready."""
    options = ("--venv", str(tmp_path / "venv"))
    with serving(*options, database=tmp_path / "new.sqlite3"):
        pass
    before = (tmp_path / "venv" / run.STAMP).stat()
    with serving(*options, database=tmp_path / "new.sqlite3"):
        assert (tmp_path / "venv" / run.STAMP).stat().st_mtime_ns == before.st_mtime_ns


def test_fingerprint_stays_while_nothing_changes(run: ModuleType, checkout: Path) -> None:
    """So that a second run installs nothing."""
    assert run.fingerprint(checkout) == run.fingerprint(checkout)


def test_fingerprint_changes_with_a_module(run: ModuleType, checkout: Path) -> None:
    """An edited checkout is installed again."""
    before = run.fingerprint(checkout)
    (checkout / "channels/new.py").write_text("")
    assert run.fingerprint(checkout) != before


def test_stamp_of_nothing_is_empty(run: ModuleType, tmp_path: Path) -> None:
    """An environment that is missing, or half made, does not count as installed."""
    assert run.read_stamp(tmp_path / "missing") == {}


def test_busy_port_is_named(run: ModuleType) -> None:
    """With another one to try."""
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SystemExit, match=f"Cannot serve on 127.0.0.1:{port}"):
            run.require_free("127.0.0.1", port)
