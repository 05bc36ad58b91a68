"""How long things took in this process: consumers, flushes, requests. The only place that keeps durations.

Each kind of thing has labels (the name of a consumer), and each label a histogram of fixed bounds, so that durations of
several processes can be added. Recording must never fail and never block for long: one lock, one dict.
"""

import threading
from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

CONSUMER = "consumer"
FLUSH = "flush"
REQUEST = "request"

KINDS: Mapping[str, str] = {
    CONSUMER: "From the call of a consumer to its end, without the flush; by consumer.",
    FLUSH: "Sending what a consumer had sent, until the layer took it or it was posted; of all consumers together.",
    REQUEST: "From the arrival of a request at the interface to the end of its response; by class of status.",
}
"""What is timed, and what its labels are."""

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Upper bounds of the parts of a histogram, in seconds; what took longer is in a last one."""

MOST_LABELS = 1000
"""Labels of one kind beyond which all others share one, so that a mistake cannot fill the memory."""

OTHERS = "(others)"


class Timing(NamedTuple):
    """The durations of one label: how many fell in each part, and their sum in seconds."""

    counts: tuple[int, ...]
    seconds: float

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.counts)


class _Histogram:
    __slots__ = ("counts", "seconds")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.seconds = 0.0


# Reentrant: what is collected as garbage while the lock is held may take time in its `finally`.
_lock = threading.RLock()
_histograms: dict[str, dict[str, _Histogram]] = {kind: {} for kind in KINDS}


def add(kind: str, label: str, seconds: float) -> None:
    """Record that a thing of ``kind``, one of ``KINDS``, took ``seconds``."""
    with _lock:
        histograms = _histograms[kind]
        histogram = histograms.get(label)
        if histogram is None:
            if len(histograms) >= MOST_LABELS:
                label = OTHERS
            histogram = histograms.setdefault(label, _Histogram())
        histogram.counts[bisect_left(BOUNDS, seconds)] += 1
        histogram.seconds += seconds


def snapshot(kind: str) -> dict[str, Timing]:
    """Return what was recorded of ``kind`` by label."""
    with _lock:
        return {label: Timing(tuple(one.counts), one.seconds) for label, one in _histograms[kind].items()}


def clear(kind: str) -> None:
    """Forget what was recorded of ``kind``."""
    with _lock:
        _histograms[kind].clear()
