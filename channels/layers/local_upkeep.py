"""Upkeep of a layer that lives in one process."""

import threading
from collections.abc import Callable, Collection

from channels.layers.store import Store


class LocalUpkeep:
    """See ``channels.layers.upkeep.Upkeep``.

    Args:
        lock: Guards the store.
        store: Returns what the layer holds.
        clock: Returns the time by which things expire, in seconds.
    """

    def __init__(self, lock: "threading.RLock", store: Callable[[], Store], clock: Callable[[], float]) -> None:
        self._lock: threading.RLock = lock
        self._store = store
        self._clock = clock

    def epoch(self) -> str:
        """Return what a flush changes."""
        return self._store().epoch

    def renew(self, channels: Collection[str]) -> None:
        """Renew the memberships of ``channels``."""
        with self._lock:
            store, now = self._store(), self._clock()
            for members in store.groups.values():
                for channel in members.keys() & channels:
                    if members[channel] > now:
                        members[channel] = now + store.group_expiry
