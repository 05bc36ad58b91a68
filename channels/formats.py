"""The shape of every message that crosses a layer: made here, read here, nowhere else.

Source: the message-passing ASGI draft, "HTTP" and "WebSocket" (docs/reference/messages). Functions take
an ASGI-3 scope or plain values and return content; readers return frozen values or raise
``MalformedReply``. Nothing here knows a layer, a consumer or Django.
"""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from channels.close_codes import MALFORMED_TEXT as MALFORMED_TEXT
from channels.close_codes import NORMAL_CLOSURE as NORMAL_CLOSURE
from channels.close_codes import TRY_AGAIN_LATER as TRY_AGAIN_LATER
from channels.close_codes import is_sendable_close_code as is_sendable_close_code
from channels.close_codes import read_close_code as read_close_code
from channels.exceptions import MalformedReply
from channels.types import Content, Scope
from channels.utils import kinds_of

REPLY_CHANNEL = "reply_channel"
ORDER = "order"
"""Counts the messages of a socket, of a response, or of a request and the pieces of its body: 0, 1, 2 and on."""

RETRIES = "__retries__"
"""Counts how often a message was put back by ``ConsumeLater``."""

LAYER_CHANNEL = "__asgi_channel__"
"""Reserved for layers; a message that already holds it is refused."""

PACED = "paced"
"""Marks messages of a response whose sender waits for reports on what its client was given."""

ORIGINAL_CHANNEL = "original_channel"
"""Where a message that waits for its turn came from."""

_IMMUTABLE = (str, bytes, int, float, bool, type(None))


