"""``manage.py channels``: each action on a real layer."""

import contextlib
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.text import Text
from websockets.sync.client import connect

from channels.observe import overview
from tests.monitor.conftest import Site
from tests.support.processes import ROOT, wait_for
from tests.support.redis import RedisServer
from tests.support.servers import serve

OUTPUT = ROOT / "test-output"
NEXT_FRAME = "\x1b[H"
"""What a terminal is sent before it is drawn anew."""


@pytest.mark.slow
def test_status_shows_processes_channels_groups_and_counters(site: Site) -> None:
    """One picture of what runs, waits and was counted."""
    with serve("uvicorn", "tests.monitor.site.asgi:application", site.processes) as server:
        worker = site.start_worker("--exclude-channels=test.slow")
        with connect(f"{server.ws_url}/") as socket:
            socket.send("hello")
            assert socket.recv(timeout=30) == "hello"
            site.layer.send("test.slow", {"n": 1})
            site.layer.send("test.fail", {})

            def seen() -> Any:
                shown = json.loads(site.command("status", "--json", "--interval", "0.2"))
                consumers = [p["details"]["consumers"] for p in shown["processes"] if p["kind"] == "worker"]
                return shown if "tests.monitor.site.consumers.fail" in consumers[0] else None

            shown = wait_for(seen, "News of the worker", 30)
            text = site.command("status", "--interval", "0.2")
    assert {row["kind"]: row["pid"] for row in shown["processes"]} == {
        "server": server.process.pid,
        "worker": worker.pid,
    }
    rows = {row["name"]: row for row in shown["channels"]}
    assert (rows["test.slow"]["pending"], rows["test.slow"]["workers"]) == (1, 0)
    assert rows["websocket.receive"]["workers"] == 1
    assert shown["groups"] == {"room": 1}
    assert shown["counters"]["consumer.failed.exception"] == 1
    assert re.search(r"^  worker +\S+ +\d+ .* 0/1 busy", text, re.MULTILINE)
    assert re.search(r"^  test\.slow +1/3 ", text, re.MULTILINE)
    assert re.search(r"^  tests\.monitor\.site\.consumers\.fail +1 ", text, re.MULTILINE)


def test_channel_that_nobody_wants_is_not_shown(site: Site) -> None:
    """The interface tells of each request that ended; where no route listens, that is always full and means nothing."""
    site.layer.send("http.disconnect", {})
    site.layer.send("test.slow", {})
    assert [row.name for row in overview.take(site.layer).channels] == ["test.slow"]
    shown = overview.take(site.layer, also=["http.disconnect"])
    assert [row.name for row in shown.channels] == ["http.disconnect", "test.slow"]


def test_process_that_ends_is_shown_no_more(site: Site) -> None:
    """A worker takes its leave when it is stopped."""
    worker = site.start_worker()
    worker.send_signal(signal.SIGTERM)
    worker.wait(30)
    assert site.announced("worker") == []


def test_peek_shows_messages_and_leaves_them(site: Site) -> None:
    """Long contents are shortened."""
    site.layer.send("test.slow", {"text": "x" * 500, "n": 1})
    shown = site.command("peek", "test.slow")
    assert "'n': 1" in shown
    assert "(500)" in shown
    assert "x" * 100 not in shown
    assert site.layer.receive(["test.slow"])[1]["n"] == 1
    assert site.command("peek", "test.slow") == "Nothing waits on test.slow.\n"


def test_peek_shows_what_is_nested_deeply(site: Site) -> None:
    """A stranger may have sent more than can be followed."""
    content: dict[str, Any] = {}
    for _ in range(480):
        content = {"in": content}
    site.layer.send("test.slow", content)
    assert "... (1)" in site.command("peek", "test.slow")


def test_send_reaches_channels_and_groups(site: Site) -> None:
    """The content is JSON."""
    site.layer.group_add("room", "test.member")
    assert site.command("send", "test.slow", '{"n": 1}') == "Sent to channel test.slow.\n"
    site.command("send", "--group", "room", '{"n": 2}')
    assert site.layer.receive(["test.slow"]) == ("test.slow", {"n": 1})
    assert site.layer.receive(["test.member"]) == ("test.member", {"n": 2})


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("send", "test.slow", "{"), "The content must be JSON"),
        (("send", "test.slow", "[1]"), "The content must be a JSON object"),
        (("send", "no channel", "{}"), "character ' ' at position 2"),
        (("peek", "a?b?c"), "Channel name must be"),
        (("peek", "test.slow", "--layer", "other"), "CHANNEL_LAYERS has no layer 'other'"),
        (("dead-letters", "replay"), "Say of which channel"),
    ],
)
def test_mistakes_are_told(site: Site, arguments: tuple[str, ...], error: str) -> None:
    """What was wrong, without a traceback."""
    assert error in site.command(*arguments)


