"""What there is to see on one layer at one moment: channels, groups, processes and what they counted.

One picture is taken with a few questions to the layer; rates come from two pictures. How it is shown is for the
commands (``channels.management``) and the admin page (``channels.monitor``).
"""

import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from channels import counters, names
from channels.layers.inspection import Announcement, Inspection, inspection_of
from channels.observe import announcements
from channels.utils import printable

logger = logging.getLogger("django.channels.observe")

MOST_CHANNELS = 500
"""Of how many channels the state is asked for: no more than a person or a page can take in."""

MOST_GROUPS = 100
"""How many groups are shown: the largest."""

UNHEARD = "http.disconnect"
"""Always full where nobody consumes it, as in most projects; that is no news."""

_INTERNAL = (names.WAIT_PREFIX, names.FLOW_PREFIX, "probe.")


@dataclasses.dataclass(frozen=True, slots=True)
class ChannelRow:
    """One queue.

    Attributes:
        name: Its name; that of a process ends in ``!``.
        pending: Messages that wait.
        age: Seconds that the oldest of them has waited.
        sent, refused: Messages since the layer began to count.
        capacity: Messages it may hold; None where the layer does not say.
        workers: Processes that are announced as its consumers.
    """

    name: str
    pending: int
    age: float
    sent: int
    refused: int
    capacity: int | None
    workers: int

    @property
    def is_full(self) -> bool:
        """Whether it takes no more."""
        return self.capacity is not None and self.pending >= self.capacity


@dataclasses.dataclass(frozen=True, slots=True)
class ProcessRow:
    """One process.

    Attributes:
        name: Unique on the layer.
        kind: ``worker`` or ``server``.
        host, pid: Where it runs.
        uptime: Seconds since it started.
        heard: Seconds since the layer heard of it.
        skew: Seconds that its clock is ahead of the layer's; the way to the layer is in it.
        channels: What it consumes; for servers their reply queues.
        details: What else it said.
    """

    name: str
    kind: str
    host: str
    pid: int
    uptime: float
    heard: float
    skew: float
    channels: Sequence[str]
    details: dict[str, Any]


@dataclasses.dataclass(frozen=True, slots=True)
class Overview:
    """One picture of a layer.

    Attributes:
        layer: What the layer calls itself.
        at: When it was taken, by a clock that only goes forward, in seconds.
        sent, refused: Messages of all channels since the layer began to count.
        channels, processes: In order of their names.
        groups: Their sizes, the largest first.
        group_count: How many groups there are.
        counters: What all processes counted together.
        unseen: Channels that were left out.
        is_inspected: Whether the layer can tell of channels, groups and processes at all.
    """

    layer: str
    at: float
    sent: int
    refused: int
    channels: Sequence[ChannelRow]
    processes: Sequence[ProcessRow]
    groups: dict[str, int]
    group_count: int
    counters: dict[str, int]
    unseen: int
    is_inspected: bool

    def processes_of(self, kind: str) -> list[ProcessRow]:
        """Return the processes of one kind."""
        return [process for process in self.processes if process.kind == kind]

    def consumers(self) -> dict[str, tuple[int, float]]:
        """Return how often each consumer ran and how many seconds that took, in all processes together."""
        sums: dict[str, tuple[int, float]] = {}
        for process in self.processes:
            for name, (count, seconds) in process.details.get("consumers", {}).items():
                before = sums.get(name, (0, 0.0))
                sums[name] = before[0] + count, before[1] + seconds
        return sums


def take(layer: Any, also: Iterable[str] = ()) -> Overview:
    """Return a picture of ``layer``, a wrapper of a layer.

    Args:
        layer: The wrapper.
        also: Channels to show even if nothing was ever sent on them.

    Raises:
        LayerUnavailable: The server behind the layer cannot be reached.
    """
    inspection = inspection_of(layer)
    processes = _processes(inspection) if inspection is not None else []
    consumed = Counter(channel for row in processes if row.kind == "worker" for channel in row.channels)
    wanted = {*also, *consumed}
    known = wanted.union(inspection.channels() if inspection is not None else ())
    if UNHEARD not in wanted:
        known.discard(UNHEARD)
    shown = sorted(name for name in known if not name.startswith(_INTERNAL))
    groups = inspection.groups() if inspection is not None else {}
    has_statistics = "statistics" in getattr(layer, "extensions", ())
    total = layer.global_statistics() if has_statistics else {}
    states = layer.statistics_of(shown[:MOST_CHANNELS]) if has_statistics else {}
    counted: Counter[str] = Counter()
    for row in processes:
        counted.update(row.details.get("counters", {}))
    return Overview(
        layer=str(layer),
        at=time.monotonic(),
        sent=int(total.get("messages_count", 0)),
        refused=int(total.get("channel_full_count", 0)),
        channels=[_channel(layer, name, state, consumed[name]) for name, state in states.items()],
        processes=processes,
        groups=dict(sorted(groups.items(), key=lambda item: (-item[1], item[0]))[:MOST_GROUPS]),
        group_count=len(groups),
        counters=dict(sorted(counted.items())),
        unseen=max(0, len(shown) - MOST_CHANNELS),
        is_inspected=inspection is not None,
    )


def rates(before: Overview, after: Overview) -> dict[str, float]:
    """Return how many messages a second each channel took between two pictures."""
    seconds = max(after.at - before.at, 1e-3)
    earlier = {row.name: row.sent for row in before.channels}
    return {row.name: max(0, row.sent - earlier.get(row.name, row.sent)) / seconds for row in after.channels}


def _channel(layer: Any, name: str, state: Mapping[str, float], workers: int) -> ChannelRow:
    return ChannelRow(
        name=name,
        pending=int(state.get("messages_pending", 0)),
        age=float(state.get("messages_max_age", 0)),
        sent=int(state.get("messages_count", 0)),
        refused=int(state.get("channel_full_count", 0)),
        capacity=layer.get_capacity(name) if hasattr(layer, "get_capacity") else None,
        workers=workers,
    )


def _processes(inspection: Inspection) -> list[ProcessRow]:
    now = inspection.now()
    rows = []
    for announcement in inspection.announced():
        try:
            rows.append(_process(announcement, now))
        except ValueError as error:
            counters.add("process.dropped.malformed")
            logger.warning("An announcement under %r is not one of a process: %s.", announcement.name, error)
    return sorted(rows, key=lambda row: (row.kind, row.host, row.pid, row.name))


def _process(announcement: Announcement, now: float) -> ProcessRow:
    details = announcements.read(announcement.content)
    said_at = float(details.pop("time", announcement.at))
    heard = max(0.0, now - announcement.at)
    return ProcessRow(
        name=printable(announcement.name),
        kind=str(details.pop("kind", "unknown")),
        host=str(details.pop("host", "")),
        pid=int(details.pop("pid", 0)),
        uptime=max(0.0, said_at - float(details.pop("started", said_at))) + heard,
        heard=heard,
        skew=said_at - announcement.at,
        channels=tuple(details.pop("channels", ())),
        details=details,
    )
