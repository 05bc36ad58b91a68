"""Channels: synchronous consumers of messages for Django.

The names most projects need. Nothing inside the package imports from here.
"""

from importlib.util import find_spec

from channels._version import __version__

if find_spec("django") is not None:  # Whoever only asks for the version need not have it.
    from channels.channel import Channel, Group
    from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
    from channels.routing import include, route, route_class

__all__ = [
    "DEFAULT_CHANNEL_LAYER",
    "Channel",
    "Group",
    "__version__",
    "channel_layers",
    "include",
    "route",
    "route_class",
]
