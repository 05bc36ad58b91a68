"""The tutorial does what it says: a reader types its commands and files and looks at the result in a browser."""

import os
import re
import shlex
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.chat import browser
from tests.support.processes import ROOT, free_port, stop, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PAGE = ROOT / "docs" / "getting-started.rst"
STEP = re.compile(
    r"^\.\. (?:checkpoint: (?P<checkpoint>\w+)|code-block:: (?P<language>\w+)\n(?:    :caption: (?P<caption>.+)\n)?\n"
    r"(?P<body>(?:    .*\n|\n)+))",
    re.MULTILINE,
)
SECONDS = 60


def steps() -> Iterator[tuple[str, str, str]]:
    """Yield what the page says to do: ("file" or "console" or "look", name of the file or checkpoint, text)."""
    for found in STEP.finditer(PAGE.read_text(encoding="utf-8")):
        if found["checkpoint"]:
            yield "look", found["checkpoint"], ""
        else:
            kind = "console" if found["language"] == "console" else "file"
            yield kind, found["caption"] or "", textwrap.dedent(found["body"]).strip("\n") + "\n"


class Reader:
    """Somebody who types what the page says, in an empty directory.

    Args:
        directory: The empty directory.
        wheels: Where the package lies that pip shall install.
    """

    def __init__(self, directory: Path, wheels: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.log_file = directory.parent / "log.txt"
        self.log_file.touch()
        kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "DJANGO_SETTINGS_MODULE")}
        python = str(Path(sys.executable).parent)
        self.environment = {**kept, "PATH": f"{python}:{kept['PATH']}", "PIP_FIND_LINKS": str(wheels)}
        self.running: list[subprocess.Popen[bytes]] = []
        self.last_saved = directory

    @property
    def url(self) -> str:
        """The address of the site."""
        return f"http://127.0.0.1:{self.port}"

    def write(self, caption: str, text: str) -> None:
        """Save a file, or add to the end of one."""
        name, _, where = caption.partition(", ")
        path = self.directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text() + "\n" if where == "at the end" else ""
        path.write_text(before + text)
        self.last_saved = path

    def save_again(self) -> None:
        """Save the last file once more.

        Django's reloader misses what is saved in the second after a start, in which no human saves anything.
        """
        self.last_saved.touch()

    def type(self, text: str) -> None:
        """Run the commands of a block; servers and workers go on running in terminals of their own."""
        for line in text.splitlines():
            command = line.removeprefix("$ ")
            if command == "source venv/bin/activate":
                self.environment["PATH"] = f"{self.directory / 'venv/bin'}:{self.environment['PATH']}"
            elif "runserver" in command or "runworker" in command:
                self.start(command)
            else:
                with self.log_file.open("ab") as log:
                    done = subprocess.run(
                        command,
                        shell=True,
                        cwd=self.directory,
                        env=self.environment,
                        stdout=log,
                        stderr=log,
                        check=False,
                    )
                assert done.returncode == 0, f"{command}\n{self.log()}"

    def start(self, command: str) -> None:
        """Run a command that does not end; a server takes the place of the one before, on a free port."""
        if "runserver" in command:
            self.stop()
            command += f" {self.port}"
        program = str(self.directory / "venv/bin/python")
        arguments = [program, *shlex.split(command)[1:]]
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(
                arguments, cwd=self.directory, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        self.running.append(process)

    def log(self) -> str:
        """Return what the commands printed."""
        return self.log_file.read_text(errors="replace")

    def stop(self) -> None:
        """Press Ctrl-C in every terminal."""
        for process in self.running:
            stop(process, signal.SIGINT)
        self.running.clear()


class Window:
    """A browser with the page of a room."""

    def __init__(self, chrome: Any, reader: Reader) -> None:
        self.chrome = chrome
        self.reader = reader

    def lines(self) -> list[str]:
        """Return the lines of the page."""
        return [line.text for line in self.chrome.find_elements(By.CSS_SELECTOR, "#lines li")]

    def open(self, room: str, first: str = "connected") -> None:
        """Open the page of a room and wait for what its socket says."""
        self.chrome.get(f"{self.reader.url}/rooms/{room}/")
        self.wait(first, 5)

    def say(self, text: str) -> None:
        """Type a line."""
        field = self.chrome.find_element(By.ID, "text")
        field.send_keys(text)
        field.send_keys(Keys.ENTER)

    def wait(self, line: str, seconds: float = SECONDS) -> None:
        """Wait until a line is there."""
        wait_for(lambda: line in self.lines(), f"{line!r} on the page, which has {self.lines()}", seconds)

    def log_in(self, name: str) -> None:
        """Use the form."""
        self.chrome.get(f"{self.reader.url}/accounts/login/")
        self.chrome.find_element(By.NAME, "username").send_keys(name)
        self.chrome.find_element(By.NAME, "password").send_keys("first-step")
        self.chrome.find_element(By.CSS_SELECTOR, "button").click()
        wait_for(lambda: "/rooms/lobby/" in self.chrome.current_url, "The lobby after the login", 5)


class Looks:
    """What the page says is to be seen, a method for each checkpoint. ``runserver`` may be reloading meanwhile."""

    def __init__(self, reader: Reader, anna: Window, ben: Window) -> None:
        self.reader = reader
        self.anna = anna
        self.ben = ben

    def look(self, checkpoint: str) -> None:
        """Look until the expected is there: the server reloads itself after each saved file."""
        tries = 10
        for number in range(1, tries + 1):
            try:
                return getattr(self, checkpoint)()
            except (AssertionError, WebDriverException, httpx.HTTPError) as error:
                if number == tries:
                    raise AssertionError(f"{checkpoint}: {error}\n{self.reader.log()}") from error
            if number == 2:
                self.reader.save_again()
            time.sleep(2)  # Nothing outside tells when the reloader has noticed.

    def get(self, path: str) -> str:
        """Return the text of a page."""
        return httpx.get(self.reader.url + path, timeout=5).text

    def rocket(self) -> None:
        assert "The install worked successfully" in self.get("/")

    def hello(self) -> None:
        assert self.get("/some/where/") == "You asked for /some/where/"

    def echo(self) -> None:
        self.anna.open("lobby")
        self.anna.say("hello")
        self.anna.wait("You said hello", 5)

    def group(self) -> None:
        self.both_hear("somebody", "lobby", "lobby")

    def rooms(self) -> None:
        self.both_hear("somebody", "lobby", "lobby")
        self.ben.open("kitchen")
        self.anna.say("in the lobby")
        self.anna.wait("somebody: in the lobby", 5)
        self.ben.say("in the kitchen")
        self.ben.wait("somebody: in the kitchen", 5)
        assert "somebody: in the lobby" not in self.ben.lines()
        assert "somebody: in the kitchen" not in self.anna.lines()

    def users(self) -> None:
        self.anna.open("lobby", "closed")
        self.anna.log_in("anna")
        self.ben.log_in("ben")
        self.both_hear("anna", "lobby", "lobby")
        self.anna.chrome.save_screenshot(str(ROOT / "test-output" / "tutorial.png"))

    def history(self) -> None:
        self.both_hear("anna", "lobby", "lobby", "to be kept")
        self.ben.open("lobby")
        assert "anna: to be kept" in self.ben.lines()[: self.ben.lines().index("connected")]

    def order(self) -> None:
        self.both_hear("anna", "lobby", "lobby")
        said = [f"line {number}" for number in range(30)]
        self.anna.chrome.execute_script("arguments[0].forEach((line) => socket.send(line))", said)
        self.ben.wait(f"anna: {said[-1]}")
        heard = [line for line in self.ben.lines() if line.startswith("anna: line")]
        assert heard[-len(said) :] == [f"anna: {line}" for line in said]

    def tested(self) -> None:
        assert re.search(r"Ran 1 test in .*\n\nOK", self.reader.log())

    def processes(self) -> None:
        self.both_hear("anna", "lobby", "lobby")
        stop(self.reader.running[-1], signal.SIGINT)
        self.anna.say("one worker less")
        self.ben.wait("anna: one worker less", 5)

    def both_hear(self, author: str, annas: str, bens: str, text: str = "hello") -> None:
        """Open both pages; what one says reaches both."""
        self.anna.open(annas)
        self.ben.open(bens)
        self.anna.say(text)
        for window in (self.anna, self.ben):
            window.wait(f"{author}: {text}", 5)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with an empty directory, and the package of this checkout to install."""
    wheels = tmp_path / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(wheels), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    home = tmp_path / "home"
    home.mkdir()
    reader = Reader(home, wheels)
    yield reader
    reader.stop()


@pytest.fixture
def open_window(reader: Reader) -> Iterator[Callable[[], Window]]:
    """Return a function that opens a browser of its own."""
    with ExitStack() as stack:
        yield lambda: Window(stack.enter_context(browser()), reader)


def test_tutorial_leads_where_it_says(reader, open_window):
    """From an empty directory to a chat with users and history in several processes."""
    looks = Looks(reader, open_window(), open_window())
    seen = []
    for kind, name, text in steps():
        if kind == "file":
            reader.write(name, text)
        elif kind == "console":
            reader.type(text)
        else:
            looks.look(name)
            seen.append(name)
    assert len(seen) == 10
