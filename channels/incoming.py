"""What every message of the interface is like when a consumer gets it: checked once, before any consumer runs.

Only the types of values are checked, and only of keys that are there: tests and projects send messages with fewer. The
shapes themselves are told in ``formats``. Nothing here knows a layer or a consumer.
"""

from collections.abc import Callable, Mapping
from typing import Any

from channels import formats, names
from channels.types import Content

Check = Callable[[Any], bool]


def _is(*kinds: type) -> Check:
    return lambda value: isinstance(value, kinds) and not isinstance(value, bool)


def _are_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


def _is_text(value: Any) -> bool:
    try:
        return isinstance(value if isinstance(value, str) else value.decode("utf-8"), str)
    except (AttributeError, UnicodeDecodeError):
        return False


def _are_headers(value: Any) -> bool:
    pairs = value.items() if isinstance(value, dict) else value
    return isinstance(value, dict | list | tuple) and all(
        isinstance(pair, list | tuple) and len(pair) == 2 and all(isinstance(part, str | bytes) for part in pair)
        for pair in pairs
    )


def _is_address(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and isinstance(value[0], str)


def _is_channel(value: Any) -> bool:
    try:
        names.require_channel_name(names.decode_name(value))
    except (TypeError, UnicodeDecodeError):
        return False
    return True


_TEXT, _BYTES, _NUMBER = _is(str), _is(bytes), _is(int)

_OF_CONNECTIONS: Mapping[str, Check] = {"path": _is_text}

_OF_HANDSHAKES: Mapping[str, Check] = {
    **_OF_CONNECTIONS,
    "scheme": _TEXT,
    "query_string": _is(str, bytes),
    "root_path": _TEXT,
    "headers": _are_headers,
    "client": _is_address,
    "server": _is_address,
}

_BY_CHANNEL: Mapping[str, Mapping[str, Check]] = {
    "http.request": {
        **_OF_HANDSHAKES,
        "http_version": _TEXT,
        "method": _TEXT,
        "body": _BYTES,
        "body_channel": _is_channel,
        "response_window": _NUMBER,
    },
    "http.disconnect": _OF_CONNECTIONS,
    "websocket.connect": {**_OF_HANDSHAKES, "subprotocols": _are_texts},
    "websocket.receive": {**_OF_CONNECTIONS, "text": _TEXT, "bytes": _BYTES},
    "websocket.disconnect": {**_OF_CONNECTIONS, "code": _NUMBER},
}

_NOTHING: Mapping[str, Check] = {}


def find_problem(channel: str, content: Content) -> str | None:
    """Return what is wrong with ``content``, a message that came on ``channel``; None if nothing is."""
    reply_channel = content.get(formats.REPLY_CHANNEL)
    if reply_channel and not _is_channel(reply_channel):
        return f"its {formats.REPLY_CHANNEL!r} is no channel name"
    if not _NUMBER(content.get(formats.RETRIES, 0)):
        return f"its {formats.RETRIES!r} is no number"
    for key, is_right in _BY_CHANNEL.get(channel, _NOTHING).items():
        value = content.get(key)
        if value is not None and not is_right(value):
            return f"its {key!r} cannot be of this kind: {type(value).__name__}"
    return None