def copy_content(value: Any) -> Any:
    """Return a copy of message content that shares nothing that can change; bytes of any kind become ``bytes``."""
    if isinstance(value, dict):
        return {key: item if isinstance(item, _IMMUTABLE) else copy_content(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [item if isinstance(item, _IMMUTABLE) else copy_content(item) for item in value]
    return bytes(value) if isinstance(value, bytearray | memoryview) else copy.deepcopy(value)


# What the interface makes


def _headers(scope: Scope) -> list[list[bytes]]:
    # Names with an underscore could pose as another header once they are in META (CVE-2015-0219).
    return [[name.lower(), value.strip()] for name, value in scope.get("headers", ()) if b"_" not in name]


def _connection(scope: Scope, reply_channel: str, default_scheme: str) -> Content:
    return {
        REPLY_CHANNEL: reply_channel,
        "scheme": scope.get("scheme") or default_scheme,
        "path": scope["path"],
        "query_string": scope.get("query_string", b""),
        "root_path": scope.get("root_path", ""),
        "headers": _headers(scope),
        "client": list(scope["client"]) if scope.get("client") else None,
        "server": list(scope["server"]) if scope.get("server") else None,
    }


def http_request(
    scope: Scope,
    *,
    reply_channel: str,
    body: bytes = b"",
    body_channel: str | None = None,
    response_window: int | None = None,
) -> Content:
    """Return the content of an ``http.request`` message.

    Args:
        scope: ASGI-3 scope of type ``http``.
        reply_channel: Where the response goes.
        body: The whole body, or its first part if ``body_channel`` is given.
        body_channel: Single-reader channel that carries the rest of the body.
        response_window: How many messages of the response may be on their way to the client; the interface then
            reports on ``names.flow_channel(reply_channel)``. None: any number, and nothing is reported.
    """
    content = _connection(scope, reply_channel, "http")
    content["http_version"] = scope.get("http_version", "1.1")
    content["method"] = scope["method"].upper()
    content["body"] = body
    content["body_channel"] = body_channel
    if response_window is not None:
        content["response_window"] = response_window
    return content


def http_request_body(
    content: bytes = b"", *, more_content: bool = False, closed: bool = False, order: int = 0
) -> Content:
    """Return the content of one piece of a request body; ``closed`` says that the client went away."""
    counted = {ORDER: order} if order else {}
    return {"content": content, "more_content": more_content, "closed": closed, **counted}


def http_response_report(taken: int = 0, *, closed: bool = False) -> Content:
    """Return the report that the client was given ``taken`` messages of its response so far, or has gone away."""
    return {"taken": taken, "closed": closed}


def http_disconnect(reply_channel: str, path: str) -> Content:
    """Return the content of an ``http.disconnect`` message."""
    return {REPLY_CHANNEL: reply_channel, "path": path}


def websocket_connect(scope: Scope, *, reply_channel: str) -> Content:
    """Return the content of a ``websocket.connect`` message for an ASGI-3 scope of type ``websocket``."""
    content = _connection(scope, reply_channel, "ws")
    content["subprotocols"] = list(scope.get("subprotocols", ()))
    content[ORDER] = 0
    return content


def websocket_receive(
    *, reply_channel: str, path: str, order: int, text: str | None = None, data: bytes | None = None
) -> Content:
    """Return the content of a ``websocket.receive`` message; exactly one of ``text`` and ``data`` is given."""
    content: Content = {REPLY_CHANNEL: reply_channel, "path": path, ORDER: order}
    if text is not None:
        content["text"] = text
    else:
        content["bytes"] = data
    return content


def websocket_disconnect(*, reply_channel: str, path: str, order: int, code: int) -> Content:
    """Return the content of a ``websocket.disconnect`` message."""
    return {REPLY_CHANNEL: reply_channel, "code": code, "path": path, ORDER: order}


# What consumers make


def http_response(status: int, headers: Iterable[tuple[bytes, bytes]] = (), content: bytes = b"") -> Content:
    """Return the content of the only message of an HTTP response."""
    return {"status": status, "headers": list(headers), "content": content, "more_content": False}


def http_response_chunk(content: bytes = b"", *, more_content: bool = False, closed: bool = False) -> Content:
    """Return the content of a further message of an HTTP response.

    ``closed`` ends a response that is not complete, so that the client does not take what it has for the whole.
    """
    chunk = {"content": content, "more_content": more_content}
    return {**chunk, "closed": True} if closed else chunk


def websocket_accept() -> Content:
    """Return the reply that accepts a handshake."""
    return {"accept": True}


def websocket_deny(status: int | None = None, reason: str = "") -> Content:
    """Return the reply that refuses a handshake.

    Args:
        status: HTTP status of the refusal where the server can send one; else, and if None, it is 403.
        reason: Text of the refusal's body.
    """
    content: Content = {"close": True}
    if status is not None:
        content["status"] = status
        content["reason"] = reason
    return content


def websocket_send(text: str | None = None, data: bytes | None = None, close: bool | int = False) -> Content:
    """Return the reply that sends a frame, closes the socket, or first one and then the other.

    Raises:
        ValueError: ``close`` is a code that may not be sent.
    """
    content: Content = {}
    if text is not None:
        content["text"] = text
    elif data is not None:
        content["bytes"] = data
    if close:
        read_close_code(close)
        content["close"] = close
    return content


# What the interface reads


@dataclass(frozen=True, slots=True)
class WebsocketReply:
    """A reply to a WebSocket. Source: "Send/Close/Accept" of the message format.

    Attributes:
        text, data: The frame to send; at most one is not None.
        close: Close code to send afterwards, or None.
        accept: True or False decide the handshake; None leaves it to the rest.
        subprotocol: The subprotocol to accept with, or None for the server's choice.
        status, reason: Of a refused handshake.
    """

    text: str | None = None
    data: bytes | None = None
    close: int | None = None
    accept: bool | None = None
    subprotocol: str | None = None
    status: int | None = None
    reason: str = ""

    @property
    def decides(self) -> bool:
        """Whether this reply accepts or refuses a handshake that is still open."""
        return self.accept is not None or bool(self.text) or bool(self.data) or self.close is not None


def _optional(content: Content, key: str, kind: Any, *, channel: str) -> Any:
    value = content.get(key)
    if value is not None and (not isinstance(value, kind) or (kind is int and isinstance(value, bool))):
        expected = getattr(kind, "__name__", kind)
        raise MalformedReply(f"The {key!r} of a message on {channel} must be {expected}, not {type(value).__name__}.")
    return value


_WEBSOCKET_KEYS = ("text", "bytes", "close", "accept")


def read_websocket_reply(content: Content, channel: str = "a WebSocket's reply channel") -> WebsocketReply:
    """Return what a message on a WebSocket's reply channel asks for. Other keys are ignored.

    A close code that may not be sent becomes 1000: the sender wanted the socket closed.

    Raises:
        MalformedReply: None of the known keys is there, both kinds of frame are, or a value has the wrong type.
    """
    if not any(key in content for key in _WEBSOCKET_KEYS):
        raise MalformedReply(
            f"A message on {channel} has none of the keys text, bytes, close, accept; "
            f"it has {sorted(map(str, content))}. Did you mean 'text'?"
        )
    text = _optional(content, "text", str, channel=channel)
    data = _optional(content, "bytes", bytes, channel=channel)
    if text is not None and data is not None:
        raise MalformedReply(f"A message on {channel} has both text and bytes; send two messages.")
    close = content.get("close") or None
    if close is not None:
        close = read_close_code(close) if close is True or is_sendable_close_code(close) else NORMAL_CLOSURE
    accept = content.get("accept")
    return WebsocketReply(
        text=text,
        data=data,
        close=close,
        accept=None if accept is None else bool(accept),
        subprotocol=_optional(content, "subprotocol", str, channel=channel),
        status=_optional(content, "status", int, channel=channel),
        reason=_optional(content, "reason", str, channel=channel) or "",
    )


@dataclass(frozen=True, slots=True)
class HttpReply:
    """A message of an HTTP response: only the first has a ``status``, ``closed`` breaks off, ``order`` counts them."""

    status: int | None
    headers: tuple[tuple[bytes, bytes], ...]
    content: bytes
    more_content: bool
    closed: bool = False
    paced: bool = False
    order: int | None = None


def read_http_reply(content: Content, channel: str = "an HTTP reply channel") -> HttpReply:
    """Return what a message on an HTTP reply channel asks for.

    Raises:
        MalformedReply: A value has the wrong type, or a status or header that cannot be sent.
    """
    status = _optional(content, "status", int, channel=channel)
    if status is not None and not 100 <= status <= 599:
        raise MalformedReply(f"The 'status' of a message on {channel} must be from 100 to 599, not {status}.")
    body = _optional(content, "content", bytes, channel=channel) or b""
    headers = []
    for pair in _optional(content, "headers", list | tuple, channel=channel) or ():
        if not isinstance(pair, list | tuple) or len(pair) != 2 or not all(isinstance(part, bytes) for part in pair):
            raise MalformedReply(f"A header in a message on {channel} must be a pair of bytes, not {kinds_of(pair)}.")
        if any(mark in pair[0] + pair[1] for mark in (b"\r", b"\n", b"\0")):
            raise MalformedReply(f"The header {pair[0]!r} in a message on {channel} has a line break or NUL in it.")
        headers.append((pair[0], pair[1]))
    more_content, closed = bool(content.get("more_content", False)), bool(content.get("closed", False))
    paced, order = more_content and bool(content.get(PACED)), _optional(content, ORDER, int, channel=channel)
    return HttpReply(status, tuple(headers), body, more_content, closed, paced, order)
