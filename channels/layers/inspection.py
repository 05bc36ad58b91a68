"""The inspection extension: what operators may ask of a layer, and how processes make themselves visible on it.

A layer that lists ``inspection`` among its extensions has an ``inspection`` with these methods. Nothing that carries
messages needs it, and nothing here is fast: it is for people who look, every second at most.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from channels.types import Content

EXTENSION = "inspection"

MOST_NAMES = 10_000
"""How many names of channels or groups are returned at most."""


class Announcement(NamedTuple):
    """What a process says of itself.

    Attributes:
        name: Of the process, unique on the layer.
        content: What it says.
        at: When the layer heard it, in seconds since the epoch by the layer's own clock.
    """

    name: str
    content: Content
    at: float


class Unread(NamedTuple):
    """A message that waits on a channel, or in the hands of a worker that has not finished it.

    Attributes:
        channels: Full names of the channels it is for.
        content: Its content; changing it changes nothing on the layer.
        age: Seconds since it was sent.
    """

    channels: tuple[str, ...]
    content: Content
    age: float


class Inspection(Protocol):
    """What can be asked of a layer."""

    def now(self) -> float:
        """Return the time by the layer's own clock, in seconds since the epoch."""

    def announce(self, name: str, content: Content, lifetime: float) -> None:
        """Show ``content`` under ``name`` for ``lifetime`` seconds, or until the next time."""

    def withdraw(self, name: str) -> None:
        """Show nothing under ``name`` any more."""

    def announced(self) -> list[Announcement]:
        """Return what is announced, by name."""

    def channels(self) -> list[str]:
        """Return, sorted, the queues that hold messages or did lately; process-specific ones end in ``!``."""

    def groups(self) -> dict[str, int]:
        """Return the groups that have members, and how many each has."""

    def peek(self, channel: str, limit: int = 10) -> list[Unread]:
        """Return up to ``limit`` of the oldest messages of the queue of ``channel``; they stay where they are."""

    def discard(self, channel: str) -> int:
        """Remove all messages of the queue of ``channel`` and return how many there were."""


def inspection_of(layer: Any) -> Inspection | None:
    """Return what inspects ``layer``, a layer or a wrapper of one; None if it cannot be inspected."""
    extensions: Sequence[str] = getattr(layer, "extensions", ())
    return layer.inspection if EXTENSION in extensions else None
