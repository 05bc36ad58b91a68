"""The grammar of channel and group names, and the making of names that the package itself needs.

Source: the message-passing ASGI draft, "Channels" and "Groups" (docs/reference/messages). Nothing here
knows a layer. Unlike 1.x the grammar is ASCII only and admits no trailing newline.
"""

import fnmatch
import re
import secrets
from collections.abc import Callable, Iterable

MAX_LENGTH = 99
"""Longest channel or group name, in characters."""

WAIT_PREFIX = "__wait__."
"""What the wait channel of an ordered connection begins with."""

FLOW_PREFIX = "__flow__."
"""What the channel begins with that reports how much of a response its client has been given."""

_CHANNEL = re.compile(r"[a-zA-Z0-9\-_.]+([?!][a-zA-Z0-9\-_.]*)?")
_GROUP = re.compile(r"[a-zA-Z0-9\-_.]+")


def _require_text(name: object) -> str:
    if not isinstance(name, str):
        raise TypeError(f"Channel or group name is not of 'str' type: {name!r} is of type {type(name).__name__}.")
    if len(name) > MAX_LENGTH:
        raise TypeError(
            "Channel and group names must be under 100 characters in length. "
            f"{name[:40]!r}... has {len(name)}; shorten it, for example to a slug and a digest."
        )
    return name


def _bad_character(name: str, allowed: re.Pattern[str]) -> str:
    if not name:
        return "it is empty"
    for position, character in enumerate(name):
        if not allowed.fullmatch(character):
            return f"character {character!r} at position {position} is not allowed"
    return "at most one '?' or '!' may stand in it, and not first"


def require_channel_name(name: object, *, receive: bool = False) -> str:
    """Return ``name`` if it may be sent to (or, with ``receive``, received from).

    Raises:
        TypeError: It may not; the text names the offending character or length.
    """
    text = _require_text(name)
    if not _CHANNEL.fullmatch(text):
        raise TypeError(
            "Channel name must be a valid unicode string containing only ASCII alphanumerics, "
            f"hyphens, underscores, or periods, not {text!r}: "
            f"{_bad_character(text, re.compile(r'[a-zA-Z0-9_.?!-]'))}."
        )
    if text.endswith("?"):
        raise TypeError(f"Single-reader channel names must not end with ?: {text!r}")
    if receive and "!" in text and not text.endswith("!"):
        raise TypeError(f"Process-local channel names in receive() must end at the !: {text!r}")
    return text


def require_channel_names(names: Iterable[object], *, receive: bool = False) -> list[str]:
    """Return ``names`` as a list if each is a channel name.

    Raises:
        TypeError: One of them is not.
    """
    return [require_channel_name(name, receive=receive) for name in names]


def require_list(names: Iterable[str]) -> Iterable[str]:
    """Return ``names`` of groups, if they are not one text: each of its letters would pass for a name.

    Raises:
        TypeError: They are.
    """
    if isinstance(names, str):
        raise TypeError(f"Groups must be a list of names, not the text {names!r}.")
    return names


def require_group_name(name: object) -> str:
    """Return ``name`` if it is a group name.

    Raises:
        TypeError: It is not; the text names the offending character or length.
    """
    text = _require_text(name)
    if not _GROUP.fullmatch(text):
        raise TypeError(
            "Group name must be a valid unicode string containing only ASCII alphanumerics, "
            f"hyphens, underscores, or periods, not {text!r}: {_bad_character(text, _GROUP)}."
        )
    return text


def is_channel_name(name: object) -> bool:
    """Return whether ``name`` may be sent to."""
    return _is(require_channel_name, name)


def is_group_name(name: object) -> bool:
    """Return whether ``name`` is a group name."""
    return _is(require_group_name, name)


def _is(require: Callable[[object], str], name: object) -> bool:
    try:
        require(name)
    except TypeError:
        return False
    return True


def non_local_name(name: str) -> str:
    """Return ``name`` up to and including its ``!``: the queue that its process reads."""
    head, mark, _ = name.partition("!")
    return head + mark


def local_part(name: str) -> str:
    """Return what follows the ``!`` of ``name``; empty if there is none."""
    return name.partition("!")[2]


def decode_name(name: str | bytes) -> str:
    """Return ``name`` as text; 1.x took byte strings and read them as ASCII."""
    return name.decode("ascii") if isinstance(name, bytes) else name


def random_part() -> str:
    """Return 12 random characters that may stand in a name (72 bits)."""
    return secrets.token_urlsafe(9)


def make_reply_prefix(protocol: str) -> str:
    """Return a new process-specific queue name, such as ``websocket.send.Xa0..!``.

    Args:
        protocol: ``"http.response"`` or ``"websocket.send"``.
    """
    return f"{protocol}.{random_part()}!"


def make_reply_channel(prefix: str) -> str:
    """Return a new reply channel name in the queue ``prefix``."""
    return prefix + random_part()


def wait_channel(reply_channel: str) -> str:
    """Return the single-reader channel where early messages of a connection wait for their turn."""
    return WAIT_PREFIX + reply_channel.replace("!", "?")


def flow_channel(reply_channel: str) -> str:
    """Return the single-reader channel where the interface reports on the response of an HTTP request."""
    return FLOW_PREFIX + reply_channel.replace("!", "?")


def matches_any(name: str, globs: Iterable[str]) -> bool:
    """Return whether ``name`` matches one of ``globs``."""
    return any(fnmatch.fnmatchcase(name, glob) for glob in globs)
