"""What an operator may set about the interface: durations, sizes and what the site is told about itself."""

from collections.abc import Sequence
from dataclasses import dataclass

NO_LIMIT = -1
"""What to write for a duration that never ends."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on the connections of one interface process.

    Attributes:
        http_timeout: Seconds from the end of a request to the first byte of its response, and seconds that a
            client may pause while it sends a body. -1: no limit.
        websocket_connect_timeout: Seconds until a handshake is decided. -1: no limit.
        websocket_timeout: Seconds a WebSocket may live; None or 0 is the layer's ``group_expiry``, because
            memberships of groups end then. -1: no limit.
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

    def __post_init__(self) -> None:
        if isinstance(self.subprotocols, str | bytes):
            raise TypeError(f"subprotocols must be a list of names, not the single value {self.subprotocols!r}.")
        if self.response_window < 1:
            raise ValueError(f"response_window must be at least 1, not {self.response_window}.")
        if self.body_part_bytes < 1:
            raise ValueError(f"body_part_bytes must be at least 1, not {self.body_part_bytes}.")


def seconds_or_none(duration: float) -> float | None:
    """Return ``duration``, or None if it is one that never ends."""
    return None if duration == NO_LIMIT else duration
