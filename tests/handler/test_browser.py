"""Django's own admin in a real browser, through the development server, Redis and a worker process."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from tests.support.chat import browser
from tests.support.processes import Processes, free_port, wait_for
from tests.support.redis import RedisServer
from tests.support.wire import Wire

PASSWORD = "correct-horse-battery"
SECONDS = 60

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Office:
    """The site, as one visitor sees it.

    Attributes:
        url: Where it is.
        directory: Where its files go.
    """

    def __init__(self, chrome: Any, port: int, directory: Path) -> None:
        self.chrome = chrome
        self.url = f"http://127.0.0.1:{port}"
        self.directory = directory

    def open(self, path: str) -> None:
        """Go to a page."""
        self.chrome.get(self.url + path)

    def find(self, selector: str) -> Any:
        """Wait for an element and return it."""
        return WebDriverWait(self.chrome, SECONDS).until(lambda chrome: chrome.find_element(By.CSS_SELECTOR, selector))

    def fill(self, **fields: str) -> None:
        """Fill in a form and send it."""
        for name, value in fields.items():
            self.find(f"[name={name}]").send_keys(value)
        self.find("#content input[type=submit]").click()

    def log_in(self) -> None:
        """Log in at the admin, whoever was logged in before."""
        self.chrome.delete_all_cookies()
        self.open("/admin/login/?next=/admin/")
        self.fill(username="boss", password=PASSWORD)
        self.find("#user-tools")


@pytest.fixture(scope="module")
def site(newest_redis: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path]]:
    """The site on a port, in a directory."""
    newest_redis.flush()
    directory = tmp_path_factory.mktemp("office")
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.handler.office.settings",
        "OFFICE_DIRECTORY": str(directory),
        "OFFICE_REDIS": newest_redis.url,
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    processes = Processes(directory, environment)
    port = free_port()
    account = ["createsuperuser", "--noinput", "--username", "boss", "--email", "boss@example.com", "-v", "0"]
    try:
        for arguments in (["migrate", "--run-syncdb", "-v", "0"], account):
            assert processes.start(["-m", "django", *arguments]).wait(60) == 0, processes.log()
        processes.start(["-m", "django", "runserver", "--noworker", "--noreload", f"127.0.0.1:{port}"])
        processes.start(["-m", "django", "runworker", "--threads", "2"])
        processes.wait_for_port(port)
        processes.wait_for_log("Listening on channels", 2)
        with Wire(port) as wire:
            host = (b"host", b"127.0.0.1")
            assert wire.ask("/admin/login/", headers=[host]).status == 200, processes.log()
        yield port, directory
        assert "Traceback" not in processes.log(), processes.log()
    finally:
        processes.stop()


@pytest.fixture(scope="module")
def visitor(site: tuple[int, Path]) -> Iterator[Office]:
    """A browser that has just arrived."""
    with browser() as chrome:
        yield Office(chrome, *site)


def test_pages_have_their_styles(visitor: Office) -> None:
    """Static files arrive: the login page has the colours of the admin, and the browser complains of nothing."""
    visitor.open("/admin/login/")
    assert visitor.find("#header").value_of_css_property("background-color") != "rgba(0, 0, 0, 0)"
    errors = [entry["message"] for entry in visitor.chrome.get_log("browser") if "favicon" not in entry["message"]]
    assert errors == []


def test_wrong_password_is_refused(visitor: Office) -> None:
    """By contrib.auth, with its words."""
    visitor.open("/admin/login/")
    visitor.fill(username="boss", password="wrong")
    assert "correct username and password" in visitor.find(".errornote").text


def test_document_is_uploaded_and_announced(visitor: Office) -> None:
    """A login, a form with a file larger than one message, a redirect, a message, the list, and the file."""
    content = bytes(range(256)) * 10_000
    (visitor.directory / "report.bin").write_bytes(content)
    visitor.log_in()
    visitor.open("/admin/office/document/add/")
    visitor.fill(title="Report for \u20ac 1", file=str(visitor.directory / "report.bin"))
    assert re.search(r"Report for \u20ac 1.*was added successfully", visitor.find(".messagelist .success").text)
    assert visitor.find("#result_list tbody a").text == "Report for \u20ac 1"
    assert (visitor.directory / "media" / "report.bin").read_bytes() == content


def test_deletion_asks_and_is_carried_out(visitor: Office) -> None:
    """Through an action of the list, its confirmation page and its message."""
    (visitor.directory / "note.txt").write_text("note")
    visitor.log_in()
    visitor.open("/admin/office/document/add/")
    visitor.fill(title="Note", file=str(visitor.directory / "note.txt"))
    visitor.find("#result_list tbody a").click()
    visitor.find(".deletelink").click()
    visitor.find("#content form [type=submit]").click()
    assert "was deleted successfully" in visitor.find(".messagelist .success").text


def test_visitor_who_logs_out_is_out(visitor: Office) -> None:
    """The session has ended."""
    visitor.log_in()
    visitor.find("#logout-form button").click()
    wait_for(lambda: "Logged out" in visitor.chrome.title, "the farewell page")
    visitor.open("/admin/")
    assert visitor.find("#id_username").get_attribute("value") == ""
