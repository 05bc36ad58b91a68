"""The way into a project for any ASGI server: settings are read here and handed to the interface.

An untouched ``asgi.py`` of Channels 1.x works: what ``get_channel_layer`` returns is the layer, and also an
ASGI-3 application.
"""

import functools
from typing import Any

import django

from channels import conf
from channels.exceptions import InvalidChannelLayerError
from channels.interface.application import ChannelsApplication, Limits
from channels.observe.start import watch
from channels.registry import (
    DEFAULT_CHANNEL_LAYER,
    ChannelLayerManager,
    ChannelLayerWrapper,
    channel_layers,
)
from channels.types import ActionLogger, Receive, Scope, Send

__all__ = [
    "ChannelLayerManager",
    "ChannelLayerWrapper",
    "InvalidChannelLayerError",
    "LayerApplication",
    "channel_layers",
    "get_asgi_application",
    "get_channel_layer",
    "make_application",
]


def make_application(
    alias: str = DEFAULT_CHANNEL_LAYER, *, action_logger: ActionLogger | None = None, **limits: Any
) -> ChannelsApplication:
    """Return the ASGI-3 application that turns connections into messages on the layer ``alias``.

    Args:
        alias: Which layer of ``CHANNEL_LAYERS``.
        action_logger: Called for each thing an operator may want to see.
        limits: Fields of ``channels.interface.application.Limits`` that win over the settings. Unless they say
            otherwise, SIGTERM is left to the server.
    """
    from_settings = {
        "http_timeout": conf.get("CHANNELS_HTTP_TIMEOUT"),
        "websocket_connect_timeout": conf.get("CHANNELS_WEBSOCKET_CONNECT_TIMEOUT"),
        "websocket_timeout": conf.get("CHANNELS_WEBSOCKET_TIMEOUT"),
        "max_body_bytes": conf.get("CHANNELS_MAX_BODY_BYTES"),
        "subprotocols": tuple(conf.get("CHANNELS_WS_PROTOCOLS") or ()),
        "root_path": conf.get("CHANNELS_ROOT_PATH"),
        "backlog_bytes": conf.get("CHANNELS_MAX_BACKLOG_BYTES"),
        "backlog_seconds": conf.get("CHANNELS_BACKLOG_TIMEOUT"),
        "max_frame_bytes": conf.get("CHANNELS_MAX_FRAME_BYTES"),
        "frames_per_second": conf.get("CHANNELS_MAX_FRAMES_PER_SECOND"),
        "max_sockets": conf.get("CHANNELS_MAX_SOCKETS"),
        "max_handshakes": conf.get("CHANNELS_MAX_HANDSHAKES"),
        "client_sockets": conf.get("CHANNELS_MAX_CLIENT_SOCKETS"),
        "client_handshakes_per_minute": conf.get("CHANNELS_MAX_CLIENT_HANDSHAKES_PER_MINUTE"),
        "client_requests_per_minute": conf.get("CHANNELS_MAX_CLIENT_REQUESTS_PER_MINUTE"),
        "drain_timeout": conf.get("CHANNELS_DRAIN_TIMEOUT"),
    }
    return ChannelsApplication(
        channel_layers[alias].channel_layer,
        Limits(**{**from_settings, **limits}),
        action_logger=action_logger,
        on_start=functools.partial(watch.add_server, alias=alias),
    )


def get_asgi_application(alias: str = DEFAULT_CHANNEL_LAYER) -> ChannelsApplication:
    """Set up Django and return the ASGI-3 application of this project.

    Raises:
        KeyError: ``CHANNEL_LAYERS`` has no such alias.
        InvalidChannelLayerError: Its entry cannot be turned into a layer.
    """
    django.setup(set_prefix=False)
    return make_application(alias, drain_seconds=conf.get("CHANNELS_DRAIN_SECONDS"))


class LayerApplication:
    """A layer that is also an ASGI-3 application."""

    def __init__(self, layer: Any, application: ChannelsApplication) -> None:
        self._layer = layer
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        await self._application(scope, receive, send)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._layer, name)

    def __str__(self) -> str:
        return str(self._layer)


def get_channel_layer(alias: str = DEFAULT_CHANNEL_LAYER) -> LayerApplication:
    """Set up Django and return the layer ``alias``, which any ASGI server can serve.

    Raises:
        KeyError: ``CHANNEL_LAYERS`` has no such alias.
        InvalidChannelLayerError: Its entry cannot be turned into a layer.
    """
    application = get_asgi_application(alias)
    return LayerApplication(channel_layers[alias].channel_layer, application)
