"""What is no message: an error in the documented shape, and the socket stays open; a flood of it does not."""

import json
import logging

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from channels import counters
from channels.test import SocketClosed
from tests.consumers_typed.rooms import ChatConsumer

PING = {"action": "ping", "payload": None}
PONG = {"action": "pong", "payload": None}
TAGS = "'chat', 'fail', 'join', 'leave', 'ping', 'who'"

INVALID = {
    "unknown action": (
        '{"action": "x"}',
        {
            "type": "union_tag_invalid",
            "loc": [],
            "msg": f"Input tag 'x' found using 'action' does not match any of the expected tags: {TAGS}",
        },
    ),
    "no action": (
        '{"payload": 1}',
        {"type": "union_tag_not_found", "loc": [], "msg": "Unable to extract tag using discriminator 'action'"},
    ),
    "missing payload": (
        '{"action": "chat"}',
        {"type": "missing", "loc": ["chat", "payload"], "msg": "Field required"},
    ),
    "wrong type": (
        '{"action": "chat", "payload": {"content": 1}}',
        {"type": "string_type", "loc": ["chat", "payload", "content"], "msg": "Input should be a valid string"},
    ),
    "a list": (
        "[1, 2]",
        {"type": "dict_type", "loc": [], "msg": "Input should be an object"},
    ),
}


def error(*details):
    """Return the message that says what is wrong."""
    return {"action": "error", "payload": list(details)}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_message_is_answered(open_socket, case):
    """The client is told what is wrong, and the next message is taken."""
    text, expected = INVALID[case]
    socket = open_socket()
    socket.send(text)
    assert socket.receive_json() == error(expected)
    socket.send_json(PING)
    assert socket.receive_json() == PONG


@pytest.mark.parametrize("text", ["", "{", "nope", '{"action": "ping"', "[" * 5000, '{"action": "\ud800"}'])
def test_malformed_json_is_answered(open_socket, text):
    """It is an error of the type json_invalid."""
    socket = open_socket()
    socket.send(text)
    (detail,) = socket.receive_json()["payload"]
    assert (detail["type"], detail["loc"]) == ("json_invalid", [])
    socket.send_json(PING)
    assert socket.receive_json() == PONG


def test_binary_frame_is_answered(open_socket):
    """It says that messages are text."""
    socket = open_socket()
    socket.send(bytes=b'{"action": "ping"}')
    assert socket.receive_json()["payload"][0]["type"] == "binary_frame"


@pytest.mark.parametrize("letter", ["a", "é"])
def test_large_message_is_answered(open_socket, settings, letter):
    """The limit is in bytes and is named."""
    settings.CHANNELS_TYPED = {"MAX_MESSAGE_BYTES": 100}
    socket = open_socket()
    socket.send_json({"action": "chat", "payload": {"content": letter * 80}})
    assert socket.receive_json() == error(
        {"type": "too_large", "loc": [], "msg": "A message may have at most 100 bytes"}
    )


def test_completion_follows_an_error(open_socket, settings):
    """A client that waits for the end of the answers need not know how they end."""
    settings.CHANNELS_TYPED = {"SEND_COMPLETION": True}
    socket = open_socket()
    socket.send("{")
    assert [socket.receive_json()["action"] for _ in range(2)] == ["error", "complete"]


def test_flood_is_throttled_and_then_closed(open_socket, settings):
    """Past the limit nothing is answered, past the next the socket is closed; valid messages still are in between."""
    settings.CHANNELS_TYPED = {
        "INVALID_MESSAGE_LIMIT": 3,
        "INVALID_MESSAGE_CLOSE": 6,
        "INVALID_MESSAGE_WINDOW": 3600,
    }
    socket = open_socket()
    for _ in range(6):
        socket.send("{")
    socket.send_json(PING)
    assert [socket.receive_json()["action"] for _ in range(4)] == ["error"] * 3 + ["pong"]
    before = counters.value("connection.closed.flood")
    socket.send("{")
    assert socket.receive_close() == 4429
    assert counters.value("connection.closed.flood") == before + 1


def test_invalid_messages_are_counted_anew_after_the_window(open_socket, settings):
    """A client that errs now and then is answered for ever."""
    settings.CHANNELS_TYPED = {"INVALID_MESSAGE_LIMIT": 1, "INVALID_MESSAGE_CLOSE": 2, "INVALID_MESSAGE_WINDOW": 0}
    socket = open_socket()
    for _ in range(5):
        socket.send("{")
        assert socket.receive_json()["action"] == "error"


def test_failing_handler_is_answered_without_its_reason(open_socket, caplog):
    """The client is told that it failed; the log has the traceback and whose connection it was."""
    socket = open_socket()
    with caplog.at_level(logging.ERROR, "django.channels.typed"):
        socket.send_json({"action": "fail"})
        assert socket.receive_json() == {"action": "error", "payload": {"detail": "Failed to process message"}}
    (record,) = [each for each in caplog.records if each.levelno == logging.ERROR]
    assert "a secret of the server" in caplog.text
    assert (record.path, record.received_action) == ("/chat/a/", "fail")
    assert record.request_id
    socket.send_json(PING)
    assert socket.receive_json() == PONG


def test_frame_without_a_handshake_closes(open_socket):
    """What no typed consumer admitted gets nothing done."""
    from channels.test import WSClient

    open_socket()
    client = WSClient()
    client.send_and_consume("websocket.receive", text=PING, path="/chat/a/")
    assert client.receive() == {"close": 4403}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NEAR = st.fixed_dictionaries({"action": st.sampled_from(["chat", "join", "ping", "x"]) | JSON, "payload": JSON})


@hypothesis_settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(frames=st.lists(NEAR.map(json.dumps) | st.text(max_size=20) | st.binary(max_size=20), min_size=1, max_size=5))
def test_no_frame_breaks_a_consumer(open_socket, settings, frames):
    """Whatever comes in, a message that is valid is answered afterwards."""
    settings.CHANNELS_TYPED = {"INVALID_MESSAGE_LIMIT": 10**6, "INVALID_MESSAGE_CLOSE": 10**6}
    socket = open_socket(f"/chat/{'a' * len(frames)}/")
    for frame in frames:
        socket.send(**({"bytes": frame} if isinstance(frame, bytes) else {"text": frame}))
    socket.send_json(PING)
    try:
        while socket.receive_json() != PONG:
            pass
    finally:
        socket.close()


def test_error_of_a_valid_message_may_be_overridden(open_socket):
    """A project may answer errors of its handlers in its own way."""

    class Polite(ChatConsumer):
        def handle_message_error(self, message, error):
            self.send_json({"action": "sorry", "payload": type(error).__name__}, close=4000)

    socket = open_socket(routes=[Polite.as_route()])
    socket.send_json({"action": "fail"})
    assert socket.receive_json() == {"action": "sorry", "payload": "ZeroDivisionError"}
    with pytest.raises(SocketClosed):
        socket.receive()
