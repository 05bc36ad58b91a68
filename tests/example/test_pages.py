"""The chat in real browsers: two users, one room, and what each of them sees."""

import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.support.chat import PASSWORD, Site, browser, running
from tests.support.processes import stop, wait_for
from tests.support.visitors import SCREENSHOTS, Visitor, two_visitors

_numbers = count(1)


class Page(Visitor):
    """What one user sees and does in the chat."""

    example = "chat"

    def arrive(self) -> None:
        """Make an account with the form."""
        self.chrome.get(f"{self.site.url}/signup/")
        for field, value in (("username", self.name), ("password1", PASSWORD), ("password2", PASSWORD)):
            self.chrome.find_element(By.NAME, field).send_keys(value)
        self.chrome.find_element(By.CSS_SELECTOR, "main button").click()
        wait_for(lambda: "/rooms/lobby/" in self.chrome.current_url, "The sign-up leads to the lobby")

    def open_room(self, title: str) -> None:
        """Open a new room with the form in the sidebar."""
        self.chrome.find_element(By.CSS_SELECTOR, ".new-room summary").click()
        self.chrome.find_element(By.ID, "id_title").send_keys(title)
        self.chrome.find_element(By.CSS_SELECTOR, ".new-room button").click()
        wait_for(lambda: f"/rooms/{title.lower()}/" in self.chrome.current_url, "The form leads to the new room")
        self.wait_until_connected()

    def enter(self, title: str) -> None:
        """Go to a room and wait for its socket."""
        self.chrome.get(f"{self.site.url}/rooms/{title.lower()}/")
        self.wait_until_connected()

    def reload(self) -> None:
        """Load the page again."""
        self.chrome.refresh()
        self.wait_until_connected()

    def wait_until_connected(self) -> None:
        """Wait until the page says so."""
        wait_for(lambda: self.js("return document.getElementById('status').dataset.state") == "open", "Connected", 30)
        wait_for(lambda: self.name in self.people(), f"{self.name} is on the list", 30)

    def texts(self, selector: str) -> list[str]:
        """Return the text of every element that ``selector`` names."""
        found = self.js("return [...document.querySelectorAll(arguments[0])].map(e => e.textContent)", selector)
        return [text.strip() for text in found]

    def messages(self) -> list[str]:
        """Return the confirmed messages in sight, oldest first."""
        return self.texts("#log .message[data-id] .text")

    def notices(self) -> list[str]:
        """Return the notices in sight."""
        return self.texts("#log .notice")

    def people(self) -> list[str]:
        """Return the names of who is here."""
        return [name.removesuffix("(you)").strip() for name in self.texts("#people .name")]

    def say(self, text: str) -> None:
        """Type a message and press Enter."""
        self.chrome.find_element(By.ID, "text").send_keys(text, Keys.ENTER)

    def see(self, text: str, seconds: float = 20) -> None:
        """Wait for a message."""
        wait_for(lambda: text in self.messages(), f"{self.name} sees {text!r}", seconds)

    def see_notice(self, text: str) -> None:
        """Wait for a notice."""
        wait_for(lambda: text in self.notices(), f"{self.name} sees the notice {text!r}")


@pytest.fixture(scope="module")
def pages(site: Site) -> Iterator[tuple[Page, Page]]:
    """Two users with an account in two browsers."""
    with two_visitors(Page, site) as pair:
        yield pair


@pytest.fixture
def anna(pages: tuple[Page, Page], room: str) -> Page:
    """A user in a room of the test's own."""
    pages[0].enter(room)
    return pages[0]


@pytest.fixture
def ben(pages: tuple[Page, Page], anna: Page, room: str) -> Iterator[Page]:
    """Another user in the same room, after the first."""
    pages[1].enter(room)
    yield pages[1]
    pages[1].chrome.get("about:blank")


@pytest.fixture
def room(pages: tuple[Page, Page]) -> str:
    """The title of a new room."""
    title = f"Page{next(_numbers)}"
    pages[0].enter("lobby")
    pages[0].open_room(title)
    return title


