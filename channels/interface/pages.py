"""What the interface itself answers: small pages for requests and refusals for handshakes that get no further."""

from html import escape
from http import HTTPStatus
from urllib.parse import unquote_to_bytes

from channels.interface.effects import Effects, ToClient
from channels.types import Scope

RETRY_AFTER_SECONDS = 1
"""How long a client is asked to wait when a queue is full: queues drain in moments or not at all."""

_RETRY_AFTER = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
_RETRIED = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS})

_DENIAL_EXTENSION = "websocket.http.response"

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{status} {title}</title></head>
<body><h1>{title}</h1><p>{text}</p></body>
</html>
"""


def error_page(status: int, text: str) -> Effects:
    """Return the response that tells the client of a request what went wrong."""
    body = _PAGE.format(status=status, title=HTTPStatus(status).phrase, text=escape(text)).encode()
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status in _RETRIED:
        headers.append(_RETRY_AFTER)
    return [
        ToClient({"type": "http.response.start", "status": status, "headers": headers}),
        ToClient({"type": "http.response.body", "body": body, "more_body": False}),
    ]


def denial(scope: Scope, status: int | None = None, reason: str = "") -> Effects:
    """Return the refusal of a handshake.

    Args:
        scope: ASGI-3 scope of the socket. Servers without the denial extension refuse with 403 in any case.
        status: HTTP status; None is 403.
        reason: Text for the client.
    """
    if status is None or _DENIAL_EXTENSION not in (scope.get("extensions") or {}):
        return [ToClient({"type": "websocket.close", "code": 1000, "reason": ""})]
    body = reason.encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    if status in _RETRIED:
        headers.append(_RETRY_AFTER)
    return [
        ToClient({"type": "websocket.http.response.start", "status": status, "headers": headers}),
        ToClient({"type": "websocket.http.response.body", "body": body, "more_body": False}),
    ]


def require_readable_path(scope: Scope) -> None:
    """Return if the path of ``scope`` is text.

    Servers differ in what they make of bytes that are not UTF-8; consumers would see a path nobody asked for.

    Raises:
        ValueError: Its raw form is not ASCII, or what it percent-encodes is not UTF-8.
    """
    raw = scope.get("raw_path")
    try:
        if raw is None:
            scope["path"].encode()
        else:
            raw = raw.partition(b"?")[0]
            raw.decode("ascii")
            if b"%" in raw:
                unquote_to_bytes(raw).decode()
    except UnicodeError:
        raise ValueError("Invalid characters in path") from None
