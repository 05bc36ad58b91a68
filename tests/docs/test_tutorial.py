"""The tutorial does what it says: a reader types its commands and files and looks at the result in a browser."""

import re
import subprocess
import sys
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
from tests.support.processes import ROOT, wait_for
from tests.support.reader import Reader, press_ctrl_c

pytestmark = [pytest.mark.slow, pytest.mark.browser]

PAGE = ROOT / "docs" / "getting-started.rst"
SECONDS = 60


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
        press_ctrl_c(self.reader.running[-1])
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
    reader = Reader(home, {"PIP_FIND_LINKS": str(wheels)})
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
    assert len(reader.read(PAGE, looks.look)) == 10
