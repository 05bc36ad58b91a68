"""What operators see of a layer that others can write to: the truth about the rest, and nothing that acts on them."""

import io
import logging
import time
from typing import Any

import pytest
from rich.console import Console

from channels import counters
from channels.layers.inmemory import ChannelLayer
from channels.layers.redis import RedisChannelLayer
from channels.management.inspecting import messages, tables, top
from channels.observe import overview
from channels.observe.doctor import Doctor
from channels.observe.presence import describe_process
from channels.registry import ChannelLayerWrapper
from tests.abuse.strategies import entry_of
from tests.support.redis import RedisServer

HONEST = {
    **describe_process("worker", 1.0),
    "threads": 2,
    "busy": 1,
    "channels": ["test"],
    "consumers": {"a.b": [3, 1.5]},
}


@pytest.fixture
def layer() -> ChannelLayerWrapper:
    """A layer on which one process tells the truth."""
    made = ChannelLayerWrapper(ChannelLayer(), "default", [])
    made.inspection.announce("honest", HONEST, 60)
    return made


def shown(layer: ChannelLayerWrapper) -> str:
    """Return what the commands print of a layer, and the picture as it is drawn in a terminal."""
    picture = overview.take(layer)
    drawn = io.StringIO()
    Console(file=drawn, width=200).print(top._draw(picture, picture))
    rows = (tables.process_rows(picture), tables.consumer_rows(picture), tables.counter_rows(picture))
    return "\n".join([drawn.getvalue(), *(str(row) for part in rows for row in part)])


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("consumers", []),
        ("consumers", {"a": 1}),
        ("consumers", {b"a": [1, 2]}),
        ("counters", {"message.dropped.x": "many"}),
        ("channels", [b"test"]),
        ("channels", ["not a channel"]),
        ("channels", 5),
        ("host", "\x1b[2Jpwned"),
        ("host", b"host"),
        ("started", "yesterday"),
        ("started", float("inf")),
        ("busy", {}),
        ("pid", -1),
        ("only_channels", 1),
    ],
)
def test_forged_announcement_hides_no_process(layer: ChannelLayerWrapper, key: str, value: Any) -> None:
    """It is left out with a line in the log, and counted; the others are shown."""
    layer.inspection.announce("forged", {**HONEST, key: value}, 60)
    before = counters.value("process.dropped.malformed")
    assert [row.name for row in overview.take(layer).processes] == ["honest"]
    assert counters.value("process.dropped.malformed") == before + 1


def test_announcement_of_another_version_is_shown(layer: ChannelLayerWrapper) -> None:
    """As far as it is known."""
    layer.inspection.announce("newer", {**HONEST, "moods": ["good"]}, 60)
    assert [row.name for row in overview.take(layer).processes] == ["honest", "newer"]


def test_brackets_in_a_name_are_no_markup(layer: ChannelLayerWrapper) -> None:
    """The terminal shows them as they are."""
    layer.inspection.announce("marked", {**HONEST, "host": "[/nonsense]"}, 60)
    assert "[/nonsense]" in shown(layer)


def test_name_of_a_process_commands_no_terminal(layer: ChannelLayerWrapper) -> None:
    """Its characters are shown escaped."""
    layer.inspection.announce("\x1b[2J", HONEST, 60)
    assert [row.name for row in overview.take(layer).processes] == ["\\x1b[2J", "honest"]


def test_forged_answers_to_probes_are_passed_over(layer: ChannelLayerWrapper) -> None:
    """The doctor waits for the right one, and shows it."""
    reply = layer.new_channel("probe.answer?")
    for number in (None, "0", [], 7):
        layer.send(reply, {"number": number})
    layer.send(reply, {"no": "number"})
    layer.send(reply, {"number": 0, "host": "\x1b[2J"})
    doctor = Doctor(layer)
    answered = doctor._collect(reply, {0: ("test", time.monotonic())})
    assert list(answered) == [0]
    assert "process None on \\x1b[2J" in doctor._judge("test", "test", answered[0]).text


def test_group_that_nobody_could_make_is_not_shown(redis_server: RedisServer) -> None:
    """Its key is somebody else's."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    layer.group_add("good", "test")
    layer.connection(0).zadd("asgi::group:\x1b[2J", {"test": time.time() * 1000})
    assert layer.inspection.groups() == {"good": 1}
    layer.close()


def test_names_in_an_entry_command_no_terminal(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    """Neither those of its receivers nor what is in it."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    layer.connection(0).rpush("asgi:websocket.send.x!", entry_of({"text": "\x1b[2J"}, b"\x1b[2J"))
    written: list[str] = []
    with caplog.at_level(logging.DEBUG):
        messages.peek(layer, written.append, "websocket.send.x!", 10)
    layer.close()
    assert "2J" in "".join(written)
    assert "\x1b" not in "".join(written)
