"""What this process sent, received, refused and dropped, and why. The only place that counts.

Names are ``noun.verb.reason``. Counting must never fail and never block for long: one lock, one dict.
"""

import threading
from collections import Counter

_lock = threading.Lock()
_counts: Counter[str] = Counter()


def add(name: str, amount: int = 1) -> None:
    """Add ``amount`` to the counter ``name`` of this process."""
    with _lock:
        _counts[name] += amount


def value(name: str) -> int:
    """Return the counter ``name``; 0 if it never counted."""
    with _lock:
        return _counts.get(name, 0)


def snapshot() -> dict[str, int]:
    """Return a copy of all counters of this process."""
    with _lock:
        return dict(_counts)
