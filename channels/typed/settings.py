"""What the setting CHANNELS_TYPED may hold, and its defaults. Class attributes of consumers come before it."""

from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from channels import conf


@dataclass(frozen=True, slots=True)
class TypedSetting:
    """One key of CHANNELS_TYPED: its default, and one sentence on it."""

    name: str
    default: Any
    meaning: str


_DECLARED = (
    TypedSetting("SEND_COMPLETION", False, "Say when all answers to a message or event have been sent."),
    TypedSetting("SEND_MESSAGE_IMMEDIATELY", False, "Let each message leave at once, not when the consumer ends."),
    TypedSetting("LOG_RECEIVED_MESSAGE", True, "Log each message that is received, at INFO."),
    TypedSetting("LOG_SENT_MESSAGE", True, "Log each message that is sent, at INFO."),
    TypedSetting("LOG_IGNORED_ACTIONS", [], "Actions that are not logged."),
    TypedSetting("SEND_AUTHENTICATION_MESSAGE", True, "Tell the client the outcome of its authentication."),
    TypedSetting("REFUSE_BEFORE_OPEN", False, "Refuse clients in the handshake instead of by a message and a close."),
    TypedSetting("MESSAGE_ACTION_KEY", "action", "The key that tells messages apart, as clients see it."),
    TypedSetting("CAMELIZE", False, "Write keys in camelCase for clients, and read them so."),
    TypedSetting("WEBSOCKET_BASE_URL", "ws://localhost:8000", "Where generated documents say that the site is."),
    TypedSetting("ASYNCAPI_TITLE", "WebSockets", "Title of the AsyncAPI document."),
    TypedSetting("ASYNCAPI_VERSION", "1.0.0", "Version of the protocol, in the document."),
    TypedSetting("ASYNCAPI_DESCRIPTION", "", "Text at the beginning of the document."),
    TypedSetting("ASYNCAPI_ACCESS", "staff", "Who may see the document and its page."),
    TypedSetting("PLAYGROUND_ACCESS", "staff", "Who may see the playground."),
    TypedSetting("MAX_MESSAGE_BYTES", 262_144, "Largest message of a client, in bytes; None: no limit."),
    TypedSetting("INVALID_MESSAGE_LIMIT", 20, "Invalid messages that are answered within the window; more are not."),
    TypedSetting("INVALID_MESSAGE_CLOSE", 60, "Invalid messages within the window that close the socket."),
    TypedSetting("INVALID_MESSAGE_WINDOW", 10, "Seconds over which invalid messages are counted."),
)

TYPED_SETTINGS = {setting.name: setting for setting in _DECLARED}
"""Every key of CHANNELS_TYPED, by name."""


_DEFAULTS = {setting.name: setting.default for setting in _DECLARED}


def read() -> dict[str, Any]:
    """Return what the project says in CHANNELS_TYPED, with the defaults of the rest."""
    return {**_DEFAULTS, **conf.get("CHANNELS_TYPED")}


def get(name: str) -> Any:
    """Return the project's value of ``name`` in CHANNELS_TYPED, or its default.

    Raises:
        KeyError: There is no such key.
    """
    return read()[name]


def require_known() -> None:
    """Raise if CHANNELS_TYPED has a key that means nothing.

    Raises:
        ImproperlyConfigured: It has; the text names it and those there are.
    """
    unknown = sorted(set(conf.get("CHANNELS_TYPED")) - set(TYPED_SETTINGS))
    if unknown:
        raise ImproperlyConfigured(f"CHANNELS_TYPED has no {', '.join(unknown)}; it has {', '.join(TYPED_SETTINGS)}.")
