"""Headers and cookies of clients, as ASGI carries them."""

from collections.abc import Iterable, Mapping
from http.cookies import Morsel, SimpleCookie
from typing import Any


def encode_cookies(cookies: Mapping[str, Any]) -> bytes:
    """Return ``cookies``, by name or as a ``SimpleCookie``, as the value of a ``Cookie`` header."""
    values = {name: value.value if isinstance(value, Morsel) else value for name, value in cookies.items()}
    jar: SimpleCookie = SimpleCookie(values)
    return "; ".join(f"{morsel.key}={morsel.coded_value}" for morsel in jar.values()).encode("latin-1")


def encode_headers(headers: Mapping[str, Any] | Iterable[tuple[Any, Any]]) -> list[list[bytes]]:
    """Return ``headers``, by name or as pairs, as messages carry them."""
    pairs = headers.items() if isinstance(headers, Mapping) else headers
    return [[_bytes(name).lower(), _bytes(value)] for name, value in pairs]


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("latin-1")
