"""The page in the Django admin: what it shows in a browser under a strict policy, and who may see it."""

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from tests.monitor.conftest import Site
from tests.support.chat import browser
from tests.support.processes import ROOT, stop, wait_for
from tests.support.servers import Server, serve

OUTPUT = ROOT / "test-output"
PASSWORD = "correct-horse-battery"
PAGE = "/admin/channels_monitor/layer/"
SECONDS = 60

QUIET = {"version": 1, "disable_existing_loggers": False, "loggers": {"django.request": {"level": "CRITICAL"}}}
"""Pages that are refused are no reason to write tracebacks."""

USERS = f"""
from django.contrib.auth.models import Permission, User
for name, is_staff, may_look in [("anna", True, True), ("ben", True, False), ("cleo", False, True)]:
    user = User.objects.create_user(name, password={PASSWORD!r}, is_staff=is_staff)
    if may_look:
        user.user_permissions.add(Permission.objects.get(codename="view_layer"))
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def admin(site: Site, tmp_path: Path) -> Iterator[Server]:
    """The project with the page and three users: Anna may look, Ben lacks the permission, Cleo is no staff."""
    site.processes.environment.update(
        SITE_APPS=json.dumps(["channels.monitor"]),
        SITE_DATABASE=str(tmp_path / "site.sqlite3"),
        SITE_ROUTING="tests.monitor.site.routing.live_routing",
        SITE_LAYER=json.dumps({"capacity": 100, "channel_capacity": {"test.slow": 3}}),
        SITE_SECRET="of these tests",
        SITE_SETTINGS=json.dumps({"LOGGING": QUIET}),
    )
    manage(site, "migrate", "--verbosity", "0")
    manage(site, "shell", "-c", USERS)
    with serve("uvicorn", "tests.monitor.site.asgi:application", site.processes) as server:
        site.start_worker("--exclude-channels=test.slow")
        yield server


def manage(site: Site, *arguments: str) -> None:
    """Run a management command to its end."""
    process = site.processes.start(["-m", "django", *arguments])
    assert process.wait(SECONDS) == 0, site.processes.log()


@contextmanager
def log_in(server: Server, name: str) -> Iterator[httpx.Client]:
    """Yield a client that is logged in."""
    with httpx.Client(base_url=server.url, timeout=20) as client:
        client.get("/admin/login/")
        fields = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
        client.post("/admin/login/", data=fields)
        yield client


@contextmanager
def open_socket(server: Server, client: httpx.Client | None, origin: str | None = None) -> Iterator[ClientConnection]:
    """Open the socket of the page with the cookies of ``client``."""
    cookies = "; ".join(f"{name}={value}" for name, value in (client.cookies if client else {}).items())
    page = Origin(server.url if origin is None else origin)
    with connect(f"{server.ws_url}{PAGE}live/", origin=page, additional_headers={"Cookie": cookies}) as socket:
        yield socket


def ask(socket: ClientConnection, layer: Any = "default") -> Any:
    """Return the answer to one question."""
    socket.send(json.dumps({"layer": layer}))
    return json.loads(socket.recv(timeout=SECONDS))


def test_who_may_look_gets_pictures_until_the_logout(admin: Server, site: Site) -> None:
    """The answer has what there is, other layers are named as missing, and a logout ends the socket."""
    with log_in(admin, "anna") as anna, open_socket(admin, anna) as socket:
        picture = ask(socket)
        assert {row["kind"] for row in picture["processes"]} == {"server", "worker"}
        assert picture["threads"] == 1
        assert "CHANNEL_LAYERS has no layer 'other'" in ask(socket, "other")["error"]
        assert "CHANNEL_LAYERS has no layer" in ask(socket, ["default"])["error"]
        anna.post("/admin/logout/", data={"csrfmiddlewaretoken": anna.cookies["csrftoken"]})
        with pytest.raises(ConnectionClosedError) as closed:
            ask(socket)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4403


def test_who_may_not_look_sees_neither_page_nor_socket(admin: Server) -> None:
    """Nobody without a login, without the permission or from another site; users that are no staff have no admin."""
    with log_in(admin, "ben") as ben, log_in(admin, "cleo") as cleo, log_in(admin, "anna") as anna:
        assert ben.get(PAGE).status_code == 403
        assert cleo.get(PAGE).status_code == 302
        assert anna.get(PAGE).status_code == 200
        assert "channels_monitor" not in ben.get("/admin/").text
        for client, origin in [(ben, None), (cleo, None), (None, None), (anna, "https://evil.example")]:
            with pytest.raises(InvalidStatus) as refused, open_socket(admin, client, origin):
                pass
            assert refused.value.response.status_code == 403


class Page:
    """The page in a browser."""

    def __init__(self, chrome: Any, server: Server) -> None:
        self.chrome = chrome
        chrome.get(f"{server.url}/admin/")
        chrome.find_element(By.NAME, "username").send_keys("anna")
        chrome.find_element(By.NAME, "password").send_keys(PASSWORD, Keys.ENTER)
        link = wait_for(lambda: chrome.find_elements(By.CSS_SELECTOR, f"#content a[href='{PAGE}']"), "The index", 60)
        link[0].click()

    def js(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.chrome.execute_script(script, *arguments)

    def wait_for_state(self, state: str) -> None:
        """Wait until the page says so."""
        script = "return document.getElementById('channels-monitor')?.dataset.state"
        wait_for(lambda: self.js(script) == state, f"The page is {state}", SECONDS)

    def rows(self, table: str) -> list[list[str]]:
        """Return the cells of a table."""
        script = """
            return [...document.querySelectorAll(`table[data-rows="${arguments[0]}"] tbody tr`)]
                .map((row) => [...row.children].map((cell) => cell.textContent))
        """
        found: list[list[str]] = self.js(script, table)
        return found

    def charts(self) -> dict[str, int]:
        """Return how many points each chart has, by its title."""
        script = """
            return Object.fromEntries([...document.querySelectorAll("#cm-charts figure")].map((figure) => [
                figure.querySelector("figcaption").firstChild.textContent,
                figure.querySelector("polyline").getAttribute("points").split(" ").filter(Boolean).length,
            ]))
        """
        found: dict[str, int] = self.js(script)
        return found

    def screenshot(self, name: str) -> None:
        """Keep a picture in ``test-output/``."""
        OUTPUT.mkdir(exist_ok=True)
        assert self.chrome.save_screenshot(str(OUTPUT / f"admin-{name}.png"))


@pytest.mark.browser
def test_page_is_live_in_a_browser(admin: Server, site: Site) -> None:
    """Tables and charts follow what happens; a worker that is gone is told, and what comes back is shown again."""
    (worker,) = (process for process in site.processes.running if process.args[3] == "runworker")  # type: ignore[index]
    with browser() as chrome:
        page = Page(chrome, admin)
        page.wait_for_state("live")
        pids = {row[0]: int(row[2]) for row in page.rows("processes")}
        assert pids == {"server": admin.process.pid, "worker": worker.pid}
        for number in range(3):
            site.layer.send("test.slow", {"n": number})
        wait_for(lambda: ["test.slow", "3/3"] in [row[:2] for row in page.rows("channels")], "The full channel", 30)
        bad = (
            "return [...document.querySelectorAll('[data-rows=channels] tr.bad')].map((row) => row.cells[0].innerText)"
        )
        assert page.js(bad) == ["test.slow"]
        wait_for(lambda: min(page.charts().values()) >= 3, "Points in each chart", SECONDS)
        page.screenshot("live")
        stop(worker, signal.SIGTERM)
        page.wait_for_state("silent")
        page.screenshot("silent")
        site.start_worker("--exclude-channels=test.slow")
        page.wait_for_state("live")
        told = [entry["message"] for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"]
    problems = [text for text in told if "/favicon.ico" not in text]
    assert problems == []
