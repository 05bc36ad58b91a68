"""Plain text for people: tables, durations, contents. Decides nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from channels.observe.overview import Overview, ProcessRow

_SHOWN_BYTES = 60

_SHOWN_LEVELS = 20
"""Of lists in lists; what a stranger sent may be deeper than Python can follow."""


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table with a title; the first column is text, numbers stand on the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    if not cells:
        return f"{title}: none"
    widths = [max(len(line[at]) for line in [list(columns), *cells]) for at in range(len(columns))]
    lines = [title]
    for first, *others in ([*columns], *cells):
        parts = [first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True))]
        lines.append("  " + "  ".join(parts).rstrip())
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """Return ``seconds`` in one unit."""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms" if seconds else "0"
    for unit, size in (("d", 86_400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{seconds:.1f}s"


def brief(value: Any, levels: int = _SHOWN_LEVELS) -> Any:
    """Return ``value`` with long texts and bytes, and what is nested deeply, cut, to be shown as it is."""
    if isinstance(value, Mapping | list | tuple) and not levels:
        return f"... ({len(value)})"
    if isinstance(value, Mapping):
        return {key: brief(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [brief(item, levels - 1) for item in value]
    if isinstance(value, str | bytes) and len(value) > _SHOWN_BYTES:
        return f"{value[:_SHOWN_BYTES]!r}... ({len(value)})"
    return value


def load(row: ProcessRow) -> str:
    """Return how busy a process is, in a few words."""
    if row.kind == "worker":
        return f"{row.details.get('busy', 0)}/{row.details.get('threads', 1)} busy"
    return f"{row.details.get('connections', 0)} connections"


def channel_rows(picture: Overview, rates: Mapping[str, float]) -> list[list[object]]:
    """Return the cells of the table of channels: those with a backlog first, then by rate."""
    rows = sorted(picture.channels, key=lambda row: (-row.pending, -rates.get(row.name, 0), row.name))
    return [
        [
            row.name,
            f"{row.pending}/{row.capacity}" if row.capacity is not None else row.pending,
            duration(row.age),
            f"{rates.get(row.name, 0):.1f}",
            row.refused,
            row.workers,
        ]
        for row in rows
    ]


def process_rows(picture: Overview) -> list[list[object]]:
    """Return the cells of the table of processes."""
    return [
        [
            row.kind,
            row.host,
            row.pid,
            duration(row.uptime),
            duration(row.heard),
            load(row),
            row.details.get("metrics") or "-",
        ]
        for row in picture.processes
    ]


def consumer_rows(picture: Overview) -> list[list[object]]:
    """Return the cells of the table of consumers, of all processes together; the most time first."""
    most = sorted(picture.consumers().items(), key=lambda item: -item[1][1])
    return [[name, count, duration(total), duration(total / max(count, 1))] for name, (count, total) in most]


def counter_rows(picture: Overview) -> list[list[object]]:
    """Return the cells of the table of counters."""
    return [[name, count] for name, count in picture.counters.items()]


CHANNEL_COLUMNS = ("channel", "unread", "oldest", "per s", "refused", "workers")
PROCESS_COLUMNS = ("process", "host", "pid", "up", "heard", "load", "metrics")
CONSUMER_COLUMNS = ("consumer", "runs", "total", "mean")
COUNTER_COLUMNS = ("counter", "count")
