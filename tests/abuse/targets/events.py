"""What a server may be handed: events in an order, and of values, that the ASGI specification allows."""

from collections.abc import Sequence
from typing import Any

from channels.close_codes import is_sendable_close_code
from channels.interface.effects import Effect, ToClient

_FORBIDDEN = frozenset(b"\r\n\0")


def to_client(effects: Sequence[Effect]) -> list[Any]:
    """Return the events among ``effects``."""
    return [effect.event for effect in effects if isinstance(effect, ToClient)]


def check_response(events: Sequence[Any]) -> None:
    """Assert that ``events`` are a response, however much of it, or nothing."""
    if not events:
        return
    start, *rest = events
    _check_start(start, "http.response.start")
    assert all(event["type"] == "http.response.body" and isinstance(event["body"], bytes) for event in rest)
    assert all(event["more_body"] is True for event in rest[:-1])


def check_socket(events: Sequence[Any]) -> None:
    """Assert that ``events`` accept or refuse a handshake once, then send frames, then close once, or stop before."""
    if not events:
        return
    first, *rest = events
    if first["type"] == "websocket.accept":
        assert first["subprotocol"] is None or isinstance(first["subprotocol"], str)
        *frames, last = rest or [None]
        if last is not None and last["type"] == "websocket.close":
            assert is_sendable_close_code(last["code"])
        elif last is not None:
            frames.append(last)
        assert all(_is_frame(frame) for frame in frames)
    elif first["type"] == "websocket.http.response.start":
        _check_start(first, "websocket.http.response.start")
        assert [event["type"] for event in rest] == ["websocket.http.response.body"]
    else:
        assert first["type"] == "websocket.close"
        assert rest == []


def _check_start(event: Any, kind: str) -> None:
    assert event["type"] == kind
    assert type(event["status"]) is int
    assert 100 <= event["status"] <= 599
    assert all(not _FORBIDDEN & set(name + value) for name, value in event["headers"])


def _is_frame(event: Any) -> bool:
    text, data = event.get("text"), event.get("bytes")
    if event["type"] != "websocket.send" or (text is None) is (data is None):
        return False
    if isinstance(text, str):
        text.encode()  # As a server does, which fails for half a character.
        return True
    return isinstance(data, bytes)
