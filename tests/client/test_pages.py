"""The client in a real browser, while servers, workers, the network and the computer fail it."""

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.chat import browser
from tests.support.processes import Processes, free_port, stop, wait_for
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

SECONDS = 60
ASLEEP = 3.5
"""Seconds that a sleep takes here; the pages call more than 3 a sleep."""

pytestmark = [pytest.mark.browser, pytest.mark.slow]


class Site:
    """A server, a worker, and the network before them."""

    def __init__(self, directory: Path, redis: RedisServer) -> None:
        self.journal = directory / "journal.txt"
        self.journal.touch()
        environment = {
            "DJANGO_SETTINGS_MODULE": "tests.client.site.settings",
            "SITE_REDIS": redis.url,
            "SITE_JOURNAL": str(self.journal),
        }
        self.processes = Processes(directory, environment)
        self.port = free_port()
        self.network = Proxy(self.port)
        self.start_server()
        self.start_worker()

    def start_server(self) -> None:
        """Start the server, on the port that it always has."""
        command = ["-m", "django", "runserver", "--noreload", "--noworker", f"127.0.0.1:{self.port}"]
        self.server = self.processes.start(command)
        wait_for(lambda: self.server.poll() is None, "The server runs")

    def start_worker(self) -> None:
        """Start a worker."""
        self.worker = self.processes.start(["-m", "django", "runworker"])

    def received(self) -> list[str]:
        """Return what consumers received on the stream ``echo``, in order."""
        return self.journal.read_text().split()

    def close(self) -> None:
        """Stop everything."""
        self.network.close()
        self.processes.stop()


