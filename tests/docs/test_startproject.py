"""The template of projects: what is made of it runs, passes its own tests, and is deployed by its variables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.typing import Origin

import channels
from channels.startproject import TEMPLATE
from tests.support.processes import ROOT, Processes, free_port, wait_for
from tests.support.redis import RedisServer
from tests.support.servers import serve

PRODUCTION = {"DJANGO_DEBUG": "0", "DJANGO_HOSTS": "127.0.0.1", "DJANGO_SECRET_KEY": "0123456789-not-a-secret-" * 3}


def make_project(directory: Path, *command: str, name: str = "shop") -> Path:
    """Make a project in an empty directory and return it; its layer between processes is its own."""
    directory.mkdir()
    made = command or ("channels.startproject", name, ".")
    subprocess.run([sys.executable, "-m", *made], cwd=directory, env=environment(), check=True)
    settings = directory / name / "settings.py"
    text = settings.read_text()
    assert f'"prefix": "{name}"' in text
    settings.write_text(text.replace(f'"prefix": "{name}"', f'"prefix": "{name}", "directory": BASE_DIR / "layer"'))
    return directory


def environment(**variables: str) -> dict[str, str]:
    """Return the variables of a terminal of its own."""
    kept = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    return {**kept, "PYTHONPATH": str(ROOT), **variables}


def manage(project: Path, *arguments: str, **variables: str) -> str:
    """Run a command of a project and return what it prints."""
    command = [sys.executable, "-W", "error", "manage.py", *arguments]
    done = subprocess.run(
        command,
        cwd=project,
        env=environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_template_holds_nothing_but_files_for_projects() -> None:
    """All of them are packaged, wherever they stand."""
    package = Path(channels.__file__).parent
    assert package / "project_template" == TEMPLATE
    names = {str(path.relative_to(TEMPLATE)) for path in TEMPLATE.rglob("*") if path.is_file()}
    assert {"manage.py-tpl", "README.rst", "requirements.txt", "templates/lobby.html"} < names
    assert all(len(Path(name).parts) <= 2 for name in names), "setup.py packages two levels"


@pytest.mark.slow
def test_new_project_passes_its_checks_and_tests(tmp_path: Path) -> None:
    """As it is made, with warnings as errors."""
    project = make_project(tmp_path / "shop")
    assert "{{" not in (project / "README.rst").read_text()
    assert "no issues" in manage(project, "check")
    assert "No changes detected" in manage(project, "makemigrations", "--check")
    assert "OK" in manage(project, "test")


@pytest.mark.slow
def test_new_project_is_ready_for_production(tmp_path: Path) -> None:
    """What ``check --deploy`` still asks for is a decision of whoever runs the site."""
    project = make_project(tmp_path / "shop")
    found = manage(project, "check", "--deploy", **PRODUCTION)
    assert sorted({word.strip("()") for word in found.split() if word.startswith(("(security.", "(channels."))}) == [
        "security.W004",
        "security.W008",
    ]


@pytest.mark.slow
def test_django_admin_makes_the_same_project(tmp_path: Path) -> None:
    """The template is one for Django's own command."""
    ours = make_project(tmp_path / "ours")
    options = ("--template", str(TEMPLATE), "--name", "README.rst")
    theirs = make_project(tmp_path / "theirs", "django", "startproject", *options, "shop", ".")
    files = [path.relative_to(ours) for path in ours.rglob("*") if path.is_file()]
    assert len(files) > 9
    differ = [file for file in files if (ours / file).read_text() != (theirs / file).read_text()]
    assert [str(file) for file in differ] == ["shop/settings.py"]  # Each has a key of its own.


@pytest.mark.slow
def test_development_server_of_a_new_project_carries_lines_between_sockets(tmp_path: Path) -> None:
    """In a directory with nothing else in it, as the README says."""
    project = make_project(tmp_path / "shop")
    manage(project, "migrate")
    processes = Processes(tmp_path, {}, project)
    port = free_port()
    try:
        processes.start(["manage.py", "runserver", "--noreload", str(port)])
        processes.wait_for_port(port)
        assert_lobby(port)
        # The layer crosses processes, so that a shell reaches the sockets of the server.
        with connect(f"ws://127.0.0.1:{port}/lobby/", origin=Origin(f"http://127.0.0.1:{port}")) as socket:
            wait_for(lambda: "lobby" in manage(project, "channels", "status", "--interval", "0.1"), "a member")
            text = json.dumps({"text": '{"author": "shell", "text": "hi"}'})
            manage(project, "channels", "send", "--group", "lobby", text)
            assert json.loads(socket.recv(30))["author"] == "shell"
    finally:
        processes.stop()


@pytest.mark.slow
def test_new_project_is_served_over_redis(tmp_path: Path, redis_server: RedisServer) -> None:
    """With the variables of production: a server, a worker, and no development server."""
    project = make_project(tmp_path / "shop")
    manage(project, "migrate")
    processes = Processes(tmp_path, {**PRODUCTION, "REDIS_URL": redis_server.url}, project)
    try:
        processes.start(["manage.py", "runworker", "--threads", "2"])
        with serve("uvicorn", "shop.asgi:application", processes) as server:
            assert_lobby(server.port)
            assert any(key.startswith(b"shop:") for key in redis_server.client().scan_iter())
    finally:
        processes.stop()


def assert_lobby(port: int) -> None:
    """Look at the page, and talk over two sockets."""
    assert "/lobby/" in wait_for(lambda: httpx.get(f"http://127.0.0.1:{port}/", timeout=60).text, "the page", 60)
    address, origin = f"ws://127.0.0.1:{port}/lobby/", Origin(f"http://127.0.0.1:{port}")
    with connect(address, origin=origin) as anna, connect(address, origin=origin) as ben:
        anna.send('{"text": "hello"}')
        for socket in (anna, ben):
            assert json.loads(socket.recv(30)) == {"author": "somebody", "text": "hello"}
    with pytest.raises(InvalidStatus):
        connect(address, origin=Origin("https://example.org"))
