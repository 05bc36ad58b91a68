"""The addresses of Redis servers: what the setting ``hosts`` may hold, and what may be shown of it."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

from channels.utils import kinds_of

HIDDEN = "***"

_SCHEMES = ("redis", "rediss", "unix")


def public_url(url: str) -> str:
    """Return ``url`` without its password, its options, which may be passwords, and what it should not have."""
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018 - fails where it is no number, as where a password has a slash in it
    except ValueError:
        scheme = url.partition("://")[0]
        return f"{scheme}://{HIDDEN}" if scheme in _SCHEMES else HIDDEN
    if parts.scheme not in _SCHEMES:
        return HIDDEN if set("@?#") & set(url) else url
    user_and_password, at, place = parts.netloc.rpartition("@")
    user, colon, _ = user_and_password.partition(":")
    who = f"{user}:{HIDDEN}@" if colon else f"{HIDDEN}@"
    path = f"/{HIDDEN}" if "@" in parts.path else parts.path
    return f"{parts.scheme}://{who if at else ''}{place}{path}"


def host_urls(hosts: Any, ready: type) -> list[Any]:
    """Return the URL of each of ``hosts``, which are URLs or pairs of host and port; those of type ``ready`` stay.

    Raises:
        ValueError: ``hosts`` is not a list of hosts.
    """
    if hosts is None:
        hosts = [("localhost", 6379)]
    if isinstance(hosts, str | bytes) or not isinstance(hosts, Iterable):
        raise ValueError("ASGI Redis hosts must be specified as an iterable list of hosts.")
    urls = [host if isinstance(host, ready) else _url(host) for host in hosts]
    if not urls:
        raise ValueError("ASGI Redis hosts must name at least one host.")
    return urls


def _url(host: Any) -> str:
    if isinstance(host, str):
        return host
    try:
        name, port = host
        port = int(port)
    except (TypeError, ValueError):
        name, port = None, 0
    if not isinstance(name, str) or not 0 < port < 65_536:
        # Not the value: a password may be in it.
        raise ValueError(f"A Redis host is a URL or a pair of host and port, not {kinds_of(host)}.")
    return f"redis://{name}:{port}/0"
