"""System checks: mistakes in the settings, found before the first message. Ids are never renumbered."""

from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from channels.registry import OLD_BACKENDS, channel_layers

TAG = "channels"


def register() -> None:
    """Register the checks of this package."""
    for check in (check_layers, check_old_backends, check_auto_accept):
        checks.register(check, TAG)


def check_layers(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """Each entry of ``CHANNEL_LAYERS`` makes a layer, and its routing and consumers can be imported."""
    found: list[checks.CheckMessage] = []
    for alias in channel_layers.configs:
        try:
            layer = channel_layers[alias]
        except Exception as error:
            found.append(
                checks.Error(
                    f"The channel layer {alias!r} cannot be made: {error}",
                    hint="Correct its entry in CHANNEL_LAYERS.",
                    id="channels.E001",
                )
            )
            continue
        try:
            _ = layer.router
        except (ImproperlyConfigured, ValueError, TypeError) as error:
            found.append(
                checks.Error(
                    f"The routing of the channel layer {alias!r} cannot be used: {error}",
                    hint="Correct ROUTING in its entry, or the module it names.",
                    id="channels.E002",
                )
            )
    return found


def check_old_backends(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """No entry of ``CHANNEL_LAYERS`` uses a backend path of 1.x."""
    return [
        checks.Warning(
            f"The channel layer {alias!r} uses the old backend path {config['BACKEND']!r}.",
            hint=f"It works; the new path is {OLD_BACKENDS[config['BACKEND']]!r}.",
            id="channels.W001",
        )
        for alias, config in channel_layers.configs.items()
        if config.get("BACKEND") in OLD_BACKENDS
    ]


def check_auto_accept(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """The project says what becomes of a handshake that its connect consumer leaves undecided."""
    if not channel_layers.configs or hasattr(settings, "CHANNELS_AUTO_ACCEPT"):
        return []
    return [
        checks.Warning(
            "CHANNELS_AUTO_ACCEPT is not set: WebSockets whose connect consumer decides nothing are accepted.",
            hint="Set it to True to keep that, or to False if every connect consumer accepts or closes by itself.",
            id="channels.W002",
        )
    ]
