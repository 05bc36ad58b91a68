"""A site that a reader builds from a page of the documentation, beginning with the template of projects."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.support.processes import ROOT, wait_for
from tests.support.reader import Reader

SECONDS = 60


class Site:
    """The project ``mysite``, and what a reader adds to it.

    Args:
        directory: An empty directory.
        replaced: Addresses of the page and what stands for them here.
    """

    def __init__(self, directory: Path, replaced: Mapping[str, str] | None = None) -> None:
        home = directory / "home"
        home.mkdir()
        self.reader = Reader(home, {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}, replaced)
        self.reader.run(f"{sys.executable} -m channels.startproject mysite .")
        settings = home / "mysite/settings.py"
        prefix = '"prefix": "mysite"'
        # Projects of several tests, or of a person at this machine, must not hear each other.
        settings.write_text(settings.read_text().replace(prefix, f'{prefix}, "directory": BASE_DIR / "layer"'))

    @property
    def url(self) -> str:
        """The address of the site."""
        return self.reader.url

    def wait_until_up(self, path: str = "/admin/login/") -> None:
        """Wait until a page is answered."""

        def answers() -> bool:
            try:
                return httpx.get(self.url + path, timeout=10).status_code == 200
            except httpx.HTTPError:
                return False

        try:
            wait_for(answers, f"{path} is answered", SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.reader.log()}") from None

    def shell(self, code: str) -> str:
        """Run code in the site's shell, as somebody does in another terminal, and return what it prints."""
        command = [sys.executable, "manage.py", "shell", "--verbosity", "0", "-c", code]
        done = subprocess.run(
            command,
            cwd=self.reader.directory,
            env=self.reader.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{done.stdout}{done.stderr}\n{self.reader.log()}"
        return done.stdout.strip()

    def log_in(self, username: str) -> str:
        """Return the session cookie of a user, who is made if there is none yet."""
        return self.shell(
            "from django.contrib.auth.models import User\n"
            "from django.test import Client\n"
            f"client = Client(); client.force_login(User.objects.get_or_create(username={username!r})[0])\n"
            "print('sessionid=' + client.cookies['sessionid'].value)"
        ).splitlines()[-1]

    def socket(self, path: str, cookie: str = "") -> ClientConnection:
        """Open a socket as a page of this site does."""
        headers = {"Cookie": cookie} if cookie else {}
        return connect(
            f"{self.url.replace('http', 'ws')}{path}",
            origin=Origin(self.url),
            additional_headers=headers,
            open_timeout=SECONDS,
        )

    def rows(self, statement: str) -> list[Any]:
        """Look into the database behind the site's back."""
        with closing(sqlite3.connect(self.reader.directory / "db.sqlite3", timeout=20)) as database:
            return database.execute(statement).fetchall()


def hear(socket: ClientConnection, wanted: Any) -> list[Any]:
    """Read frames of JSON until ``wanted`` has come; return those before it."""
    before = []
    while True:
        frame = json.loads(socket.recv(SECONDS))
        if frame == wanted:
            return before
        before.append(frame)
