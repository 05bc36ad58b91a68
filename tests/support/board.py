"""The example board as tests use it: its processes, and what a user sees of it in a browser."""

import json
from typing import Any

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from tests.support.chat import Site
from tests.support.processes import ROOT, wait_for
from tests.support.visitors import Visitor

SECONDS = 40


class BoardSite(Site):
    """A running board."""

    project = ROOT / "examples/board"


class BoardPage(Visitor):
    """What one user sees and does on the board."""

    example = "board"

    def arrive(self) -> None:
        """Take the name."""
        self.chrome.get(f"{self.site.url}/login/")
        self.chrome.find_element(By.NAME, "username").send_keys(self.name, Keys.ENTER)
        wait_for(lambda: "/boards/" in self.chrome.current_url, "The sign-in leads to a board", SECONDS)

    def open(self, slug: str) -> None:
        """Go to a board and wait until it shows its cards."""
        self.chrome.get(f"{self.site.url}/boards/{slug}/")
        self.wait_until_connected()

    def wait_until_connected(self) -> None:
        """Wait until the page says so, which it does when it shows the cards."""
        self.wait_for_state("open")

    def wait_for_state(self, state: str) -> None:
        """Wait until the page says ``open`` or ``lost``."""
        script = "return document.getElementById('status').dataset.state"
        wait_for(lambda: self.js(script) == state, f"{self.name} is {state}", SECONDS)

    def cards(self) -> dict[str, list[str]]:
        """Return the texts of the cards in sight, by column; columns without cards are left out."""
        script = """
            return Object.fromEntries([...document.querySelectorAll(".column")].map((column) => [
                column.dataset.column, [...column.querySelectorAll(".card .text")].map((text) => text.textContent),
            ]))
        """
        return {column: texts for column, texts in self.js(script).items() if texts}

    def see(self, **columns: list[str]) -> None:
        """Wait until exactly these cards are in sight."""

        def is_so() -> bool:
            return self.cards() == columns

        try:
            wait_for(is_so, f"{self.name} sees {columns}", SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}, but {self.cards()}\n{self.site.processes.log()}") from None

    def add(self, text: str) -> None:
        """Write a card."""
        self.chrome.find_element(By.ID, "text").send_keys(text, Keys.ENTER)

    def card(self, text: str) -> Any:
        """Return the element of a card."""
        script = "return [...document.querySelectorAll('.card')].find((card) => card.innerText.includes(arguments[0]))"
        return wait_for(lambda: self.js(script, text), f"{self.name} finds {text!r}", SECONDS)

    def press(self, text: str, tool: str) -> None:
        """Press a button of a card."""
        self.card(text).find_element(By.CSS_SELECTOR, f".{tool}").click()

    def edit(self, before: str, after: str) -> None:
        """Give a card another text."""
        card = self.card(before)
        card.find_element(By.CSS_SELECTOR, ".edit").click()
        card.find_element(By.CSS_SELECTOR, ".text").send_keys(after, Keys.ENTER)

    def move(self, text: str, board: str) -> None:
        """Send a card to another board."""
        Select(self.card(text).find_element(By.CSS_SELECTOR, ".move")).select_by_visible_text(board)

    def paste(self, *lines: str) -> None:
        """Add a list of cards."""
        self.js("document.querySelector('.paste').open = true")
        field = self.chrome.find_element(By.ID, "lines")
        self.js("arguments[0].value = arguments[1]", field, "\n".join(lines))
        self.chrome.find_element(By.CSS_SELECTOR, "#paste button").click()

    def forge(self, **payload: Any) -> None:
        """Send what the page itself would not."""
        self.js("bridge.stream('cards').send(JSON.parse(arguments[0]))", json.dumps(payload))

    def key_of(self, text: str) -> int:
        """Return the primary key of a card."""
        return int(self.card(text).get_attribute("data-pk"))

    def see_problem(self, words: str) -> None:
        """Wait for a message that says what went wrong."""
        script = "return document.getElementById('problems').innerText"
        wait_for(lambda: words in self.js(script), f"{self.name} sees {words!r}", SECONDS)
