"""What only the layer between processes promises: its limits, its file, and what killed processes leave behind."""

import asyncio
import errno
import gc
import multiprocessing
import os
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from channels import counters
from channels.exceptions import ChannelFull, LayerUnavailable, MessageTooLarge
from channels.layers.base import Delivery, Outgoing
from channels.layers.ipc import IPCChannelLayer
from channels.layers.ipc import layer as ipc_layer
from channels.layers.ipc import place as ipc_place
from channels.layers.ipc import space as ipc_space
from channels.layers.ipc import steps as ipc_steps
from channels.layers.ipc.steps import Runner
from channels.layers.turns import Early, Verdict
from tests.support.layers import making
from tests.support.processes import ROOT, wait_for


@pytest.fixture
def directory() -> Iterator[Path]:
    """A meeting place, not made yet; its path is short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="ipc-") as parent:
        yield Path(parent) / "place"


@pytest.fixture
def make_layer(directory: Path) -> Iterator[Callable[..., IPCChannelLayer]]:
    """A function that makes layers which meet."""
    with making(IPCChannelLayer, directory=directory) as make:
        yield make


@pytest.fixture
def layer(make_layer: Callable[..., IPCChannelLayer]) -> IPCChannelLayer:
    """A layer on an empty meeting place."""
    return make_layer(capacity=10_000)


@pytest.fixture
def only_bells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits in this process does not look by itself."""
    monkeypatch.setattr(ipc_layer, "LOOK_SECONDS", 600)


