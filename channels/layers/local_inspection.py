"""Inspection of a layer that lives in one process."""

import itertools
import threading
import time
from collections.abc import Callable

from channels import names
from channels.formats import copy_content
from channels.layers.inspection import MOST_NAMES, Announcement, Unread
from channels.layers.store import Store
from channels.types import Content


class LocalInspection:
    """See ``channels.layers.inspection.Inspection``.

    Args:
        lock: Guards the store.
        store: Returns what the layer holds.
        clock: Returns the time by which things expire, in seconds.
    """

    def __init__(self, lock: "threading.RLock", store: Callable[[], Store], clock: Callable[[], float]) -> None:
        self._lock: threading.RLock = lock
        self._store = store
        self._clock = clock
        self._announced: dict[str, tuple[float, Announcement]] = {}

    def now(self) -> float:
        """Return the time."""
        return time.time()

    def announce(self, name: str, content: Content, lifetime: float) -> None:
        """Show ``content`` under ``name``."""
        announcement = Announcement(name, copy_content(content), self.now())
        with self._lock:
            self._announced[name] = self._clock() + lifetime, announcement

    def withdraw(self, name: str) -> None:
        """Show nothing under ``name`` any more."""
        with self._lock:
            self._announced.pop(name, None)

    def announced(self) -> list[Announcement]:
        """Return what is announced, by name."""
        with self._lock:
            now = self._clock()
            self._announced = {name: kept for name, kept in self._announced.items() if kept[0] > now}
            found = [announcement for _, announcement in self._announced.values()]
        return sorted(announcement._replace(content=copy_content(announcement.content)) for announcement in found)

    def channels(self) -> list[str]:
        """Return the queues that hold messages or did lately."""
        with self._lock:
            store = self._store()
            return sorted(store.queues.keys() | store.tallies.keys())[:MOST_NAMES]

    def groups(self) -> dict[str, int]:
        """Return the groups and how many members each has."""
        with self._lock:
            store, now = self._store(), self._clock()
            sizes = {group: len(store.members(group, now)) for group in sorted(store.groups)[:MOST_NAMES]}
            return {group: size for group, size in sizes.items() if size}

    def peek(self, channel: str, limit: int = 10) -> list[Unread]:
        """Return the oldest messages of a queue."""
        queue = names.non_local_name(names.require_channel_name(channel))
        with self._lock:
            store, now = self._store(), self._clock()
            store.purge(queue, now)
            entries = list(itertools.islice(store.queues.get(queue, ()), limit))
            return [
                Unread(delivery.channels, copy_content(delivery.content), now - (deadline - store.expiry))
                for deadline, delivery in entries
            ]

    def discard(self, channel: str) -> int:
        """Remove all messages of a queue."""
        queue = names.non_local_name(names.require_channel_name(channel))
        with self._lock:
            store = self._store()
            store.purge(queue, self._clock())
            return len(store.queues.pop(queue, ()))
