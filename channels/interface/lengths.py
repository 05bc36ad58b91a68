"""Lengths: what headers say about bodies, whether a frame is too long, and how a body is cut in pieces."""

from channels.formats import HttpReply
from channels.types import Event, Scope

_CONTENT_LENGTH = b"content-length"

_MOST_DIGITS = 20
"""What is longer is more than any limit already; Python refuses to read numbers of thousands of digits."""


def announced_bytes(scope: Scope) -> int:
    """Return the length of the body that the request of ``scope`` announces, or 0."""
    lengths = [value for name, value in scope.get("headers", ()) if name.lower() == _CONTENT_LENGTH]
    digits = lengths[0].strip().lstrip(b"0")[:_MOST_DIGITS] if lengths else b""
    return int(digits) if digits.isdigit() else 0


def cut(buffer: bytearray, limit: int) -> bytes:
    """Take up to ``limit`` bytes off the beginning of ``buffer`` and return them."""
    piece = bytes(buffer[:limit])
    del buffer[:limit]
    return piece


def response_headers(scope: Scope, reply: HttpReply) -> list[tuple[bytes, bytes]]:
    """Return the headers of ``reply``, the first message of the response to ``scope``, with the length if it is known.

    Source: RFC 9110, section 8.6: not where there is no body whatever its length.
    """
    headers = [(name.lower(), value) for name, value in reply.headers]
    is_known = not reply.more_content and scope["method"] != "HEAD" and reply.status not in (204, 304)
    if is_known and not any(name == _CONTENT_LENGTH for name, _ in headers):
        headers.append((_CONTENT_LENGTH, b"%d" % len(reply.content)))
    return headers


def is_longer(frame: Event, limit: int) -> bool:
    """Return whether the event ``frame`` holds more than ``limit`` bytes."""
    text: str | None = frame.get("text")
    if text is None:
        return len(frame.get("bytes") or b"") > limit
    return len(text) > limit or (len(text) * 4 > limit and len(text.encode()) > limit)
