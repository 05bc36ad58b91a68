"""How a message looks inside Redis. The layout of an entry is told at the head of ``lua/send.lua``.

Nothing here talks to a server.
"""

import struct
from collections.abc import Sequence
from typing import NamedTuple

from channels.layers import encoding
from channels.types import Content

VERSION = 1
VIA_GROUP = 1
ENCRYPTED = 2
TICKET = 4
"""Flag of an entry that only says: there is a message in the stream of this channel."""

KEPT = 8
"""Flag of an entry that is kept until it is finished, and may be of any age."""

TICKET_CONTENT: Content = {}
"""What such an entry is read as; known by its identity."""

_HEADER = struct.Struct(">BBQI")
_LENGTH = struct.Struct(">I")

TICKET_ENTRY = bytes((VERSION, TICKET)) + b"\x7f" * 8 + _LENGTH.pack(0)


class Unreadable(ValueError):
    """An entry is not a message that this layer can read.

    Args:
        kind: What is wrong, in a word: each kind is reported once.
        text: The same for people.
    """

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


class Entry(NamedTuple):
    """One entry of a queue: what follows the queue's name in each channel, and the encoded content."""

    flags: int
    expires_ms: int
    receivers: tuple[str, ...]
    payload: memoryview


def make_head(flags: int) -> bytes:
    """Return what an entry begins with."""
    return bytes((VERSION, flags))


def make_rest(receivers: Sequence[str], payload: bytes) -> bytes:
    """Return what follows the expiry in an entry."""
    names = ",".join(receivers).encode("ascii")
    return _LENGTH.pack(len(names)) + names + payload


def expires_ms(entry: bytes) -> int:
    """Return when ``entry`` expires, in milliseconds since the epoch; 0 if it is too short to say so."""
    return int.from_bytes(entry[2:10], "big")


def read_entry(entry: bytes) -> Entry:
    """Return the parts of ``entry``.

    Raises:
        ValueError: It was not written by this layer.
    """
    try:
        version, flags, expires_ms, length = _HEADER.unpack_from(entry)
        names = entry[_HEADER.size : _HEADER.size + length]
        if version != VERSION or len(names) != length:
            raise Unreadable("foreign", f"it begins with {entry[:4]!r}")
        # Names that somebody else made a member of a group must not hide those beside them.
        receivers = tuple(names.decode("ascii", "replace").split(","))
    except struct.error as error:
        raise Unreadable("foreign", f"it begins with {entry[:4]!r}") from error
    return Entry(flags, expires_ms, receivers, memoryview(entry)[_HEADER.size + length :])


class Codec:
    """Turns content into bytes and back."""

    flags = 0
    """Flags that every entry of this codec has."""

    def encode(self, content: Content) -> bytes:
        """Return ``content`` encoded.

        Raises:
            MessageTooLarge: It is longer than ``encoding.MAX_MESSAGE_BYTES``.
            TypeError: It holds something that is not text, bytes, a number, a list, a dict, a bool or None.
        """
        return encoding.encode(content)

    def decode(self, flags: int, payload: memoryview) -> Content:
        """Return the content that was encoded.

        Raises:
            ValueError: It was not encoded by such a codec.
        """
        if flags & ENCRYPTED:
            raise Unreadable("encrypted", "it is encrypted, and this layer has no symmetric_encryption_keys")
        return encoding.decode(payload)
