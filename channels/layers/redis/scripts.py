"""The Lua scripts: read once from ``lua``, named by their digest, packed into commands."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import hiredis

Argument = bytes | str | int | float

_DIRECTORY = Path(__file__).parent / "lua"


class Script(NamedTuple):
    """One script: its text, and the digest that a server knows it by once it was loaded."""

    source: bytes
    digest: bytes


def _read(name: str, **parts: Script) -> Script:
    source = (_DIRECTORY / f"{name}.lua").read_bytes()
    for part, script in parts.items():
        source = source.replace(f"--[[ {part}.lua ]]".encode(), script.source)
    return Script(source, hashlib.sha1(source, usedforsecurity=False).hexdigest().encode())


SEND = _read("send")
SEND_ONCE = _read("send_once", send=SEND)
TAKE = _read("take")
GROUP_ADD = _read("group_add")
GROUP_CHANNELS = _read("group_channels")
COUNT = _read("count")
DURABLE_TAKE = _read("durable_take")
TICKET = _read("ticket")
HAND_BACK = _read("hand_back")

TURN_TAKE = _read("turn_take")
TURN_END = _read("turn_end")
TURN_RENEW = _read("turn_renew")
TURN_GIVE_UP = _read("turn_give_up")


def command(*words: Argument) -> bytes:
    """Return a command as it goes over the wire."""
    packed: bytes = hiredis.pack_command(words)  # type: ignore[arg-type]
    return packed


def call(script: Script, keys: Sequence[Argument], arguments: Sequence[Argument]) -> bytes:
    """Return the command that runs ``script``; the server answers NOSCRIPT if it has forgotten it."""
    return command(b"EVALSHA", script.digest, len(keys), *keys, *arguments)


LOAD_ALL = [
    command(b"SCRIPT", b"LOAD", script.source)
    for script in (
        SEND,
        SEND_ONCE,
        TAKE,
        GROUP_ADD,
        GROUP_CHANNELS,
        COUNT,
        DURABLE_TAKE,
        TICKET,
        HAND_BACK,
        TURN_TAKE,
        TURN_END,
        TURN_RENEW,
        TURN_GIVE_UP,
    )
]
"""Commands that make a server know every script."""
