"""What an operator may set about the interface: durations, sizes and what the site is told about itself."""

from collections.abc import Sequence
from dataclasses import dataclass

NO_LIMIT = -1
"""What to write for a duration that never ends."""

_AT_LEAST_ONE = (
    "response_window",
    "body_part_bytes",
    "max_frame_bytes",
    "frames_per_second",
    "max_sockets",
    "max_handshakes",
    "client_sockets",
    "client_handshakes_per_minute",
    "client_requests_per_minute",
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the connections of one interface process.

    Attributes:
        http_timeout: Seconds from the end of a request to the first byte of its response, and seconds that a
            client may pause while it sends a body. -1: no limit.
        websocket_connect_timeout: Seconds until a handshake is decided. -1: no limit.
        websocket_timeout: Seconds a WebSocket may live; -1: no limit. None or 0 is no limit, too, unless the layer
            cannot renew memberships of groups: then it is ``group_expiry``, because they end then.
        max_body_bytes: Largest request body; None: no limit.
        body_part_bytes: Largest part of a request body in one message. A longer body follows the
            ``http.request`` message on a channel of its own. Layers carry at least 1 MB.
        subprotocols: WebSocket subprotocols the site speaks. The first that the client offers and that is
            among them is chosen unless the application names one.
        root_path: Path the site is mounted at, used where the server gives none.
        receive_patience: Seconds a WebSocket frame waits for room on a full channel, during which nothing
            more is read from its client, before the socket is closed with 1013.
        disconnect_patience: Seconds a ``websocket.disconnect`` waits for room before it is dropped.
        held_deliveries: Messages of groups kept for a socket whose handshake is not decided yet.
        response_window: Messages of a response that may be on their way to the client, in the layer or here. A
            worker that sends more waits until the client was given some.
        backlog_bytes: Bytes that may wait in this process for a client that reads more slowly than it is
            sent to; beyond it the connection ends.
        backlog_seconds: Seconds that a client may take nothing while something waits for it; then the connection
            ends. -1: no limit.
        max_frame_bytes: Largest WebSocket frame; a socket that gets a larger one is closed with 1009. None: what
            the layer carries.
        frames_per_second: Frames that one socket may send in a second; it is closed with 1008 if it sends more.
            None: no limit, here and for the next five.
        max_sockets: Sockets of one process, beyond which handshakes get 503.
        max_handshakes: Undecided handshakes of one process, beyond which more of them get 503.
        client_sockets: Sockets that one client address may have in one process; more get 429.
        client_handshakes_per_minute: Handshakes that one client address may begin in one process; more get 429.
        client_requests_per_minute: HTTP requests that one client address may make in one process; more get 429.
        drain_seconds: Seconds over which sockets are closed when the process gets SIGTERM, before the server acts
            on it. None: the signal is left to the server.
        drain_timeout: Seconds after that until the server acts, although requests are still being answered.
    """

    http_timeout: float = 120
    websocket_connect_timeout: float = 5
    websocket_timeout: float | None = None
    max_body_bytes: int | None = None
    body_part_bytes: int = 512 * 1024
    subprotocols: Sequence[str] = ()
    root_path: str = ""
    receive_patience: float = 5
    disconnect_patience: float = 60
    held_deliveries: int = 100
    response_window: int = 8
    backlog_bytes: int = 64 * 1024 * 1024
    backlog_seconds: float = 120
    max_frame_bytes: int | None = None
    frames_per_second: int | None = None
    max_sockets: int | None = None
    max_handshakes: int | None = None
    client_sockets: int | None = None
    client_handshakes_per_minute: int | None = None
    client_requests_per_minute: int | None = None
    drain_seconds: float | None = None
    drain_timeout: float = 10

    def __post_init__(self) -> None:
        if isinstance(self.subprotocols, str | bytes):
            raise TypeError(f"subprotocols must be a list of names, not the single value {self.subprotocols!r}.")
        for name in _AT_LEAST_ONE:
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}.")


def seconds_or_none(duration: float) -> float | None:
    """Return ``duration``, or None if it is one that never ends."""
    return None if duration == NO_LIMIT else duration
