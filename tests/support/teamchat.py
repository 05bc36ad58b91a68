"""The example teamchat as tests use it: its processes, what a user sees of it in a browser, and its playground."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.chat import Site
from tests.support.processes import ROOT, wait_for
from tests.support.visitors import Visitor

SECONDS = 40


class TeamSite(Site):
    """A running team chat."""

    project = ROOT / "examples/teamchat"


@contextmanager
def sign_in(site: Site, name: str) -> Iterator[httpx.Client]:
    """Give an HTTP client of a new user for the length of a ``with`` block."""
    with httpx.Client(base_url=site.url, follow_redirects=True, timeout=20) as client:
        client.get("/login/")
        page = client.post("/login/", data={"username": name, "csrfmiddlewaretoken": client.cookies["csrftoken"]})
        assert "sessionid" in client.cookies, page.text
        yield client


class TeamPage(Visitor):
    """What one user sees and does in the team chat."""

    example = "teamchat"

    # On any page

    def element(self, selector: str) -> Any:
        """Return the element that a CSS selector finds."""
        return self.chrome.find_element(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """Return the text of an element."""
        return str(self.js("return document.querySelector(arguments[0])?.textContent ?? ''", selector)).strip()

    def wait(self, condition: Any, what: str) -> Any:
        """Wait until ``condition()``; what fails shows the log."""
        try:
            return wait_for(condition, f"{self.name} sees {what}", SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.text('body')}\n{self.site.processes.log()}") from None

    def see(self, selector: str, words: str) -> None:
        """Wait until an element has a text that holds ``words``."""
        self.wait(lambda: words in self.text(selector), f"{words!r} in {selector}")

    def fill(self, selector: str, *keys: str) -> None:
        """Type into a field, after what was in it is gone."""
        field = self.element(selector)
        field.clear()
        field.send_keys(*keys)

    def complaints(self) -> list[str]:
        """Return what the browser complains of since the last call, such as breaches of the page's policy."""
        return [entry["message"] for entry in self.chrome.get_log("browser") if entry["level"] == "SEVERE"]

    # In the chat

    def arrive(self) -> None:
        """Take the name."""
        self.chrome.get(f"{self.site.url}/login/")
        self.fill("[name=username]", self.name, Keys.ENTER)
        self.wait_until_connected()

    def enter(self, slug: str) -> None:
        """Go to a room."""
        self.chrome.get(f"{self.site.url}/rooms/{slug}/")
        self.wait_until_connected()

    def wait_until_connected(self) -> None:
        """Wait until the page says that the server let it in."""
        script = "return document.getElementById('status')?.dataset.state"
        self.wait(lambda: self.js(script) == "open", "the connection")

    def say(self, words: str) -> None:
        """Say something."""
        self.fill("#text", words, Keys.ENTER)

    def heard(self) -> list[list[Any]]:
        """Return (author, text, whether it is shown as the user's own) of the messages in sight."""
        script = """
            return [...document.querySelectorAll("#messages li")].map((each) => [
                each.querySelector("strong").textContent, each.querySelector(".text").textContent,
                each.classList.contains("mine"),
            ])
        """
        return list(self.js(script))

    def hear(self, author: str, words: str, is_mine: bool = False) -> None:
        """Wait for a message."""
        self.wait(lambda: [author, words, is_mine] in self.heard(), f"{words!r} of {author}")

    def rooms(self) -> list[str]:
        """Return the rooms in the list."""
        return list(self.js("return [...document.querySelectorAll('#rooms a')].map((each) => each.dataset.room)"))

    def see_room(self, slug: str) -> None:
        """Wait until a room is in the list."""
        self.wait(lambda: slug in self.rooms(), f"the room {slug}")

    # In the playground

    def open_playground(self, consumer: str) -> None:
        """Go to the playground of a consumer."""
        self.chrome.get(f"{self.site.url}/sockets/playground/")
        self.element(f"[data-consumer='{consumer}']").click()
        self.see("#consumer", consumer)

    def traffic(self) -> list[list[str]]:
        """Return (way, action) of the entries of the log that are in sight."""
        script = """
            return [...document.querySelectorAll("#traffic li:not([hidden])")].map((each) => [
                each.dataset.way, each.querySelector(".action").textContent,
            ])
        """
        return list(self.js(script))

    def see_traffic(self, *entries: tuple[str, str]) -> None:
        """Wait until exactly these entries, (way, action), are in sight."""
        wanted = [list(each) for each in entries]
        self.wait(lambda: self.traffic() == wanted, f"the traffic {wanted}")