class Page:
    """A page of the site, seen through the network."""

    def __init__(self, chrome: Any, site: Site, path: str = "/", **options: Any) -> None:
        self.chrome = chrome
        self.site = site
        wait_for(lambda: self._load(f"{path}?options={quote(json.dumps(options))}"), "The page", SECONDS)

    def _load(self, path: str) -> bool:
        from selenium.common.exceptions import WebDriverException

        try:
            self.chrome.get(f"http://127.0.0.1:{self.site.network.port}{path}")
        except WebDriverException:
            return False
        return bool(self.js("return window.bridge !== undefined"))

    def js(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.chrome.execute_script(script, *arguments)

    def seen(self, name: str) -> Any:
        """Return what the page has noted of one kind."""
        return self.js("return seen[arguments[0]]", name)

    def wait_until(self, name: str, value: Any) -> None:
        """Wait until the page has noted exactly this."""
        last: list[Any] = []

        def is_so() -> bool:
            last[:] = [self.seen(name)]
            return bool(last == [value])

        try:
            wait_for(is_so, name, SECONDS)
        except AssertionError:
            raise AssertionError(f"{name}: {last[0]}, not {value}\n{self.site.processes.log()}") from None

    def wait_for_loss(self) -> None:
        """Wait until the page knows that its connection is lost."""
        wait_for(lambda: self.seen("closed"), "The loss of the connection", SECONDS)

    def say(self, *texts: str) -> None:
        """Send messages on the stream ``echo``, whatever the state of the connection."""
        self.js("for (const text of arguments[0]) bridge.stream('echo').send({text})", texts)

    def expect_news(self) -> None:
        """Insist that the page is a member of its group: it joins by a message, on each connection."""
        self.js("bridge.stream('news').send({topic: 'sport', text: 'goal'})")
        wait_for(lambda: self.seen("news")[-1] == "goal", "News", SECONDS)


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    """One browser for all tests."""
    with browser() as chrome:
        yield chrome


@pytest.fixture
def site(tmp_path: Path, redis_server: RedisServer) -> Iterator[Site]:
    """A site of the test's own."""
    site = Site(tmp_path, redis_server)
    try:
        yield site
    finally:
        site.close()


@pytest.fixture
def page(chrome: Any, site: Site) -> Page:
    """A page whose stream has subscribed."""
    page = Page(chrome, site, queueSize=100)
    page.wait_until("news", ["joined sport"])
    return page


@pytest.fixture
def light_sleeper(chrome: Any, site: Site) -> Page:
    """The same, with a page to which a few seconds without timers are a sleep."""
    page = Page(chrome, site, queueSize=100, sleepThreshold=2000)
    page.wait_until("news", ["joined sport"])
    return page


def processes_below(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that they have."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # It has ended.
    found = [pid]
    for parent in found:
        found += [child for child, its_parent in parents.items() if its_parent == parent]
    return found[1:]


@pytest.mark.parametrize("path", ["/", "/module/"])
def test_page_talks_in_streams(chrome: Any, site: Site, path: str) -> None:
    """With the global name of the classic script, and with the module; the console stays empty."""
    chrome.get("about:blank")  # The page before this one misses its server.
    chrome.get_log("browser")
    page = Page(chrome, site, path, queueSize=10)
    page.say("early", "bird")
    page.wait_until("echo", ["early", "bird"])
    page.expect_news()
    assert [entry for entry in chrome.get_log("browser") if entry["level"] == "SEVERE"] == []


def test_error_of_the_server_reaches_the_stream(page: Page) -> None:
    """A payload that is no object is refused by the demultiplexer, with words."""
    page.js("bridge.stream('echo').send(5)")
    page.wait_until("problems", ["invalid_payload"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_page_survives_a_restart_of_the_server(page: Page, number: signal.Signals) -> None:
    """Stopped in order or killed: what was sent meanwhile arrives once, and the group is joined again."""
    page.say("before")
    page.wait_until("echo", ["before"])
    stop(page.site.server, number)
    page.wait_for_loss()
    page.say("a", "b", "c")
    page.site.start_server()
    page.wait_until("echo", ["before", "a", "b", "c"])
    page.expect_news()
    assert page.site.received() == ["before", "a", "b", "c"]
    assert [page.seen("opened"), page.seen("reconnected")] == [2, 1]


def test_page_does_not_notice_a_restart_of_the_worker(page: Page) -> None:
    """The socket stays open; what is sent meanwhile waits on the layer and arrives once."""
    stop(page.site.worker)
    page.say("a", "b", "c")
    page.site.start_worker()
    page.wait_until("echo", ["a", "b", "c"])
    page.expect_news()
    assert page.site.received() == ["a", "b", "c"]
    assert [page.seen("opened"), page.seen("closed")] == [1, 0]


def test_page_survives_a_network_that_is_cut(page: Page) -> None:
    """Connections are reset, attempts fail, and in the end one gets through."""
    page.site.network.cut()
    page.wait_for_loss()
    page.say("a", "b", "c")
    page.js("window.attempts = 0; bridge.socket.addEventListener('error', () => attempts++)")
    wait_for(lambda: page.js("return attempts") >= 2, "Attempts in vain", SECONDS)
    page.site.network.restore()
    page.wait_until("echo", ["a", "b", "c"])
    page.expect_news()
    assert page.site.received() == ["a", "b", "c"]
    assert page.seen("reconnected") == 1


def test_page_gives_up_attempts_into_a_silent_network(chrome: Any, site: Site) -> None:
    """Nobody answers and nobody refuses: only the time limit ends such an attempt."""
    page = Page(chrome, site, queueSize=100, connectionTimeout=1000)
    page.wait_until("news", ["joined sport"])
    page.js("window.codes = []; bridge.socket.addEventListener('error', ({code}) => codes.push(code))")
    site.network.silence()
    page.js("bridge.socket.close()")
    page.say("a")
    wait_for(lambda: "ETIMEDOUT" in page.js("return codes"), "An attempt that takes too long", SECONDS)
    site.network.restore()
    page.wait_until("echo", ["a"])
    assert site.received() == ["a"]


def test_page_survives_a_sleep(light_sleeper: Page) -> None:
    """The computer stops, the connection dies in silence, and it looks open when the computer goes on."""
    page = light_sleeper
    asleep = processes_below(page.chrome.service.process.pid)
    assert len(asleep) > 2
    for pid in asleep:
        os.kill(pid, signal.SIGSTOP)
    try:
        page.site.network.silence()
        page.site.network.restore()
        time.sleep(ASLEEP)
    finally:
        for pid in asleep:
            os.kill(pid, signal.SIGCONT)
    page.say("awake")
    page.wait_until("echo", ["awake"])
    page.expect_news()
    assert page.site.received() == ["awake"]
    assert page.seen("reconnected") >= 1


def test_page_that_was_frozen_connects_anew_by_itself(light_sleeper: Page) -> None:
    """The browser suspends its timers; nobody touches it when they go on."""
    page = light_sleeper
    page.chrome.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "frozen"})
    page.site.network.silence()
    page.site.network.restore()
    time.sleep(ASLEEP)
    page.chrome.execute_cdp_cmd("Page.setWebLifecycleState", {"state": "active"})
    wait_for(lambda: page.seen("reconnected"), "Another connection", SECONDS)
    page.expect_news()
