"""Autobahn's WebSocket test suite against the interface under each server.

The suite is a program of its own that runs on Python 2.7: ``WSTEST`` is the path of its ``wstest``. Without it the
frames of ``test_servers`` stand for it.
"""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.abuse.strategies import EXAMPLES
from tests.support.processes import Processes
from tests.support.servers import COMMANDS, serve

WSTEST = os.environ.get("WSTEST", "")

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not WSTEST, reason="WSTEST names no wstest of Autobahn's suite")]

CASES = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "10.*"]
"""Framing, pings, reserved bits, opcodes, fragments, UTF-8, closes, automatic fragments."""

LONG_CASES = ["9.*", "12.1.1", "12.2.1", "13.1.1"]
"""Large and many messages, and compression; for the long form."""

PASSED = {"OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED"}

KNOWN = {
    # Closes with 1002 when a fragment follows the close of the client.
    "uvicorn": {"7.1.5"},
    "hypercorn": set(),
    "granian": set(),
    # Does not send empty frames.
    "daphne": {"1.1.1", "1.2.1", "6.1.1", "6.1.2"},
}
"""Where servers differ from the protocol, whatever the application does."""

TOO_LARGE_FOR_DAPHNE = ("9.1.4", "9.1.5", "9.1.6", "9.2.4", "9.2.5", "9.2.6", "9.3.", "9.4.", "9.7.1", "9.8.1")
"""It takes no more than 1 MB in a message, whole or in fragments, and is too slow for some of many small ones."""


def run_suite(name: str, directory: Path) -> dict[str, Any]:
    """Return what the suite found under the server ``name``, by case."""
    directory.mkdir()
    processes = Processes(
        directory, {"DJANGO_SETTINGS_MODULE": "tests.interface.project.settings", "PROJECT_WORKERS": "2"}
    )
    cases = [*CASES, *(LONG_CASES if EXAMPLES else ())]
    try:
        with serve(name, "tests.interface.project.asgi_of_1x:channel_layer", processes) as server:
            asked = {"outdir": str(directory), "cases": cases, "exclude-cases": [], "exclude-agent-cases": {}}
            asked["servers"] = [{"agent": name, "url": f"{server.ws_url}/echo/"}]
            spec = directory / "spec.json"
            spec.write_text(json.dumps(asked))
            environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
            command = [WSTEST, "--mode", "fuzzingclient", "--spec", str(spec)]
            subprocess.run(command, env=environment, capture_output=True, check=True, timeout=600)
            # Servers, and consumers that take a frame for a word, write tracebacks of which none is looked for here.
            processes.log_file.write_text("")
    finally:
        processes.stop()
    found: dict[str, Any] = json.loads((directory / "index.json").read_text())[name]
    return found


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the suite found, by server; it mostly waits, so all of them are asked at once."""
    root = tmp_path_factory.mktemp("autobahn")
    with ThreadPoolExecutor() as pool:
        found = pool.map(lambda name: run_suite(name, root / name), COMMANDS)
        return dict(zip(COMMANDS, found, strict=True))


@pytest.mark.parametrize("name", COMMANDS)
def test_suite_passes(name: str, reports: dict[str, Any]) -> None:
    """But for what the server itself does otherwise."""
    failed = {case for case, result in reports[name].items() if result["behavior"] not in PASSED}
    if name == "daphne":
        failed = {case for case in failed if not case.startswith(TOO_LARGE_FOR_DAPHNE)}
    assert len(reports[name]) > 200
    assert failed == KNOWN[name]
