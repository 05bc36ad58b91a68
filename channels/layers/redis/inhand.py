"""What a process was handed out of channels that are delivered at least once, and keeps from being given to others.

What is handed out, finished and renewed, and how, is in ``durable``.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from channels.exceptions import ChannelsError
from channels.types import Content

logger = logging.getLogger("django.channels.layers")


class Receipt(NamedTuple):
    """Where a message in hand is kept."""

    shard: int
    queue: str
    id: bytes


class InHand:
    """What one process has been handed out and has not finished; a thread renews it. Safe for threads.

    Args:
        renew: Renews what the receipts stand for; may raise ``LayerUnavailable``.
        interval: Seconds between two renewals.
    """

    def __init__(self, renew: Callable[[Sequence[Receipt]], None], interval: float) -> None:
        self._renew = renew
        self._interval = interval
        self._lock = threading.Lock()
        # By identity: consumers are given the content itself, and two messages may be equal.
        self._receipts: dict[int, tuple[Content, Receipt]] = {}
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()

    def add(self, receipts: Sequence[tuple[Content, Receipt]]) -> None:
        """Renew messages from now on: pairs of content and receipt."""
        with self._lock:
            self._receipts.update((id(content), (content, receipt)) for content, receipt in receipts)
            if self._thread is None and receipts:
                self._closed.clear()
                self._thread = threading.Thread(target=self._run, name="channels-renewal", daemon=True)
                self._thread.start()

    def __contains__(self, content: Content) -> bool:
        return id(content) in self._receipts

    def find(self, content: Content) -> Receipt | None:
        """Return its receipt if it is in hand."""
        entry = self._receipts.get(id(content))
        return None if entry is None else entry[1]

    def pop(self, contents: Iterable[Content]) -> list[Receipt]:
        """Renew these no more; return the receipts of those that were in hand."""
        if not self._receipts:
            return []
        with self._lock:
            found = [self._receipts.pop(id(content), None) for content in contents]
        return [entry[1] for entry in found if entry is not None]

    def clear(self) -> None:
        """Renew nothing of what is in hand now."""
        with self._lock:
            self._receipts.clear()

    def _run(self) -> None:
        while not self._closed.wait(self._interval):
            with self._lock:
                receipts = [receipt for _, receipt in self._receipts.values()]
                if not receipts:
                    self._thread = None
                    return
            try:
                self._renew(receipts)
            except ChannelsError as error:
                logger.warning("Could not renew %d messages in hand: %s", len(receipts), error)
            except Exception:
                logger.exception("Could not renew %d messages in hand.", len(receipts))

    def close(self) -> None:
        """Renew nothing any more; what is in hand is handed out again, to whoever comes."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._receipts.clear()
            self._closed.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()
