"""Each setting's name, default, unit and meaning, in one table; values are read from Django when asked for."""

from dataclasses import dataclass
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of this package.

    Attributes:
        name: Its name in the project's settings module.
        default: Its value when the project does not set it.
        meaning: One sentence, with the unit where there is one.
    """

    name: str
    default: Any
    meaning: str


_DECLARED = (
    Setting("CHANNEL_LAYERS", {}, "Alias to layer: BACKEND, ROUTING, CONFIG and TEST_CONFIG of each."),
    Setting("CHANNEL_SESSION_ENGINE", None, "Session engine of channel sessions; None uses SESSION_ENGINE."),
    Setting(
        "CHANNELS_KEEP_CHANNEL_SESSIONS",
        False,
        "Keep a connection's channel session after its disconnect consumer has run.",
    ),
    Setting(
        "CHANNELS_AUTO_ACCEPT",
        True,
        "Accept a WebSocket whose connect consumer ended without deciding the handshake.",
    ),
    Setting("CHANNELS_REJECT_UNROUTED", False, "Refuse WebSockets on paths that no route takes."),
    Setting("CHANNELS_WS_PROTOCOLS", None, "Subprotocols this site speaks, in order of preference."),
    Setting("CHANNELS_HTTP_TIMEOUT", 120, "Seconds until the first byte of a response; then 503."),
    Setting("CHANNELS_WEBSOCKET_CONNECT_TIMEOUT", 5, "Seconds until a handshake is decided; then 403. -1: no limit."),
    Setting(
        "CHANNELS_WEBSOCKET_TIMEOUT",
        None,
        "Seconds a WebSocket may live; None uses the layer's group_expiry. -1: no limit.",
    ),
    Setting("CHANNELS_MAX_BODY_BYTES", None, "Largest request body the interface takes, in bytes; None: no limit."),
    Setting("CHANNELS_ROOT_PATH", "", "Path prefix the site is mounted at; the server's own root_path comes first."),
    Setting(
        "CHANNELS_ORDERING_TIMEOUT",
        10,
        "Seconds that ordered messages wait for a missing one before their socket is closed.",
    ),
)

SETTINGS = {setting.name: setting for setting in _DECLARED}
"""Every setting of this package, by name."""


def get(name: str) -> Any:
    """Return the project's value of the setting ``name``, or its default.

    Raises:
        KeyError: This package has no such setting.
    """
    return getattr(settings, name, SETTINGS[name].default)
