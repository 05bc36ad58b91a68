"""What a routing leads to: every route in it, with the filters on the way there. For checks and documents.

Which of them takes a message is the business of ``routing``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Routed:
    """One route, as it is reached.

    Attributes:
        consumer: What it leads to.
        channels: The channels it listens on.
        filters: Key of the message to the regular expression, for each ``include`` on the way and then the route.
    """

    consumer: Any
    channels: frozenset[str]
    filters: tuple[Mapping[str, Any], ...]


def walk(entries: Iterable[Any], filters: tuple[Mapping[str, Any], ...] = ()) -> Iterator[Routed]:
    """Yield the routes that ``entries`` of a routing lead to, in their order; entries of other kinds are passed over.

    Args:
        entries: What ``Router.resolve_routing`` returns.
        filters: Those on the way to these entries.
    """
    for entry in entries:
        on_the_way = (*filters, getattr(entry, "filters", None) or getattr(entry, "prefixes", None) or {})
        if hasattr(entry, "consumer"):
            yield Routed(entry.consumer, frozenset(entry.channel_names()), on_the_way)
        elif hasattr(entry, "routing"):
            yield from walk(entry.routing, on_the_way)
