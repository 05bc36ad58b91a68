"""How much the file of a layer may grow: no more than lets its messages still be taken.

To take a message is to write, and it makes room only when it is written. Where senders filled the last block of a file
system, nothing could be taken any more, and it would stay full for ever.
"""

import os
import sqlite3
from pathlib import Path

from channels.exceptions import LayerUnavailable

RESERVE_BYTES = 8 * 1024 * 1024
"""What senders leave: SQLite's log grows to 4 MiB before it is written back to the file, which may grow by as much."""


class NoSpace(LayerUnavailable):
    """The file system has no space for what was to be done. Who sends calls it ``ChannelFull``."""

    was_asked = False


def no_space(directory: Path) -> str:
    """Return what to say where the file system of ``directory`` is full, and what to do."""
    return (
        f"No space is left in {directory} beside the {RESERVE_BYTES // 1024**2} MiB that taking messages needs: run "
        "more workers, lower 'message_memory', or give the layer another 'directory' in CONFIG."
    )


class Space:
    """What one transaction may add.

    Args:
        directory: Where the file is.
        connection: Of the transaction.
    """

    def __init__(self, directory: Path, connection: sqlite3.Connection) -> None:
        self._directory = directory
        self._connection = connection
        self._added = 0
        self._left: int | None = None

    def has(self, size: int) -> bool:
        """Return whether ``size`` bytes may be added."""
        if self._left is None:
            found = os.statvfs(self._directory)
            self._left = max(0, found.f_bavail * found.f_frsize - RESERVE_BYTES)
        self._added += 2 * size  # To the log and to the file.
        return self._added <= self._left or self._added <= self._left + self._unused()

    def _unused(self) -> int:
        # The file never shrinks; what was taken leaves pages that are used again.
        query = "SELECT freelist_count * page_size FROM pragma_freelist_count, pragma_page_size"
        (unused,) = self._connection.execute(query).fetchone()
        return int(unused)
