"""What is done before a process forks.

SQLite keeps in the memory of a process which locks it holds. A forked child that opened the same file would take its
parent's locks for its own: it would write to a log that the parent removes as the last one to leave, where no other
process looks; and it would wait for ever for a transaction that was under way when it was forked.
"""

import os
import threading
import weakref
from typing import Protocol


class Closable(Protocol):
    """What has a file open."""

    def hold(self) -> None:
        """Close it, and open it no more until ``let_go`` is called."""

    def let_go(self) -> None:
        """Open it again when it is needed."""


class Forks:
    """Lets no process be forked while a file is open that is watched here."""

    def __init__(self) -> None:
        self._watched: weakref.WeakSet[Closable] = weakref.WeakSet()
        self._lock = threading.RLock()  # Reentrant, as that of the place.
        self._held: list[Closable] = []
        os.register_at_fork(before=self._hold, after_in_parent=self._let_go, after_in_child=self._let_go)

    def watch(self, one: Closable) -> None:
        """Close what ``one`` has open whenever this process forks."""
        with self._lock:
            self._watched.add(one)

    def _hold(self) -> None:
        self._lock.acquire()
        self._held = list(self._watched)
        for one in self._held:
            one.hold()

    def _let_go(self) -> None:
        held, self._held = self._held, []
        for one in held:
            one.let_go()
        self._lock.release()


forks = Forks()
"""Those of this process."""
