"""The visitor's session: found by the key in the URL or the cookies that a message brings."""

import logging
from collections.abc import Iterator, Mapping
from http.cookies import CookieError
from typing import Any

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import QueryDict, parse_cookie

from channels.exceptions import UnusableMessage
from channels.message import Message
from channels.session_stores import PinnedStore, http_store

logger = logging.getLogger("django.channels")


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _session_keys(message: Message) -> Iterator[str]:
    """Yield the keys that a message offers, the one in the URL first."""
    content = message.content
    query = content.get("get")
    if not isinstance(query, Mapping):
        query = QueryDict(content.get("query_string") or b"")
    cookies = content.get("cookies")
    if not isinstance(cookies, Mapping):
        headers = content.get("headers") or ()
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        # A client may split its cookies over several headers (HTTP/2 does).
        cookies = parse_cookie("; ".join(_text(value) for name, value in pairs if _text(name).lower() == "cookie"))
    for key in (query.get("session_key"), cookies.get(settings.SESSION_COOKIE_NAME)):
        if key:
            yield _text(key)


_KEY_SOURCES = ("headers", "query_string", "cookies", "get")


def read_http_session(message: Message) -> PinnedStore | None:
    """Return the visitor's session that ``message`` leads to; None if it leads to none.

    Raises:
        ValueError: The message has no path or what it brings cannot be parsed, or the engine keeps sessions in
            signed cookies.
    """
    if "path" not in message.content:
        raise UnusableMessage("Cannot parse HTTP message - are you sure this is a HTTP consumer? It has no 'path'.")
    if not any(source in message.content for source in _KEY_SOURCES):
        # A later message of a socket; only its first one carries what the browser sent.
        return None
    try:
        key = next(_session_keys(message), None)
    except (AttributeError, TypeError, ValueError, CookieError, SuspiciousOperation) as error:
        raise UnusableMessage(f"Cannot parse HTTP message - are you sure this is a HTTP consumer? {error}") from error
    if key is None:
        reason = f"it has neither a cookie {settings.SESSION_COOKIE_NAME!r} nor a parameter 'session_key'"
    else:
        session = http_store(key)
        if session is not None:
            return session
        reason = "there is no session of the key it gives, or it has expired"
    logger.debug("No HTTP session for a message on %s: %s.", message.channel, reason)
    return None
