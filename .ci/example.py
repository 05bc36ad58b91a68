"""Run the example chat and a new project with an installed ``channels-classic``: no source tree, plain dependencies.

Argument: the directory ``examples`` of an unpacked sdist, beside which there is no package.
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path

from smoke import fetch, free_port

PASSWORD = "correct-horse-battery"


@contextmanager
def serving(directory: Path, *command: str) -> Iterator[str]:
    """Run a server of a project during a ``with`` block and yield its address; it must end in order."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    arguments = [part.format(port=port, address=address) for part in command]
    server = subprocess.Popen([sys.executable, *arguments], cwd=directory)
    try:
        yield address
    finally:
        server.send_signal(signal.SIGINT)
        code = server.wait(30)
    assert code == 0, f"{command} ended with {code}"


class Person:
    """Somebody with an account in the chat."""

    def __init__(self, address: str, name: str) -> None:
        self._jar = CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        self._address = address
        page = self._ask("/signup/")
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
        assert token, page
        form = {"username": name, "password1": PASSWORD, "password2": PASSWORD, "csrfmiddlewaretoken": token[1]}
        self._ask("/signup/", urllib.parse.urlencode(form).encode())

    def _ask(self, path: str, body: bytes | None = None) -> str:
        with self._opener.open(f"http://{self._address}{path}", body, 30) as answer:
            return bytes(answer.read()).decode()

    def headers(self) -> dict[str, str]:
        """Return the cookies for a socket."""
        return {"Cookie": "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)}


def check_example(examples: Path) -> None:
    """Sign up in the chat as two people; one says something that the other hears."""
    from websockets.sync.client import connect

    run = ["run.py", "--no-venv", "--port", "{port}"]
    with serving(examples / "chat", *run) as address:
        fetch(f"http://{address}/login/", 60)
        script = fetch(f"http://{address}/static/channels/js/websocketbridge.js", 10)
        assert b"WebSocketBridge" in script
        url = f"ws://{address}/rooms/lobby/socket/"
        origin = f"http://{address}"
        anna, ben = Person(address, "anna"), Person(address, "ben")
        with (
            connect(url, origin=origin, additional_headers=anna.headers()) as first,
            connect(url, origin=origin, additional_headers=ben.headers()) as second,
        ):
            say = {"action": "say", "text": "hello", "key": "1"}
            first.send(json.dumps({"stream": "chat", "payload": say}))
            while json.loads(second.recv(timeout=30))["payload"].get("text") != "hello":
                pass


def check_new_project(directory: Path) -> None:
    """Make a project in an empty directory, run its tests, and talk on its socket."""
    from websockets.sync.client import connect

    from channels.layers.ipc.place import default_directory

    for arguments in (
        ["-m", "channels.startproject", "fresh", "."],
        ["manage.py", "migrate", "-v", "0"],
        ["manage.py", "test"],
    ):
        subprocess.run([sys.executable, *arguments], cwd=directory, check=True)
    with serving(directory, "manage.py", "runserver", "--noreload", "{address}") as address:
        assert b"/lobby/" in fetch(f"http://{address}/", 60)
        with connect(f"ws://{address}/lobby/", origin=f"http://{address}") as socket:
            socket.send('{"text": "hello"}')
            assert json.loads(socket.recv(timeout=30))["text"] == "hello"
    shutil.rmtree(default_directory("fresh"))


def main() -> None:
    """Do both in directories of their own."""
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        shutil.copytree(sys.argv[1], work / "examples")
        os.environ["CHAT_DB"] = str(work / "chat.sqlite3")
        check_example(work / "examples")
        (work / "project").mkdir()
        check_new_project(work / "project")
    print("example: the chat and a new project run without the source tree")


if __name__ == "__main__":
    main()
