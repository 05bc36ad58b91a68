"""Each setting's name, default, unit and meaning, in one table; values are read from Django when asked for.

The settings page of the documentation is made of this table, and system checks compare projects with it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings


@dataclass(frozen=True, slots=True)
class Kind:
    """What the value of a setting must be.

    Attributes:
        text: It in words, after "must be".
        accepts: Returns whether a value is of this kind.
    """

    text: str
    accepts: Callable[[Any], bool]

    def or_none(self) -> "Kind":
        """Return the kind that takes None as well."""
        return Kind(f"{self.text}, or None", lambda value: value is None or self.accepts(value))

    def or_endless(self) -> "Kind":
        """Return the kind that takes -1 as well, for no limit."""
        return Kind(f"{self.text}, or -1", lambda value: self.accepts(value) or (_is_number(value) and value == -1))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_list_of_text(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)


ANYTHING = Kind("anything", lambda value: True)
BOOLEAN = Kind("True or False", lambda value: isinstance(value, bool))
TEXT = Kind("a string", lambda value: isinstance(value, str))
TEXTS = Kind("a list of strings", _is_list_of_text)
MAPPING = Kind("a dict", lambda value: isinstance(value, dict))
SECONDS = Kind("a number of seconds above 0", lambda value: _is_number(value) and value > 0)
SECONDS_OR_ZERO = Kind("a number of seconds, 0 or more", lambda value: _is_number(value) and value >= 0)
COUNT = Kind("a whole number above 0", lambda value: _is_whole(value) and value > 0)
COUNT_OR_ZERO = Kind("a whole number, 0 or more", lambda value: _is_whole(value) and value >= 0)


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of this package.

    Attributes:
        name: Its name in the project's settings module.
        default: Its value when the project does not set it.
        meaning: What it does, in sentences of reStructuredText.
        section: Heading of the settings page under which it stands.
        unit: Unit of its value; empty where there is none.
        kind: What its value must be.
    """

    name: str
    default: Any
    meaning: str
    section: str = "Other"
    unit: str = ""
    kind: Kind = ANYTHING


_LAYERS, _SESSIONS, _HANDSHAKES = "Layers", "Sessions", "Handshakes"
_INTERFACE, _ORDERING, _WORKERS = "Limits of the interface", "Ordering", "Workers"


def _bound(name: str, default: int | None, unit: str, meaning: str) -> Setting:
    """Return the setting of a limit of the interface; None is no limit."""
    return Setting(
        f"CHANNELS_MAX_{name}", default, meaning, _INTERFACE, unit, COUNT.or_none() if default is None else COUNT
    )


