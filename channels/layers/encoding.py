"""The content of a message as bytes, for layers that carry bytes: msgpack, so bytes and text stay apart."""

from typing import Any

import msgpack

from channels.exceptions import MessageTooLarge
from channels.types import Content

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Largest encoded content that is sent. The message format asks for 1 MB at least."""


def encode(content: Content, limit: int = MAX_MESSAGE_BYTES) -> bytes:
    """Return ``content`` encoded.

    Raises:
        MessageTooLarge: It is longer than ``limit`` bytes.
        TypeError: It holds something that is not text, bytes, a number, a list, a dict, a bool or None.
    """
    try:
        payload: bytes = msgpack.packb(content)
    except (TypeError, ValueError, OverflowError) as error:
        raise TypeError(f"Message cannot be sent: {error}. Use text, bytes, numbers, lists and dicts.") from error
    if len(payload) > limit:
        raise MessageTooLarge(
            f"Message of {len(payload)} bytes is larger than the {limit} that can be sent; "
            "send it in pieces, or store it and send where it is."
        )
    return payload


def decode(payload: bytes | memoryview) -> Content:
    """Return the content that was encoded.

    Raises:
        ValueError: It was not encoded here.
    """
    try:
        content: Any = msgpack.unpackb(payload, strict_map_key=False, ext_hook=_refuse)
    except (msgpack.UnpackException, TypeError, ValueError) as error:  # TypeError: a key that is a list or dict.
        raise ValueError(f"its content cannot be decoded ({error or type(error).__name__})") from error
    if not isinstance(content, dict):
        raise ValueError("its content is not a dict")
    return content


def _refuse(code: int, _: bytes) -> None:
    raise ValueError(f"it holds a value of the foreign type {code}")
