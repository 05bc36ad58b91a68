"""The typed consumers of a project and where they are found, as its routing says."""

import inspect
import re
from dataclasses import dataclass
from typing import Any

from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
from channels.routed import walk
from channels.typed.asyncapi.paths import Address, read_address
from channels.typed.consumers import TypedConsumer


@dataclass(frozen=True, slots=True)
class TypedRoute:
    """One typed consumer at one path.

    Attributes:
        name: Name of the consumer; with a number if others have the same.
        consumer: The class.
        address: The path.
    """

    name: str
    consumer: type[TypedConsumer[Any, Any, Any, Any]]
    address: Address

    @property
    def description(self) -> str:
        """The docstring of the class, or of the nearest base that is the project's and has one; perhaps empty."""
        for base in self.consumer.__mro__:
            if issubclass(base, TypedConsumer) and base is not TypedConsumer and base.__doc__:
                return inspect.cleandoc(base.__doc__)
        return ""


def find_routes(layer: str = DEFAULT_CHANNEL_LAYER) -> list[TypedRoute]:
    """Return the typed consumers in the routing of a layer, in its order.

    Args:
        layer: The alias.

    Raises:
        InvalidChannelLayerError: There is no such layer.
        ImproperlyConfigured: Its routing cannot be imported.
    """
    routes: dict[str, TypedRoute] = {}
    for routed in walk(channel_layers[layer].router.root.routing):
        consumer = routed.consumer
        if isinstance(consumer, type) and issubclass(consumer, TypedConsumer):
            patterns = [filters["path"].pattern for filters in routed.filters if "path" in filters]
            name = unused_name(consumer.__name__, routes)
            routes[name] = TypedRoute(name, consumer, read_address(patterns))
    return list(routes.values())


def unused_name(name: str, used: Any) -> str:
    """Return ``name`` in the characters that keys of a document may have; with a number if it is in ``used``."""
    wanted, number = re.sub(r"[^\w.-]", "_", name), 1
    found = wanted
    while found in used:
        number += 1
        found = f"{wanted}_{number}"
    return found
