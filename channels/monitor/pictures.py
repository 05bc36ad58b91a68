"""What the page gets of an overview: numbers, in a shape that JSON can carry. How they look is for its script."""

import dataclasses
from typing import Any

from channels.observe.overview import Overview

MOST_CONSUMERS = 20
"""How many consumers are shown: those that took most of the time."""


def describe(picture: Overview) -> dict[str, Any]:
    """Return ``picture`` for the page."""
    workers, servers = picture.processes_of("worker"), picture.processes_of("server")
    consumers = sorted(picture.consumers().items(), key=lambda item: -item[1][1])
    return {
        "name": picture.layer,
        "is_inspected": picture.is_inspected,
        "sent": picture.sent,
        "refused": picture.refused,
        "pending": sum(row.pending for row in picture.channels),
        "oldest": max((row.age for row in picture.channels), default=0.0),
        "busy": sum(row.details.get("busy", 0) for row in workers),
        "threads": sum(row.details.get("threads", 0) for row in workers),
        "connections": sum(row.details.get("connections", 0) for row in servers),
        "channels": [{**dataclasses.asdict(row), "is_full": row.is_full} for row in picture.channels],
        "unseen": picture.unseen,
        "processes": [
            {
                **{name: getattr(row, name) for name in ("name", "kind", "host", "pid", "uptime", "heard")},
                **{name: row.details.get(name) for name in ("busy", "threads", "connections", "metrics", "version")},
            }
            for row in picture.processes
        ],
        "groups": list(picture.groups.items()),
        "group_count": picture.group_count,
        "consumers": [[name, *sums] for name, sums in consumers[:MOST_CONSUMERS]],
        "counters": list(picture.counters.items()),
    }
