"""The check of the page in the admin: that its socket leads to somebody."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.core.checks import CheckMessage
from django.urls import NoReverseMatch, reverse

from channels.checks import catalogue
from channels.checks.layers import usable_configs
from channels.message import Message
from channels.monitor.consumers import LiveConsumer
from channels.registry import channel_layers

PAGE = "admin:channels_monitor_layer_changelist"


def check_monitor(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A routing sends the socket of the page to its consumer."""
    if not apps.is_installed("channels.monitor"):
        return []
    try:
        path = f"{reverse(PAGE)}live/"
    except NoReverseMatch:  # Shown in an admin of another name, or nowhere.
        return []
    for alias in usable_configs():
        try:
            layer = channel_layers[alias]
            match = layer.router.match(Message({"path": path}, "websocket.connect", layer))
        except Exception:  # noqa: S112 - check_layers names it
            continue
        if match is not None and isinstance(match[0], type) and issubclass(match[0], LiveConsumer):
            return []
    return [catalogue.MONITOR_UNROUTED(f"No routing sends the WebSocket {path} of the page to its consumer.")]