def test_send_to_a_full_channel_says_so(site: Site) -> None:
    """Which, and what to do."""
    for _ in range(3):
        site.command("send", "test.slow", "{}")
    assert "CommandError: Channel test.slow holds 3 unread messages" in site.command("send", "test.slow", "{}")


def test_flush_removes_one_channel_or_everything(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks before."""
    for channel in ("test.slow", "test.slow", "test.fail"):
        site.layer.send(channel, {})
    assert site.command("flush", "--noinput", "--channel", "test.slow") == "2 messages removed from test.slow.\n"
    monkeypatch.setattr("builtins.input", lambda question: "no")
    assert site.command("flush") == "CommandError: Nothing was removed."
    monkeypatch.setattr("builtins.input", lambda question: "yes")
    assert site.command("flush").startswith("All messages and groups of default")
    assert site.layer.receive(["test.fail"])[0] is None


def test_dead_letters_are_listed_replayed_and_deleted(
    redis_server: RedisServer, site: Site, use_layer: Callable[..., None]
) -> None:
    """Of a channel that is delivered at least once."""
    use_layer(redis_server.url, delivery={"test.*": "at-least-once"}, redelivery_after=0.05, max_deliveries=1)

    def bury(number: int) -> None:
        site.layer.send("test.kept", {"n": number})
        (delivery,) = site.layer.receive_batch(["test.kept"], 1, 5)
        site.layer.finish_deliveries([delivery.content], False)
        wait_for(lambda: not site.layer.receive_batch(["test.kept"]) and f"'n': {number}" in letters(), "A dead letter")

    def letters() -> str:
        return site.command("dead-letters", "list", "test.kept")

    bury(1)
    assert "delivered 1 times" in letters()
    assert site.command("dead-letters", "list") == "test.kept  1\n"
    assert site.command("dead-letters", "replay", "test.kept") == "1 messages sent to test.kept again.\n"
    assert site.layer.receive(["test.kept"])[1]["n"] == 1
    assert letters() == "test.kept has no dead letters.\n"
    bury(2)
    assert site.command("dead-letters", "delete", "test.kept") == "1 dead letters of test.kept deleted.\n"
    assert letters() == "test.kept has no dead letters.\n"


def read_terminal(descriptor: int, until: str) -> bytes:
    """Return what a terminal is sent until it holds ``until``."""
    shown = b""
    os.set_blocking(descriptor, False)

    def look() -> bool:
        nonlocal shown
        with contextlib.suppress(BlockingIOError):
            shown += os.read(descriptor, 65536)
        return until.encode() in shown

    wait_for(look, f"{until!r} in the terminal", 60)
    return shown


@pytest.mark.slow
def test_top_draws_the_state_in_a_terminal(site: Site, tmp_path: Path) -> None:
    """Live: what is sent after its start appears, and Ctrl-C ends it."""
    site.start_worker("--exclude-channels=test.slow")
    ours, theirs = pty.openpty()
    environment = {**site.processes.environment, "TERM": "xterm-256color", "COLUMNS": "110", "LINES": "50"}
    command = [sys.executable, "-m", "django", "channels", "top", "--interval", "0.2"]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdin=theirs, stdout=theirs, stderr=theirs)
    try:
        os.close(theirs)
        first = read_terminal(ours, "messages/s")
        site.layer.send("test.slow", {"n": 1})
        later = read_terminal(ours, "1/3") + read_terminal(ours, NEXT_FRAME)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(ours)
    assert b"worker" in first
    assert b"test.slow" in later
    OUTPUT.mkdir(exist_ok=True)
    console = Console(record=True, width=110, file=io.StringIO())
    console.print(Text.from_ansi(later.decode(errors="replace").replace("\r", "").split(NEXT_FRAME)[-2]))
    console.save_svg(str(OUTPUT / "top.svg"), title="manage.py channels top")


def test_top_says_what_to_install(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The terminal drawing is an extra."""
    monkeypatch.setitem(sys.modules, "rich.live", None)
    assert "pip install 'channels-classic[top]'" in site.command("top")
