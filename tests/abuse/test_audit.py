"""The audit of what users install: it fails for what is known to be vulnerable, and says so where it cannot know."""

import http.server
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"

Answer = Callable[[str], tuple[int, Any]]


def advisory(name: str) -> tuple[int, Any]:
    """Return the answer of a service that knows something of ``name``."""
    package = {"package": {"name": name, "ecosystem": "PyPI"}}
    return 200, {"vulns": [{"id": "TEST-1", "summary": "bad", "affected": [package]}]}


class Service:
    """An advisory service that speaks as OSV does; ``answer`` is what it makes of the name of a package."""

    def __init__(self) -> None:
        self.answer: Answer = lambda name: (200, {})

        def reply(handler: Any) -> None:
            asked = json.loads(handler.rfile.read(int(handler.headers["Content-Length"])))
            status, content = self.answer(asked["package"]["name"])
            body = json.dumps(content).encode()
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        kind = type(
            "Handler", (http.server.BaseHTTPRequestHandler,), {"do_POST": reply, "log_message": lambda *_: None}
        )
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), kind)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/"

    def audit(self, *options: str) -> subprocess.CompletedProcess[str]:
        """Run the audit against this service."""
        command = [sys.executable, str(AUDIT), "--vulnerability-service", "osv", "--osv-url", self.url, *options]
        environment = {key: value for key, value in os.environ.items() if "proxy" not in key.lower()}
        return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=120)


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that knows nothing."""
    made = Service()
    thread = threading.Thread(target=made.server.serve_forever)
    thread.start()
    yield made
    made.server.shutdown()
    made.server.server_close()
    thread.join()


def test_known_vulnerability_fails_the_audit(service: Service) -> None:
    """With a line that names the package and the advisory."""
    service.answer = lambda name: advisory(name) if name in ("jinja2", "django") else (200, {})
    done = service.audit()
    assert done.returncode == 1, done.stdout + done.stderr
    assert "django" in done.stdout
    assert "TEST-1 (known vulnerability)" in done.stdout
    assert "jinja2" not in done.stdout


def test_audit_passes_where_nothing_is_known(service: Service) -> None:
    """But of the canary, which shows that the service knows anything."""
    service.answer = lambda name: advisory(name) if name == "jinja2" else (200, {})
    done = service.audit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "packages were audited." in done.stdout
    assert "does not answer" not in done.stdout


@pytest.mark.parametrize("answer", [(200, {}), (503, {})], ids=["empty", "down"])
def test_service_that_tells_nothing_is_no_audit(service: Service, answer: tuple[int, Any]) -> None:
    """The build goes on, and its log says that nothing was audited."""
    service.answer = lambda name: answer
    done = service.audit()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not answer: nothing was audited" in done.stdout


def test_service_that_is_not_there_is_no_audit(service: Service) -> None:
    """The same."""
    done = service.audit("--osv-url", "http://127.0.0.1:1/")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "does not answer: nothing was audited" in done.stdout


def test_audit_that_cannot_run_fails(service: Service) -> None:
    """An option that went away must not pass for a network that is not there."""
    done = service.audit("--no-such-option")
    assert done.returncode == 1
    assert "pip-audit failed" in done.stderr
