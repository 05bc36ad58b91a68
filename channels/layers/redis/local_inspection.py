"""Inspection of the layer whose normal channels stay on the machine."""

from collections.abc import Callable

from channels.layers.inspection import Announcement, Inspection, Unread
from channels.types import Content


class MixedInspection:
    """See ``channels.layers.inspection.Inspection``. Processes and groups are those of all machines.

    Args:
        near: Of the layer that carries normal channels.
        far: Of the layer that carries the others.
        is_near: Returns whether the channel of a name is near.
    """

    def __init__(self, near: Inspection, far: Inspection, is_near: Callable[[str], bool]) -> None:
        self._near = near
        self._far = far
        self._is_near = is_near

    def now(self) -> float:
        """Return the time."""
        return self._far.now()

    def announce(self, name: str, content: Content, lifetime: float) -> None:
        """Show ``content`` under ``name``."""
        self._far.announce(name, content, lifetime)

    def withdraw(self, name: str) -> None:
        """Show nothing under ``name`` any more."""
        self._far.withdraw(name)

    def announced(self) -> list[Announcement]:
        """Return what is announced, by name."""
        return self._far.announced()

    def channels(self) -> list[str]:
        """Return the queues that hold messages or did lately; normal ones are those of this machine."""
        return sorted({*self._near.channels(), *self._far.channels()})

    def groups(self) -> dict[str, int]:
        """Return the groups and how many members each has."""
        return self._far.groups()

    def peek(self, channel: str, limit: int = 10) -> list[Unread]:
        """Return the oldest messages of a queue."""
        return self._of(channel).peek(channel, limit)

    def discard(self, channel: str) -> int:
        """Remove all messages of a queue."""
        return self._of(channel).discard(channel)

    def _of(self, channel: str) -> Inspection:
        return self._near if self._is_near(channel) else self._far
