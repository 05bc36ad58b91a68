"""``AsgiRequest``: Django's own ``ASGIRequest`` made from an ``http.request`` message, and the gathering of its body.

Parsing is Django's. This module turns a message into the scope that Django parses and collects a body that
arrives in pieces. Calling views and encoding responses live in ``channels.handler``.
"""

import tempfile
import time
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import IO, Any

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest

from channels import exceptions, formats
from channels.types import Content

__all__ = ["AsgiRequest", "make_scope", "read_body"]

SLOWEST_UPLOAD = 16 * 1024
"""Bytes per second at which a body may arrive for as long as it likes.

A fixed time for the whole body would cut off every large upload, a time between pieces would let a client that
sends a byte now and then hold a worker for ever. 16 KiB/s is below what a weak mobile connection sustains.
"""


def _bytes(value: str | bytes) -> bytes:
    return value.encode("utf-8") if isinstance(value, str) else value


def _is_usable(name: bytes, value: bytes) -> bool:
    # The body is already here, whole or in a channel, so a length that is no number has nothing to add;
    # Django before 6.1 fails on it.
    return name != b"content-length" or value.isdigit()


def _headers(headers: Any) -> list[tuple[bytes, bytes]]:
    """Return header pairs with lower-case names, as bytes, from a list of pairs or (as tests of 1.x do) a dict."""
    pairs: Iterable[Any] = headers.items() if isinstance(headers, dict) else headers or ()
    found: list[tuple[bytes, bytes]] = []
    cookies: list[bytes] = []
    for raw_name, raw_value in pairs:
        name, value = _bytes(raw_name).lower(), _bytes(raw_value)
        if name == b"cookie":
            cookies.append(value.rstrip(b"; "))
        elif _is_usable(name, value):
            found.append((name, value))
    if cookies:
        # HTTP/2 clients may split the cookie header (RFC 9113, section 8.2.3); Django before 6.1 joins with a comma.
        found.append((b"cookie", b"; ".join(cookies)))
    return found


def _path(path: str | bytes) -> str:
    return path.decode("utf-8") if isinstance(path, bytes) else path


def make_scope(message: Any) -> Content:
    """Return the ASGI-3 scope of type ``http`` that an ``http.request`` message describes.

    Source: the message-passing ASGI draft, "HTTP" (docs/reference/messages).

    Args:
        message: A ``Message`` or dict. Headers may be a dict, the path bytes, the query string text.

    Raises:
        KeyError: ``method`` or ``path`` is missing.
        UnicodeDecodeError: The path is bytes and not UTF-8.
    """
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": message.get("http_version", "1.1"),
        "method": message["method"],
        "scheme": message.get("scheme") or "http",
        "path": _path(message["path"]),
        "query_string": message.get("query_string") or b"",
        "root_path": message.get("root_path") or "",
        "headers": _headers(message.get("headers")),
        "client": message.get("client"),
        "server": message.get("server"),
    }


def _take_piece(message: Any, body_channel: str, wait: float) -> Content | None:
    """Return the next piece of a body, or None if none came within ``wait`` seconds."""
    deliveries = message.channel_layer.receive_batch([body_channel], limit=1, timeout=max(wait, 0))
    return deliveries[0].content if deliveries else None


def _pieces(message: Any, body_channel: str, timeout: float) -> Iterator[bytes]:
    deadline = time.monotonic() + timeout
    taken = 0
    while True:
        piece = _take_piece(message, body_channel, deadline - time.monotonic())
        if piece is None:
            # A layer may come back early and empty-handed; only the clock says that it is too late.
            if time.monotonic() >= deadline:
                raise exceptions.RequestTimeout(
                    f"No more of the request body came on {body_channel} in the {timeout} seconds (plus the time "
                    f"its size takes at {SLOWEST_UPLOAD} bytes per second) that it may take."
                )
            continue
        if piece.get("closed"):
            raise exceptions.RequestAborted(f"The client went away before its body was complete ({body_channel}).")
        taken += 1
        if piece.get(formats.ORDER, 0) not in (0, taken):
            raise exceptions.RequestBroken(f"A piece of the request body that was sent on {body_channel} is lost.")
        content = piece.get("content") or b""
        yield content
        if not piece.get("more_content", False):
            return
        deadline += len(content) / SLOWEST_UPLOAD


def read_body(message: Any, timeout: float = ASGIRequest.body_receive_timeout) -> IO[bytes]:
    """Return the body of an ``http.request`` message as an open file, waiting for the pieces that are to come.

    Pieces are kept in memory up to ``FILE_UPLOAD_MAX_MEMORY_SIZE`` and on disk beyond.

    Args:
        message: A ``Message``; its ``channel_layer`` is read if it names a ``body_channel``.
        timeout: Seconds that a body may take; one that arrives at 16 KiB per second or more may take longer.

    Raises:
        RequestTimeout: It did not arrive in that time.
        RequestAborted: The client went away.
        RequestBroken: The layer lost a piece of it.
    """
    first = message.get("body") or b""
    body_channel = message.get("body_channel")
    if not body_channel:
        return BytesIO(first)
    body: IO[bytes] = tempfile.SpooledTemporaryFile(  # noqa: SIM115 - the request closes it
        max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE, mode="w+b", dir=settings.FILE_UPLOAD_TEMP_DIR
    )
    try:
        body.write(first)
        for piece in _pieces(message, body_channel, timeout):
            body.write(piece)
        body.seek(0)
    except BaseException:
        body.close()
        raise
    return body


class AsgiRequest(ASGIRequest):
    """A Django request made from an ``http.request`` message.

    Args:
        message: A ``Message`` in ``http.request`` format, or anything with its mapping access.
        body_file: The body, open for reading; None reads it from the message, which may wait for
            ``body_receive_timeout`` seconds.

    Attributes:
        message: The message this request was made from.
        reply_channel: Where its response goes; None if the message has none.

    Raises:
        KeyError: ``method`` or ``path`` is missing.
        UnicodeDecodeError: The path or the query string is not UTF-8.
        RequestTimeout: The body did not arrive in time.
        RequestAborted: The client went away before the body was complete.
        RequestBroken: The layer lost a piece of the body.
    """

    ResponseLater = exceptions.ResponseLater

    body_receive_timeout = 60

    def __init__(self, message: Any, body_file: IO[bytes] | None = None) -> None:
        self.message = message
        self.reply_channel = getattr(message, "reply_channel", None)
        scope = make_scope(message)
        super().__init__(scope, read_body(message, self.body_receive_timeout) if body_file is None else body_file)