_DECLARED = (
    Setting(
        "CHANNEL_LAYERS",
        {},
        "The layers of the project: alias to ``BACKEND`` (dotted path of the class), ``ROUTING`` (see "
        ":doc:`/routing`), ``CONFIG`` (keyword arguments of the class) and ``TEST_CONFIG`` (the same, for live tests). "
        "See :doc:`/layers`.",
        _LAYERS,
        kind=MAPPING,
    ),
    Setting(
        "CHANNEL_SESSION_ENGINE",
        None,
        "Session engine of channel sessions; None uses ``SESSION_ENGINE``. The signed-cookies engine cannot be used.",
        _SESSIONS,
        kind=TEXT.or_none(),
    ),
    Setting(
        "CHANNELS_KEEP_CHANNEL_SESSIONS",
        False,
        "Keep a connection's channel session after its disconnect consumer has run.",
        _SESSIONS,
        kind=BOOLEAN,
    ),
    Setting(
        "CHANNELS_AUTO_ACCEPT",
        True,
        "Accept a WebSocket whose connect consumer ended without deciding the handshake. False leaves it undecided, "
        "and it is refused after :data:`CHANNELS_WEBSOCKET_CONNECT_TIMEOUT`, unless something decides it before.",
        _HANDSHAKES,
        kind=BOOLEAN,
    ),
    Setting(
        "CHANNELS_REJECT_UNROUTED",
        False,
        "Refuse WebSockets on paths that no route takes. New projects should set it to True.",
        _HANDSHAKES,
        kind=BOOLEAN,
    ),
    Setting(
        "CHANNELS_WS_PROTOCOLS",
        None,
        "The subprotocols this site speaks, in order of preference. The first one that a client offers is chosen, "
        "unless the accepting reply names another.",
        _HANDSHAKES,
        kind=TEXTS.or_none(),
    ),
    Setting(
        "CHANNELS_HTTP_TIMEOUT",
        120,
        "How long the first byte of a response may take; then the client gets 503.",
        _INTERFACE,
        "seconds",
        SECONDS,
    ),
    Setting(
        "CHANNELS_WEBSOCKET_CONNECT_TIMEOUT",
        5,
        "How long a handshake may stay undecided; then the client gets 403. -1 means no limit.",
        _INTERFACE,
        "seconds",
        SECONDS.or_endless(),
    ),
    Setting(
        "CHANNELS_WEBSOCKET_TIMEOUT",
        None,
        "How long a WebSocket may live; then it is closed with 1000. None and -1 mean no limit; with a layer that "
        "cannot renew memberships of groups, None means its ``group_expiry``.",
        _INTERFACE,
        "seconds",
        SECONDS.or_endless().or_none(),
    ),
    Setting(
        "CHANNELS_MAX_BODY_BYTES",
        None,
        "Largest request body that the interface takes; larger ones get 413. None means no limit.",
        _INTERFACE,
        "bytes",
        COUNT_OR_ZERO.or_none(),
    ),
    Setting(
        "CHANNELS_ROOT_PATH",
        "",
        "Path prefix that the site is mounted at. What the server says itself comes first. The paths of requests must "
        "begin with it: a proxy must not take it away.",
        _INTERFACE,
        kind=TEXT,
    ),
    _bound("BACKLOG_BYTES", 64 * 1024 * 1024, "bytes", "Bytes that may wait for a client that reads too slowly."),
    Setting(
        "CHANNELS_BACKLOG_TIMEOUT",
        120,
        "How long a client may take nothing while something waits for it; then its connection ends. -1 means no limit.",
        _INTERFACE,
        "seconds",
        SECONDS.or_endless(),
    ),
    _bound(
        "FRAME_BYTES", None, "bytes", "Largest WebSocket frame of a client; then 1009. None: what the layer carries."
    ),
    _bound("FRAMES_PER_SECOND", None, "", "Frames that one socket may send in a second; then 1008."),
    _bound("SOCKETS", None, "", "Open sockets of one interface process; further handshakes get 503."),
    _bound("HANDSHAKES", None, "", "Undecided handshakes of one interface process; further ones get 503."),
    _bound("CLIENT_SOCKETS", None, "", "Open sockets of one client in one process; further handshakes get 429."),
    _bound("CLIENT_HANDSHAKES_PER_MINUTE", None, "", "Handshakes of one client in one process; further ones get 429."),
    _bound("CLIENT_REQUESTS_PER_MINUTE", None, "", "Requests of one client to one process; further ones get 429."),
    Setting(
        "CHANNELS_DRAIN_SECONDS",
        5,
        "Time over which sockets are closed with 1012 when an interface process gets SIGTERM, before its server acts "
        "on it. None leaves the signal to the server. See :doc:`/interface`.",
        _INTERFACE,
        "seconds",
        SECONDS_OR_ZERO.or_none(),
    ),
    Setting(
        "CHANNELS_DRAIN_TIMEOUT",
        10,
        "How long requests may take after that, before the server acts on the signal.",
        _INTERFACE,
        "seconds",
        SECONDS_OR_ZERO,
    ),
    Setting(
        "CHANNELS_ORDERING_TIMEOUT",
        10,
        "How long ordered messages wait for one that is missing. After that their socket is closed with 1013.",
        _ORDERING,
        "seconds",
        SECONDS,
    ),
    Setting(
        "CHANNELS_RECEIVE_TIMEOUT",
        1.0,
        "How long a worker with nothing to do waits for a message before it looks whether it shall stop. Shorter stops "
        "sooner and asks the layer more often.",
        _WORKERS,
        "seconds",
        SECONDS,
    ),
    Setting(
        "CHANNELS_BATCH_LIMIT",
        32,
        "Most messages that a worker takes from the layer together; where consumers are slow it takes fewer.",
        _WORKERS,
        "messages",
        COUNT,
    ),
    Setting(
        "CHANNELS_FLUSH_RETRY_TIME",
        2.0,
        "How long what a consumer has sent is offered to a channel that is full, before it is dropped. The worker does "
        "nothing else meanwhile.",
        _WORKERS,
        "seconds",
        SECONDS_OR_ZERO,
    ),
    Setting(
        "CHANNELS_STOP_GRACE",
        60,
        "How long a worker that was told to stop may take to finish what it has in hand; ``--grace`` of ``runworker`` "
        "comes first.",
        _WORKERS,
        "seconds",
        SECONDS_OR_ZERO,
    ),
    Setting(
        "CHANNELS_STALL_TIME",
        300,
        "How long one message may keep a worker busy before its health is reported as bad: by the health port, the "
        "health file and the watchdog of systemd.",
        _WORKERS,
        "seconds",
        SECONDS,
    ),
    Setting(
        "CHANNELS_METRICS",
        None,
        "Where each worker and interface process shows metrics to Prometheus, such as ``127.0.0.1:9400``: the first "
        "port that is free from there on. Whoever reaches it may read them. See :doc:`/monitoring`.",
        "Monitoring",
        kind=TEXT.or_none(),
    ),
    Setting(
        "CHANNELS_TRACING",
        False,
        "Follow messages through interface and workers with OpenTelemetry. See :doc:`/monitoring`.",
        "Monitoring",
        kind=BOOLEAN,
    ),
    Setting(
        "CHANNELS_TYPED",
        {},
        "Options of typed consumers, by name; attributes of a consumer class come before them. See :doc:`/typed`.",
        "Typed consumers",
        kind=MAPPING,
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