class Script:
    """A Python process that has ``layer``, on the same meeting place, and runs a few lines."""

    def __init__(self, directory: Path, lines: str) -> None:
        head = (
            "import os, sys, time\nfrom channels.layers.ipc import IPCChannelLayer\n"
            f"layer = IPCChannelLayer(directory={str(directory)!r}, capacity=10**6)\n"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", head + lines], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )

    def read(self) -> str:
        """Return the next line that it prints."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        """Kill it at once."""
        self.process.kill()
        self.end()

    def end(self) -> str:
        """Wait until it has ended and return what it printed."""
        assert self.process.stdout is not None
        output = self.process.stdout.read()
        self.process.wait()
        return output


@pytest.fixture
def run(directory: Path) -> Iterator[Callable[[str], Script]]:
    """A function that starts a process."""
    started: list[Script] = []

    def start(lines: str) -> Script:
        started.append(Script(directory, lines))
        return started[-1]

    yield start
    for script in started:
        if script.process.poll() is None:
            script.process.send_signal(signal.SIGCONT)
            script.kill()
        assert script.process.stdout is not None
        script.process.stdout.close()


# Options


def test_all_options_of_1x_are_taken() -> None:
    """A CONFIG that was written for 1.x works, with its names and its order."""
    layer = IPCChannelLayer("mysite", 30, 3600, 7, {"http.*": 5}, 5_000_000, 1_000_000)
    assert (layer.prefix, layer.expiry, layer.group_expiry, layer.capacity) == ("mysite", 30, 3600, 7)
    assert layer.get_capacity("http.request") == 5
    assert "mysite" in str(layer)


def test_layers_of_one_prefix_meet_in_one_directory() -> None:
    """The directory is named after user and prefix."""
    assert IPCChannelLayer(prefix="a").directory == IPCChannelLayer(prefix="a").directory
    assert IPCChannelLayer(prefix="a").directory != IPCChannelLayer(prefix="b").directory
    assert str(os.getuid()) in IPCChannelLayer().directory.name


@pytest.mark.parametrize("prefix", ["", "a/b", "asgi:", None, "ä"])
def test_prefix_that_is_no_name_is_refused(prefix: Any) -> None:
    """The prefix becomes part of a path."""
    with pytest.raises(ValueError, match=r"use letters, digits and any of"):
        IPCChannelLayer(prefix=prefix)


def test_directory_too_long_for_sockets_is_refused() -> None:
    """The system limits the paths of sockets; the error says so before anything is sent."""
    with pytest.raises(ValueError, match="too long for the names of sockets"):
        IPCChannelLayer(directory="/tmp/" + "x" * 90)


# Limits


def test_full_message_memory_refuses(make_layer: Callable[..., IPCChannelLayer]) -> None:
    """Memory is one limit for all channels; what is taken makes room again."""
    layer = make_layer(message_memory=10_000)
    for number in range(3):
        layer.send(f"test.{number}", {"bytes": b"x" * 3000})
    with pytest.raises(ChannelFull, match="message_memory"):
        layer.send("test.other", {"bytes": b"x" * 3000})
    layer.receive(["test.0"])
    layer.send("test.other", {"bytes": b"x" * 3000})


def test_expired_messages_of_others_make_room_in_the_memory(make_layer: Callable[..., IPCChannelLayer]) -> None:
    """Messages that nobody will ask for again do not keep the memory full."""
    layer = make_layer(message_memory=10_000, expiry=60)
    for number in range(3):
        layer.send(f"test.{number}", {"bytes": b"x" * 3000})
    layer.clock = lambda: time.time() + 61
    layer.send("test.other", {"bytes": b"x" * 3000})
    assert layer.channel_statistics("test.0")["messages_pending"] == 0


def test_message_larger_than_the_memory_is_refused(make_layer: Callable[..., IPCChannelLayer]) -> None:
    """It would never fit."""
    with pytest.raises(MessageTooLarge, match="10000"):
        make_layer(message_memory=10_000).send("test.channel", {"bytes": b"x" * 10_000})


def test_full_group_memory_refuses_members(make_layer: Callable[..., IPCChannelLayer]) -> None:
    """Memberships have a memory of their own; renewals and those that ended make no difference to it."""
    layer = make_layer(group_memory=1000)
    with pytest.raises(ChannelFull, match="group_memory"):
        add_members(layer, 100)
    members = len(layer.group_channels("group"))
    assert 5 < members < 10
    layer.group_add("group", "test.0")
    layer.group_discard("group", "test.0")
    layer.group_add("group", "test.x")
    assert len(layer.group_channels("group")) == members


def test_memory_is_counted_exactly(make_layer: Callable[..., IPCChannelLayer]) -> None:
    """After any traffic an empty layer counts nothing."""
    layer = make_layer(capacity=3, message_memory=100_000)
    for channel in ("test.a", "test.b?c", "test.p!one", "test.p!two"):
        layer.group_add("group", channel)
    for _ in range(5):
        layer.send_batch([Outgoing("test.a", {"n": 1}), Outgoing("group", {"n": 2}, to_group=True)])
    while layer.receive(["test.a", "test.b?c", "test.p!"])[0]:
        pass
    for channel in layer.group_channels("group"):
        layer.group_discard("group", channel)
    layer.close()
    with sqlite3.connect(layer.directory / ipc_place.FILE_NAME) as connection:
        assert connection.execute("SELECT messages_size, members_size FROM totals").fetchall() == [(0, 0)]
        assert connection.execute("SELECT sum(pending) FROM queues").fetchall() == [(0,)]
    connection.close()


# Several processes


def test_processes_talk_to_each_other(layer: IPCChannelLayer, run: Callable[[str], Script]) -> None:
    """A waiting process is woken by another and answers."""
    echo = run(
        "print('ready', flush=True)\n"
        "for _ in range(100):\n"
        "    (delivery,) = layer.receive_batch(['test.in'], 1, 20)\n"
        "    layer.send('test.out?x', delivery.content)\n"
    )
    assert echo.read() == "ready"
    for number in range(100):
        layer.send("test.in", {"n": number})
        assert layer.receive_batch(["test.out?x"], 1, 20) == [Delivery(("test.out?x",), {"n": number})]
    echo.end()


@pytest.mark.usefixtures("only_bells")
def test_waiting_process_is_woken(layer: IPCChannelLayer, run: Callable[[str], Script]) -> None:
    """No polling: the answer comes although no process looks by itself."""
    run(
        "from channels.layers.ipc import layer as ipc_layer\n"
        "ipc_layer.LOOK_SECONDS = 600\n"
        "while True:\n"
        "    for d in layer.receive_batch(['test.in'], 1, 600):\n"
        "        layer.send('test.out?x', d.content)\n"
    )
    for number in range(20):
        wait_for(lambda: waiting(layer) == 1, "the other process waits")
        layer.send("test.in", {"n": number})
        (answer,) = layer.receive_batch(["test.out?x"], 1, 60)
        assert answer.content == {"n": number}


def test_each_message_is_taken_by_one_process(layer: IPCChannelLayer, run: Callable[[str], Script]) -> None:
    """Several readers and writers lose nothing and take nothing twice."""
    reader = (
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for d in layer.receive_batch(['test.in'], 5, 20):\n"
        "        if d.content['n'] < 0: sys.exit()\n"
        "        print(d.content['n'])\n"
    )
    readers = [run(reader) for _ in range(3)]
    for script in readers:
        assert script.read() == "ready"
    writers = [run(f"for n in range({first}, {first} + 300): layer.send('test.in', {{'n': n}})") for first in (0, 300)]
    for script in writers:
        script.end()
    for _ in range(20):
        layer.send("test.in", {"n": -1})
    taken = [int(line) for script in readers for line in script.end().split()]
    assert sorted(taken) == list(range(600))


def test_forked_process_opens_its_own(layer: IPCChannelLayer) -> None:
    """Parent and child go on side by side."""
    layer.send("test.in", {"n": 1})

    def child() -> None:
        _, content = layer.receive(["test.in"])
        layer.send("test.out?x", {"n": (content or {})["n"] + 1})

    process = multiprocessing.get_context("fork").Process(target=child)
    process.start()
    process.join(20)
    assert process.exitcode == 0
    assert layer.receive(["test.out?x"]) == ("test.out?x", {"n": 2})


def test_forked_process_shares_its_file_with_strangers(layer: IPCChannelLayer, run: Callable[[str], Script]) -> None:
    """Also when its parent, that had the file open at the fork, has closed it as the last one that it knew of."""
    layer.send("test.in", {})
    context = multiprocessing.get_context("fork")
    has_used, may_send = context.Event(), context.Event()

    def child() -> None:
        layer.receive(["test.in"])
        has_used.set()
        may_send.wait(30)
        layer.send("test.out?x", {"n": 1})

    process = context.Process(target=child)
    process.start()
    assert has_used.wait(30)
    layer.close()
    stranger = run(
        "layer.send('test.other', {})\nprint('ready', flush=True)\n"
        "print([d.content for d in layer.receive_batch(['test.out?x'], 1, 20)])"
    )
    assert stranger.read() == "ready"
    may_send.set()
    process.join(30)
    assert stranger.end() == "[{'n': 1}]\n"


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_fork_beside_a_busy_thread_can_use_the_layer(layer: IPCChannelLayer) -> None:
    """It inherits no transaction of that thread, which it could neither end nor wait for."""
    is_over = threading.Event()

    def work() -> None:
        while not is_over.is_set():
            layer.send("test.busy", {"bytes": b"x" * 2000})
            layer.receive(["test.busy"])

    thread = threading.Thread(target=work)
    thread.start()
    context = multiprocessing.get_context("fork")
    ends = []
    for number in range(5):
        process = context.Process(target=layer.send, args=("test.in", {"n": number}))
        process.start()
        process.join(30)
        ends.append(process.exitcode)
        process.kill()
        process.join()
    is_over.set()
    thread.join()
    assert ends == [0] * 5
    assert [d.content["n"] for d in iter_all(layer, "test.in")] == [0, 1, 2, 3, 4]


# Killed processes


def test_killed_writers_leave_whole_messages(layer: IPCChannelLayer, run: Callable[[str], Script]) -> None:
    """Whatever moment a writer is killed at: batches arrive whole and in order, and everyone else goes on."""
    for attempt in range(6):
        writer = run(
            "from channels.layers.base import Outgoing\n"
            "print('ready', flush=True)\n"
            "n = 0\n"
            "while True:\n"
            "    layer.send_batch([Outgoing('test.w?x', {'n': n, 'part': p, 'pad': 'x' * 500}) for p in range(8)])\n"
            "    n += 1\n"
        )
        assert writer.read() == "ready"
        wait_for(lambda: layer.channel_statistics("test.w?x")["messages_pending"] > 50, "the writer writes")
        time.sleep(0.003 * attempt)
        writer.kill()
        taken = [d.content for d in iter_all(layer, "test.w?x")]
        assert [(c["n"], c["part"]) for c in taken] == [(n, p) for n in range(len(taken) // 8) for p in range(8)]
    layer.send("test.w?x", {})
    assert layer.receive(["test.w?x"]) == ("test.w?x", {})


def test_killed_readers_lose_only_what_they_had_in_hand(layer: IPCChannelLayer, run: Callable[[str], Script]) -> None:
    """Each reader that is killed takes at most one batch with it; nothing is taken twice."""
    total, killed = 2000, 5
    layer.send_batch([Outgoing("test.in", {"n": n}) for n in range(total)])
    taken: list[int] = []
    for _ in range(killed):
        reader = run(
            "while True:\n"
            "    batch = layer.receive_batch(['test.in'], 4, 20)\n"
            "    print(*(d.content['n'] for d in batch), flush=True)\n"
        )
        first = reader.read()
        reader.process.kill()
        lines = [first, *reader.end().splitlines()]
        taken += [int(number) for line in lines for number in line.split()]
    taken += [d.content["n"] for d in iter_all(layer, "test.in")]
    assert len(set(taken)) == len(taken)
    assert len(taken) >= total - 4 * killed


@pytest.mark.usefixtures("only_bells")
def test_killed_waiter_does_not_swallow_a_wake_up(layer: IPCChannelLayer, run: Callable[[str], Script]) -> None:
    """The one that has waited longest is dead: the next is woken in its place."""
    dead = run("layer.receive_batch(['test.in'], 1, 60)")
    wait_for(lambda: waiting(layer) == 1, "the process waits")
    dead.kill()
    received: list[Any] = []
    thread = threading.Thread(target=lambda: received.extend(layer.receive_batch(["test.in"], 1, 60)))
    thread.start()
    wait_for(lambda: waiting(layer) == 2, "both are registered")
    layer.send("test.in", {"n": 1})
    thread.join()
    assert received == [Delivery(("test.in",), {"n": 1})]
    wait_for(lambda: len(list(layer.directory.glob("*.bell"))) == 1, "the dead one's bell is gone")


def test_message_is_sent_although_nobody_can_be_woken(
    layer: IPCChannelLayer, run: Callable[[str], Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is in the file when the dead waiter is found: an error would lead to its being sent twice."""
    dead = run("layer.receive_batch(['test.in'], 1, 60)")
    wait_for(lambda: waiting(layer) == 1, "the process waits")
    dead.kill()

    def fail(*args: Any) -> None:
        raise LayerUnavailable("lost")

    monkeypatch.setattr(ipc_steps, "_wake_others", fail)
    layer.send("test.in", {"n": 1})
    assert layer.receive(["test.in"]) == ("test.in", {"n": 1})


def test_stopped_process_that_holds_the_lock_is_reported(
    layer: IPCChannelLayer, run: Callable[[str], Script], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing hangs for ever: the error says what to look for, and all is well once the lock is free."""
    monkeypatch.setattr("channels.layers.ipc.steps.LOCK_SECONDS", 0.3)
    monkeypatch.setattr(Runner.change, "__defaults__", (0.3,))
    layer.send("test.in", {"n": 1})
    holder = run("def hold(ledger):\n    print('holding', flush=True)\n    time.sleep(60)\nlayer._runner.change(hold)")
    assert holder.read() == "holding"
    with pytest.raises(LayerUnavailable, match="look for one that is stopped"):
        layer.send("test.in", {"n": 2})
    with pytest.raises(LayerUnavailable, match="look for one that is stopped"):
        asyncio.run(layer.areceive(["test.in"]))
    holder.kill()
    assert layer.receive(["test.in"]) == ("test.in", {"n": 1})


def test_bells_of_killed_processes_are_removed(directory: Path, run: Callable[[str], Script]) -> None:
    """A process that comes to the place cleans up after dead ones."""
    dead = run("print('ready', flush=True)\nlayer.receive_batch(['test.in'], 1, 60)")
    assert dead.read() == "ready"
    wait_for(lambda: list(directory.glob("*.bell")), "the process waits")
    dead.kill()
    layer = IPCChannelLayer(directory=directory)
    layer.receive(["test.in"])
    assert list(directory.glob("*.bell")) == []
    layer.close()


# The file


def test_place_is_for_its_owner_only(layer: IPCChannelLayer) -> None:
    """Nobody else may read messages, or make them."""
    layer.send("test.in", {})
    assert stat.S_IMODE(layer.directory.stat().st_mode) == 0o700


def test_place_that_others_may_enter_is_refused(directory: Path) -> None:
    """Someone else may have made the directory first."""
    directory.mkdir(mode=0o755)
    layer = IPCChannelLayer(directory=directory)
    with pytest.raises(LayerUnavailable, match="only its owner"):
        layer.send("test.in", {})


def test_removed_place_is_made_anew(layer: IPCChannelLayer, make_layer: Callable[..., IPCChannelLayer]) -> None:
    """Systems clean up behind users; layers that are open meet again, in a new file."""
    layer.send("test.in", {"n": 1})
    for path in layer.directory.iterdir():
        path.unlink()
    layer.directory.rmdir()
    make_layer().send("test.in", {"n": 2})
    assert layer.receive(["test.in"]) == ("test.in", {"n": 2})


@contextmanager
def file_of_another_version(layer: IPCChannelLayer) -> Iterator[sqlite3.Connection]:
    """Let the file look like one that another version made, with two messages in it; yield who has it open."""
    for number in range(2):
        layer.send("test.in", {"n": number})
    layer.close()
    with closing(sqlite3.connect(layer.directory / ipc_place.FILE_NAME, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE queues RENAME TO old_queues")
        connection.execute("DROP TABLE totals")
        connection.execute("PRAGMA user_version = 99")
        yield connection


def test_file_of_another_version_is_refused_while_it_is_used(layer: IPCChannelLayer) -> None:
    """Two versions of the package do not misread each other, nor take away what the other works with."""
    with (
        file_of_another_version(layer) as connection,
        pytest.raises(LayerUnavailable, match="another version of this package, which still uses it"),
    ):
        layer.send("test.in", {})
    with closing(sqlite3.connect(layer.directory / ipc_place.FILE_NAME)) as connection:
        assert connection.execute("SELECT COUNT(*) FROM messages").fetchone() == (2,)


def test_file_of_another_version_is_made_anew_when_nobody_uses_it(
    layer: IPCChannelLayer, make_layer: Callable[..., IPCChannelLayer], caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing has to be removed by hand after an update; what is lost is counted and said."""
    before = counters.value("message.dropped.old_format")
    with file_of_another_version(layer):
        pass
    layer.send("test.in", {"n": "new"})
    other = make_layer()
    assert [other.receive(["test.in"]), other.receive(["test.in"])] == [("test.in", {"n": "new"}), (None, None)]
    assert counters.value("message.dropped.old_format") == before + 2
    assert "made anew; 2 messages in it are lost" in caplog.text


def test_file_that_is_no_database_is_reported(layer: IPCChannelLayer) -> None:
    """The error says what to do about it."""
    layer.send("test.in", {})
    layer.close()
    for path in layer.directory.iterdir():
        path.write_bytes(b"not a database" * 1000)
    with pytest.raises(LayerUnavailable, match="stop all processes that use it and remove it"):
        layer.send("test.in", {})


def test_last_space_is_left_to_those_who_receive(layer: IPCChannelLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """To take a message is to write: a file system that senders filled could never be emptied again."""
    for _ in range(20):
        layer.send("test.in", {"bytes": b"x" * 5000})
    monkeypatch.setattr(ipc_space, "RESERVE_BYTES", 2**60)
    with pytest.raises(ChannelFull, match="No space is left"):
        layer.send("test.in", {"bytes": b"x" * 5000})
    with pytest.raises(ChannelFull, match="No space is left"):
        layer.group_add("group", "test.in")
    (outcome,) = layer.send_batch([Outgoing("test.in", {"bytes": b"x" * 5000})])
    assert isinstance(outcome, ChannelFull)
    assert len(list(iter_all(layer, "test.in"))) == 20
    layer.send("test.in", {"bytes": b"x" * 5000})  # In the place of what was taken.


def test_full_disk_is_no_full_channel_for_those_who_do_not_send(layer: IPCChannelLayer) -> None:
    """They expect a layer that cannot be reached: workers wait, and try again."""
    layer.send("test.in", {})
    layer._runner.place._connection.execute("PRAGMA max_page_count = 20")  # type: ignore[union-attr]
    with pytest.raises(LayerUnavailable, match="No space is left"):
        layer.inspection.announce("worker-1", {"bytes": b"x" * 200_000}, 5)


def test_part_of_a_batch_that_was_sent_stays_sent(layer: IPCChannelLayer, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the file is lost in between, each message has an outcome of its own: none is sent again in error."""
    attempt, attempts = layer._runner.place.attempt, []

    def lose_second(operation: Any) -> Any:
        attempts.append(operation)
        if len(attempts) == 2:
            raise layer._runner.place.unavailable("lost")
        return attempt(operation)

    monkeypatch.setattr(layer._runner.place, "attempt", lose_second)
    outcomes = layer.send_batch([Outgoing("test.in", {"n": n}) for n in range(300)])
    sent = [n for n, outcome in enumerate(outcomes) if outcome is None]
    assert 0 < len(sent) < 300
    assert {type(outcome) for outcome in outcomes[len(sent) :]} == {LayerUnavailable}
    assert [d.content["n"] for d in iter_all(layer, "test.in")] == sent


def test_full_disk_refuses_messages(layer: IPCChannelLayer) -> None:
    """No space is a full channel: for one message and for each of a batch."""
    layer.send("test.in", {})
    layer._runner.place._connection.execute("PRAGMA max_page_count = 20")  # type: ignore[union-attr]
    with pytest.raises(ChannelFull, match="No space is left"):
        layer.send("test.in", {"bytes": b"x" * 200_000})
    outcomes = layer.send_batch([Outgoing("test.in", {"bytes": b"x" * 200_000}), Outgoing("bad name", {})])
    assert [type(outcome).__name__ for outcome in outcomes] == ["ChannelFull", "TypeError"]
    assert layer.receive(["test.in"]) == ("test.in", {})


def test_process_with_too_many_open_files_sends_and_says_why_it_cannot_wait(
    layer: IPCChannelLayer, make_layer: Callable[..., IPCChannelLayer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is in the file is sent, whether somebody can be woken or not; who cannot wait is told as by a lost layer."""
    other = make_layer()
    received: list[Any] = []
    thread = threading.Thread(target=lambda: received.extend(other.receive_batch(["test.in"], 1, 30)))
    thread.start()
    wait_for(lambda: waiting(layer) == 1, "the other waits")

    def fail(*args: Any) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(socket, "socket", fail)
    layer.send("test.in", {"n": 1})
    with pytest.raises(LayerUnavailable, match="Too many open files"):
        layer.receive(["test.out"], block=True)
    thread.join()
    assert [d.content for d in received] == [{"n": 1}]


def test_unreadable_entry_is_skipped_and_counted(layer: IPCChannelLayer) -> None:
    """What is no message costs nothing but itself."""
    before = counters.value("message.dropped.unreadable")
    layer._runner.change(lambda ledger: ledger.put("test.in", ["test.in"], b"\xc1", False, 10))
    layer.send("test.in", {"n": 1})
    assert layer.receive(["test.in"]) == ("test.in", {"n": 1})
    assert counters.value("message.dropped.unreadable") == before + 1


def test_unreadable_line_begins_anew(layer: IPCChannelLayer) -> None:
    """What is kept of an order and is none holds up nobody."""
    connection = "websocket.send.x!y"
    early = Early("websocket.receive", {"order": 2, "reply_channel": connection})
    first = Early("websocket.connect", {"order": 0, "reply_channel": connection})
    layer.turns.take(connection, early, 1.0, 10)
    for body in (b"\xc1", b"\x80", b"\x81\xa4next\xa1x"):
        layer._runner.change(lambda ledger, body=body: ledger.execute("UPDATE lines SET body = ?, due = 0", (body,)))
        before = counters.value("message.dropped.unreadable")
        assert layer.turns.take(connection, first, 1.0, 10).verdict is Verdict.RUN
        assert counters.value("message.dropped.unreadable") == before + 1


def test_unreadable_announcement_hides_no_other(layer: IPCChannelLayer) -> None:
    """It is shown as what it is."""
    layer.inspection.announce("a", {"kind": "worker"}, 60)
    layer.inspection.announce("b", {"kind": "worker"}, 60)
    layer._runner.change(lambda ledger: ledger.execute("UPDATE announced SET body = x'c1' WHERE name = 'a'"))
    contents = {one.name: one.content for one in layer.inspection.announced()}
    assert list(contents["a"]) == ["unreadable"]
    assert contents["b"] == {"kind": "worker"}


def test_unreadable_entry_is_shown_as_such(layer: IPCChannelLayer) -> None:
    """Those who look at a queue see the others."""
    layer._runner.change(lambda ledger: ledger.put("test.in", ["test.in"], b"\xc1", False, 10))
    layer.send("test.in", {"n": 1})
    first, second = layer.inspection.peek("test.in")
    assert list(first.content) == ["unreadable"]
    assert second.content == {"n": 1}


def test_value_of_another_kind_is_reported(layer: IPCChannelLayer) -> None:
    """SQLite keeps any; the error says what to do about it, and the file is usable when it is gone."""
    layer.send("test.in", {})
    layer._runner.change(lambda ledger: ledger.execute("UPDATE messages SET expires = 'never'"))
    with pytest.raises(LayerUnavailable, match="Stop all processes that use it and remove it"):
        layer.receive(["test.in"])
    layer.flush()
    layer.send("test.in", {"n": 1})
    assert layer.receive(["test.in"]) == ("test.in", {"n": 1})


def test_message_that_cannot_be_removed_is_reported(layer: IPCChannelLayer) -> None:
    """Where an index is broken: whoever drops what has expired does not do so for ever, with the file locked."""
    layer.send("test.in", {})
    broken = "CREATE TRIGGER stay BEFORE DELETE ON messages BEGIN SELECT RAISE(IGNORE); END"
    layer._runner.change(lambda ledger: ledger.execute("UPDATE messages SET expires = 0"))
    layer._runner.change(lambda ledger: ledger.execute(broken))
    with pytest.raises(LayerUnavailable, match="an index is broken"):
        layer.receive(["test.in"])


# Waiting


@pytest.mark.usefixtures("only_bells")
def test_woken_receiver_passes_on_what_it_leaves(layer: IPCChannelLayer) -> None:
    """A message for one queue and one for another wake two, whichever they take."""
    received: list[Any] = []

    def receive() -> None:
        received.extend(layer.receive_batch(["test.a", "test.b"], 1, 60))

    threads = [threading.Thread(target=receive) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: waiting(layer) == 4, "all wait")
    layer.send_batch([Outgoing(name, {}) for name in ("test.a", "test.b", "test.a", "test.b")])
    for thread in threads:
        thread.join()
    assert len(received) == 4


def test_receive_that_is_collected_in_a_transaction_waits_no_more(
    layer: IPCChannelLayer, make_layer: Callable[..., IPCChannelLayer]
) -> None:
    """Its event loop was closed over it. It is garbage then, and may be collected at any moment."""
    other = make_layer()
    loop = asyncio.new_event_loop()

    async def abandon() -> None:
        cycle: list[Any] = []
        cycle += [cycle, asyncio.ensure_future(layer.areceive_batch(["test.in"], 1, 30))]
        await asyncio.to_thread(wait_for, lambda: waiting(other) == 1, "the receive waits")

    gc.disable()
    try:
        loop.run_until_complete(abandon())
        loop.close()
        done = threading.Thread(target=layer._runner.change, args=(lambda ledger: gc.collect(),), daemon=True)
        done.start()
        done.join(30)
    finally:
        gc.enable()
    assert not done.is_alive()
    layer.send("test.in", {"n": 1})
    assert layer.receive(["test.in"]) == ("test.in", {"n": 1})


def test_receive_that_was_cancelled_waits_no_more(layer: IPCChannelLayer) -> None:
    """Nothing stays registered for a receive that is over, whether it timed out or was cancelled."""

    async def main() -> None:
        task = asyncio.ensure_future(layer.areceive(["test.a"]))
        await asyncio.to_thread(wait_for, lambda: waiting(layer) == 1, "it waits")
        task.cancel()
        await asyncio.wait([task])

    asyncio.run(main())
    layer.receive_batch(["test.a"], 1, 0.01)
    assert waiting(layer) == 0


def iter_all(layer: IPCChannelLayer, channel: str) -> Iterator[Delivery]:
    """Yield whatever is on ``channel``."""
    while batch := layer.receive_batch([channel], 100):
        yield from batch


def waiting(layer: IPCChannelLayer) -> int:
    """Return how many receives of all processes are registered to be woken."""
    query = "SELECT count(DISTINCT bell) FROM waiters"
    return int(layer._runner.change(lambda ledger: ledger.execute(query).fetchone()[0]))


def add_members(layer: IPCChannelLayer, count: int) -> None:
    """Make ``count`` channels members of the group."""
    for number in range(count):
        layer.group_add("group", f"test.{number}")


def test_turn_is_given_to_one_of_many(make_layer: Callable[..., IPCChannelLayer]) -> None:
    """Copies of one message that arrive at the same instant: one runs, whoever asks."""
    message = Early("websocket.receive", {"order": 1})
    layers = [make_layer() for _ in range(8)]
    together = threading.Barrier(len(layers))

    def take(layer: IPCChannelLayer) -> Verdict:
        together.wait(30)
        return layer.turns.take("websocket.send.p!one", message, 10, 100).verdict

    with ThreadPoolExecutor(len(layers)) as threads:
        verdicts = list(threads.map(take, layers))
    assert verdicts.count(Verdict.RUN) == 1


def test_flush_forgets_lines(make_layer: Callable[..., IPCChannelLayer]) -> None:
    """A connection begins anew after it."""
    layer = make_layer()
    first, second = (Early("websocket.receive", {"order": order}) for order in (1, 3))
    layer.turns.take("websocket.send.p!one", first, 10, 100)
    assert layer.turns.take("websocket.send.p!one", second, 10, 100).verdict is Verdict.HELD
    layer.flush()
    assert layer.turns.take("websocket.send.p!one", first, 10, 100).verdict is Verdict.RUN