def test_message_appears_for_the_other_within_a_second(anna: Page, ben: Page) -> None:
    """From the key press in one browser to the text in the other. A machine may be busy once, but not every time."""
    for number in range(10):
        before = time.monotonic()
        anna.say(f"Message {number}")
        ben.see(f"Message {number}")
        if time.monotonic() - before < 1:
            return
    pytest.fail("Ten messages took longer than a second.")


def test_conversation_is_in_sight_in_order(anna: Page, ben: Page) -> None:
    """Both see the same, and each their own on the other side."""
    anna.say("Is this on?")
    ben.see("Is this on?")
    ben.say("It is. Good morning!")
    anna.see("It is. Good morning!")
    assert anna.messages() == ben.messages() == ["Is this on?", "It is. Good morning!"]
    anna.screenshot("conversation")


def test_reload_keeps_the_history(anna: Page, ben: Page) -> None:
    """It comes from the database."""
    ben.say("Remember this")
    anna.see("Remember this")
    anna.reload()
    assert anna.messages() == ["Remember this"]


def test_join_is_noticed(anna: Page, ben: Page) -> None:
    """By those who were there before."""
    anna.see_notice("ben joined")
    assert ben.notices() == []


def test_leave_is_noticed(anna: Page, ben: Page) -> None:
    """When the page is closed."""
    anna.see_notice("ben joined")
    ben.chrome.get("about:blank")
    anna.see_notice("ben left")
    anna.screenshot("notices")


def test_reload_is_no_news(anna: Page, ben: Page) -> None:
    """Who is back at once has neither left nor joined."""
    anna.see_notice("ben joined")
    ben.reload()
    ben.say("Back")
    anna.see("Back")
    assert anna.notices() == ["ben joined"]


def test_going_back_to_the_page_joins_again(anna: Page, ben: Page) -> None:
    """Browsers keep the page, but not as present."""
    ben.chrome.get("about:blank")
    wait_for(lambda: anna.people() == ["anna"], "The one who left is off the list")
    ben.chrome.back()
    wait_for(lambda: anna.people() == ["anna", "ben"], "The one who came back is on the list")
    anna.say("Welcome back")
    ben.see("Welcome back")


def test_list_shows_who_is_here(anna: Page, ben: Page) -> None:
    """Until they leave."""
    wait_for(lambda: anna.people() == ["anna", "ben"], "Both are on the list")
    ben.chrome.get("about:blank")
    wait_for(lambda: anna.people() == ["anna"], "The one who left is off the list")


def test_writing_is_shown_until_the_message_comes(anna: Page, ben: Page) -> None:
    """A word under the messages."""
    ben.chrome.find_element(By.ID, "text").send_keys("Wait")
    wait_for(lambda: anna.texts("#writing") == ["ben is writing…"], "The page says who is writing")
    ben.say(" for it")
    anna.see("Wait for it")
    assert anna.texts("#writing") == [""]


def test_picture_is_seen_by_the_other(anna: Page, ben: Page, tmp_path: Path) -> None:
    """Sent as a binary frame from a file, shown from its address."""
    anna.screenshot("before-picture")
    source = tmp_path / "picture.png"
    source.write_bytes((SCREENSHOTS / "chat-before-picture.png").read_bytes())
    anna.chrome.find_element(By.ID, "picture").send_keys(str(source))
    script = "return document.querySelector('#log img')?.naturalWidth"
    assert wait_for(lambda: ben.js(script), "The picture has loaded") > 100
    ben.screenshot("picture")


def test_file_that_is_no_picture_is_refused_in_words(anna: Page, tmp_path: Path) -> None:
    """And the chat goes on."""
    source = tmp_path / "notes.png"
    source.write_bytes(b"\x00\x01\x02 notes")
    anna.chrome.find_element(By.ID, "picture").send_keys(str(source))
    wait_for(lambda: any("Only PNG" in notice for notice in anna.notices()), "The page says why")
    anna.say("Still here")
    anna.see("Still here")


