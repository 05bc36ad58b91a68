"""How much a worker process may do before it makes way for a fresh one."""

import random
import threading
from collections.abc import Callable

JITTER = 0.1
"""Part of a number of messages that is added at random, so that processes do not end together."""


class Budget:
    """Counts the messages that the workers of a process run. Safe in threads.

    Args:
        messages: How many they may run; up to a tenth of it is added at random.

    Attributes:
        limit: How many that makes.
        on_spent: Called once, by the thread that runs the last one.
    """

    def __init__(self, messages: int) -> None:
        self.limit = messages + random.randint(0, int(messages * JITTER))  # noqa: S311 - jitter, not a secret
        self.on_spent: Callable[[], None] | None = None
        self._left = self.limit
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """How many messages are left, 0 at least."""
        return max(0, self._left)

    def spend(self) -> None:
        """Count a message that was run."""
        with self._lock:
            self._left -= 1
            is_last = self._left == 0
        if is_last and self.on_spent is not None:
            self.on_spent()
