"""Where the life of a message is followed, and the key that carries the trace from process to process.

Nothing is followed unless somebody has called ``use``; ``channels.observe.traces`` follows with OpenTelemetry. What is
not followed costs one look at ``active``.
"""

from contextlib import AbstractContextManager
from typing import Protocol

from channels.types import Content, Scope

TRACE = "__trace__"
"""Key of a content: the context of the trace that it belongs to, as headers would carry it."""


class ConnectionTrace(Protocol):
    """Follows one connection of the interface, and what it sends."""

    def sending(self, channel: str, content: Content) -> AbstractContextManager[None]:
        """Follow the sending of ``content``, and have it carry the trace. It must not be shared with others."""

    def settled(self, outcome: str, status: int | None = None) -> None:
        """The handshake was decided, or the response has ended. Later calls change nothing."""


class Tracer(Protocol):
    """Follows messages through one process."""

    def carry(self, content: Content) -> None:
        """Have ``content``, which nobody else holds, carry the trace that the calling code runs in."""

    def consuming(self, channel: str, content: Content, consumer: str) -> AbstractContextManager[None]:
        """Follow the run of a consumer."""

    def failed(self, error: BaseException) -> None:
        """What is followed at the moment has failed."""

    def noted(self, event: str) -> None:
        """Something happened to what is followed at the moment."""

    def delivering(self, channel: str, content: Content, connections: int) -> AbstractContextManager[None]:
        """Follow how a reply is handed to the connections that it is for."""

    def connected(self, scope: Scope) -> ConnectionTrace:
        """Follow a new connection."""


active: Tracer | None = None
"""What follows messages in this process. Read it as ``tracing.active``: it changes."""


def use(tracer: Tracer | None) -> None:
    """Follow messages with ``tracer`` from now on; None ends it."""
    global active
    active = tracer
