"""The chat over Redis: one server, two worker processes, one of which is stopped in mid-conversation."""

import json
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from websockets.sync.client import ClientConnection

from tests.support.chat import Site, Talker, browser, hear, running, send
from tests.support.processes import stop
from tests.support.redis import RedisServer

MESSAGES = 150
"""How many each of the two users says."""

UNCONFIRMED = 8
"""How far a user talks ahead, in messages."""


@pytest.fixture
def site(tmp_path: Path, redis_server: RedisServer) -> Iterator[Site]:
    """A chat on Redis with two worker processes."""
    with running(tmp_path, redis_server.url, workers=2) as site:
        yield site


def converse(
    opened: ClientConnection, name: str, is_underway: threading.Event, is_stopped: threading.Event
) -> dict[str, list[int]]:
    """Say numbered messages while listening, the last ones after the stop; return the numbers heard of each author."""
    heard: dict[str, list[int]] = {}
    sent = 0
    while sum(map(len, heard.values())) < 2 * MESSAGES:
        own = len(heard.get(name, ()))
        if sent < MESSAGES and sent - own < UNCONFIRMED:
            if sent == MESSAGES - UNCONFIRMED:
                assert is_stopped.wait(60)
            send(opened, "chat", action="say", text=str(sent), key=str(sent))
            sent += 1
            continue
        try:
            frame = json.loads(opened.recv(timeout=30))
        except TimeoutError:
            missing = {author: sorted(set(range(sent)) - set(numbers)) for author, numbers in heard.items()}
            raise AssertionError(f"{name} said {sent} messages and did not hear {missing}") from None
        if frame["payload"]["event"] == "message":
            heard.setdefault(frame["payload"]["author"], []).append(int(frame["payload"]["text"]))
        if own > MESSAGES // 4:
            is_underway.set()
    return heard


def test_stopping_a_worker_loses_no_message(site: Site, anna: Talker, ben: Talker, room: str) -> None:
    """Both users hear every message of both, once and in order, and the worker ends in peace."""
    is_underway, is_stopped = threading.Event(), threading.Event()
    worker = site.processes.running[-1]
    sockets = {user.name: user.enter(room) for user in (anna, ben)}
    with ThreadPoolExecutor(2) as pool:
        talks = [pool.submit(converse, opened, name, is_underway, is_stopped) for name, opened in sockets.items()]
        assert is_underway.wait(60), site.processes.log()
        worker.send_signal(signal.SIGTERM)
        is_stopped.set()
        status = worker.wait(20)
        heard = [talk.result(120) for talk in talks]
    everything = {name: list(range(MESSAGES)) for name in sockets}
    assert (heard, status) == ([everything, everything], 0)


def test_other_worker_serves_alone(site: Site, anna: Talker, room: str) -> None:
    """Pages and sockets go on with the worker that is left."""
    opened = anna.enter(room)
    stop(site.processes.running[-1])
    send(opened, "chat", action="say", text="Alone", key="k1")
    assert hear(opened, "chat", "message")["text"] == "Alone"
    assert anna.http.get(f"/rooms/{room}/").status_code == 200


def test_page_works_with_separate_workers(site: Site, anna: Talker, room: str) -> None:
    """A browser shows what another process consumed."""
    from selenium.webdriver.common.by import By
    from selenium.webdriver.common.keys import Keys

    opened = anna.enter(room)
    with browser() as chrome:
        chrome.get(f"{site.url}/login/")
        cookie = anna.http.cookies["sessionid"]
        chrome.add_cookie({"name": "sessionid", "value": cookie, "path": "/"})
        chrome.get(f"{site.url}/rooms/{room}/")
        chrome.find_element(By.ID, "text").send_keys("From a browser", Keys.ENTER)
        assert hear(opened, "chat", "message")["text"] == "From a browser"