def test_markup_in_a_message_is_text(anna: Page, ben: Page) -> None:
    """Nobody can run a script in somebody else's page."""
    attack = "<img src=x onerror=document.title='gone'><script>document.title='gone'</script>"
    ben.say(attack)
    anna.see(attack)
    assert "gone" not in anna.chrome.title


def test_address_in_a_message_is_a_link(anna: Page) -> None:
    """Without the full stop behind it."""
    anna.say("See http://127.0.0.1/help?a=1.")
    anna.see("See http://127.0.0.1/help?a=1.")
    assert anna.texts("#log .text a") == ["http://127.0.0.1/help?a=1"]


def test_theme_is_kept(anna: Page) -> None:
    """Dark stays dark after a reload, and has its picture taken."""
    before = anna.js("return getComputedStyle(document.body).backgroundColor")
    anna.chrome.find_element(By.ID, "theme").click()
    anna.say("It is dark in here")
    anna.see("It is dark in here")
    anna.reload()
    after = anna.js("return getComputedStyle(document.body).backgroundColor")
    anna.screenshot("dark")
    anna.chrome.find_element(By.ID, "theme").click()
    assert after != before


def test_narrow_page_fits_its_window(anna: Page, ben: Page) -> None:
    """Nothing is wider than a telephone."""
    ben.say("A rather long message that has to be broken into several lines on a narrow screen")
    size = ben.chrome.get_window_size()
    ben.chrome.set_window_size(500, 860)
    width = ben.js("return [document.documentElement.scrollWidth, innerWidth]")
    ben.screenshot("narrow")
    ben.chrome.set_window_size(size["width"], size["height"])
    assert width[0] <= width[1]


def test_only_the_columns_scroll(anna: Page) -> None:
    """However many rooms there are, the page itself is as high as the window."""
    height = """
        const list = document.querySelector('.rooms ul');
        for (let count = 0; count < 60; count++) list.append(list.firstElementChild.cloneNode(true));
        return [document.documentElement.scrollHeight, innerHeight]
    """
    scroll_height, window_height = anna.js(height)
    assert scroll_height <= window_height


def test_every_control_has_a_name(anna: Page) -> None:
    """For those who hear the page instead of seeing it."""
    script = """return [...document.querySelectorAll('button, a, input:not([type=hidden]), textarea')]
        .filter(e => !(e.textContent.trim() || e.labels?.length)).map(e => e.outerHTML)"""
    assert anna.js(script) == []


def test_page_logs_no_error(anna: Page, ben: Page) -> None:
    """Nothing in the console of a page that was only used."""
    anna.chrome.get_log("browser")
    anna.say("Quiet?")
    ben.see("Quiet?")
    anna.reload()
    assert [entry for entry in anna.chrome.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_page_outlives_a_restart_of_the_server(tmp_path: Path) -> None:
    """What was typed meanwhile is shown as waiting, and sent when the server is back."""
    with running(tmp_path) as site, browser() as chrome:
        page = Page(chrome, site, "carla")
        page.arrive()
        page.wait_until_connected()
        stop(site.processes.running[-1])
        wait_for(lambda: page.texts("#status") == ["Reconnecting…"], "The page says that it lost the server")
        page.say("Sent into the dark")
        assert page.texts("#log .pending .text") == ["Sent into the dark"]
        site.start_server()
        page.see("Sent into the dark", 60)


def test_logout_leads_other_pages_to_the_login(site: Site) -> None:
    """A second tab of the same browser does not stay in the room."""
    with browser() as chrome:
        page = Page(chrome, site, "dora")
        page.arrive()
        first = chrome.current_window_handle
        chrome.switch_to.new_window("tab")
        page.enter("lobby")
        chrome.find_element(By.CSS_SELECTOR, "button[title='Log out']").click()
        chrome.switch_to.window(first)
        wait_for(lambda: "/login/" in chrome.current_url, "The first tab shows the login page")
