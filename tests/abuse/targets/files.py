"""What a layer between processes finds in its directory."""

import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgpack
from hypothesis import strategies as st

from channels.exceptions import ChannelFull, LayerUnavailable
from channels.layers.ipc import IPCChannelLayer
from channels.layers.ipc.place import FILE_NAME
from channels.layers.turns import Early, NextStep, Verdict
from tests.abuse.strategies import PAYLOADS, VALUES
from tests.abuse.target import Check, raw_target, target


def _new_file() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        layer = IPCChannelLayer(directory=directory)
        layer.send("test", {"a": 1})
        layer.group_add("g", "test")
        layer.close()
        return (Path(directory) / FILE_NAME).read_bytes()


def _use(layer: Any) -> None:
    """Do everything that can be done with a layer."""
    layer.send("test", {"good": True})
    while layer.receive(["test"])[0] is not None:
        pass
    layer.group_add("g", "test")
    layer.send_group("g", {"good": True})
    layer.group_channels("g")
    layer.global_statistics()
    layer.channel_statistics("test")
    layer.inspection.announced()
    layer.inspection.channels()
    layer.inspection.groups()
    layer.inspection.peek("test")
    layer.turns.stalled(1.0)


@raw_target(_new_file())
def ipc_files() -> Iterator[Check]:
    """Files of any bytes: used, or named as unusable; nothing but the documented error."""
    with tempfile.TemporaryDirectory() as root:

        def check(data: bytes) -> None:
            for path in Path(root).iterdir():
                path.unlink()
            (Path(root) / FILE_NAME).write_bytes(data)
            layer = IPCChannelLayer(directory=root)
            try:
                _use(layer)
            except (LayerUnavailable, ChannelFull):
                return
            finally:
                layer.close()

        yield check


CONNECTION = "websocket.send.x!y"

BODIES = PAYLOADS | st.text(max_size=4) | st.none() | st.integers(0, 3)

LINES = st.fixed_dictionaries(
    {},
    optional={
        "next": st.integers(0, 2) | VALUES,
        "is_running": VALUES,
        "due": st.sampled_from([0, 1e300, None]) | VALUES,
        "state": st.sampled_from(["open", "broken", "ended"]) | VALUES,
        "early": st.lists(st.tuples(st.just("websocket.receive"), st.dictionaries(st.just("order"), VALUES))) | VALUES,
    },
).map(msgpack.packb)
"""The order of a connection, nearly right."""

NUMBERS = st.sampled_from([0, 1, -1, 2**62, 1e300, time.time() + 1000])

NAMES = st.sampled_from(["test", "", "a,b", "!", "a!b", "websocket.send.x!y", "x" * 500])

ANYTHING = NUMBERS | st.sampled_from([None, "x", b"x", b"\xff"])


def _rows(names: st.SearchStrategy[Any], numbers: st.SearchStrategy[Any]) -> dict[str, st.SearchStrategy[Any]]:
    """Return a row each that no process of ours wrote."""
    return {
        "messages": st.tuples(st.just("test"), numbers, numbers, numbers, names, BODIES),
        "members": st.tuples(st.just("g"), names, numbers),
        "announced": st.tuples(names, numbers, numbers, BODIES),
        "lines": st.tuples(names, numbers, st.booleans(), numbers, BODIES | LINES),
    }


def _put(root: str, rows: dict[str, Any]) -> None:
    """Put ``rows`` into the file of the layer in ``root``."""
    with closing(sqlite3.connect(Path(root) / FILE_NAME)) as database, database:
        for table in ("lines", "announced", "queues"):
            database.execute(f"DELETE FROM {table}")
        for table, row in rows.items():
            first = "NULL, " * (table == "messages")
            marks = ", ".join("?" * len(row))
            database.execute(f"INSERT OR IGNORE INTO {table} VALUES ({first}{marks})", row)


def _take_turns(layer: Any) -> None:
    for order in range(2):
        early = Early("websocket.receive", {"order": order, "reply_channel": CONNECTION})
        if layer.turns.take(CONNECTION, early, 1.0, 2).verdict is Verdict.RUN:
            layer.turns.end(CONNECTION, early, 1.0, NextStep.RUN_RELEASED)


@target(st.fixed_dictionaries({}, optional=_rows(NAMES, NUMBERS)))
def ipc_rows() -> Iterator[Check]:
    """Rows that others wrote into the file beside ours: passed over, and what is sent arrives."""
    with tempfile.TemporaryDirectory() as root:

        def check(rows: dict[str, Any]) -> None:
            layer.flush()
            _put(root, rows)
            _use(layer)
            _take_turns(layer)

        layer = IPCChannelLayer(directory=root)
        _use(layer)
        yield check
        layer.close()


OF_QUEUES = {"queues": st.tuples(NAMES, ANYTHING, ANYTHING, ANYTHING, ANYTHING)}


@target(st.fixed_dictionaries({}, optional=_rows(ANYTHING, ANYTHING) | OF_QUEUES))
def ipc_values() -> Iterator[Check]:
    """Values that are of another kind than their columns: the layer says so, and how to go on."""
    with tempfile.TemporaryDirectory() as root:

        def check(rows: dict[str, Any]) -> None:
            layer.flush()
            _put(root, rows)
            try:
                _use(layer)
                _take_turns(layer)
            except (LayerUnavailable, ChannelFull):
                return

        layer = IPCChannelLayer(directory=root)
        _use(layer)
        yield check
        layer.close()
