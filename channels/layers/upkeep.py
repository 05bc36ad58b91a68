"""The upkeep extension: what a process that holds connections open asks of its layer every now and then.

A layer that lists ``upkeep`` among its extensions has an ``upkeep`` with these methods. None of them is asked for per
message, and all may block.
"""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

EXTENSION = "upkeep"


class Upkeep(Protocol):
    """What keeps connections and their memberships alive, and tells when that failed."""

    def epoch(self) -> str:
        """Return what stays the same until messages and memberships are lost all at once.

        That is what a flush does, and a server that comes back with an empty memory.

        Raises:
            LayerUnavailable: The server behind the layer cannot be reached.
        """

    def renew(self, channels: Collection[str]) -> None:
        """Renew the memberships of ``channels`` of which a fourth of ``group_expiry`` has passed.

        Reads every group; to be called a few times in a ``group_expiry``.

        Args:
            channels: Process-specific channels of the calling process.

        Raises:
            LayerUnavailable: The server behind the layer cannot be reached.
        """


def upkeep_of(layer: Any) -> Upkeep | None:
    """Return the upkeep of ``layer``, a layer or a wrapper of one; None if it has none."""
    extensions: Sequence[str] = getattr(layer, "extensions", ())
    return layer.upkeep if EXTENSION in extensions else None
