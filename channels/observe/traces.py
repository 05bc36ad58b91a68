"""Following messages with OpenTelemetry. Imported only where the settings ask for it.

Names and attributes are those of the conventions for messaging and HTTP. Which spans are kept and where they go is the
project's choice: without the SDK of OpenTelemetry nothing is recorded.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, SpanKind, Status, StatusCode, TracerProvider

from channels import names
from channels._version import __version__
from channels.tracing import TRACE
from channels.types import Content, Scope

LATER = ("websocket.receive", "websocket.disconnect")
"""Messages that may come hours after the handshake: each begins a trace of its own, with a link to the handshake's.
All others belong to that trace, parts of the body of a request among them."""


def _destination(channel: str, operation: str) -> dict[str, Any]:
    # What is random in a name would make a destination of each connection and process.
    name = names.non_local_name(channel).partition("?")[0]
    if name.endswith("!"):
        name = name.rpartition(".")[0] or name
    return {
        "messaging.system": "channels",
        "messaging.destination.name": name,
        "messaging.operation.name": operation,
        "messaging.operation.type": "send" if operation == "send" else "process",
    }


def _came_from(content: Content) -> Context:
    # Whoever can send messages may have written anything there.
    found = content.get(TRACE)
    items = found.items() if isinstance(found, Mapping) else ()
    carrier = {key: value for key, value in items if isinstance(key, str) and isinstance(value, str)}
    return propagate.extract(carrier, context=Context())


class OpenTelemetryTracer:
    """Follows messages with OpenTelemetry.

    Args:
        provider: Makes spans; None is the one that the project has set, now or later.
    """

    def __init__(self, provider: TracerProvider | None = None) -> None:
        self.tracer = trace.get_tracer("channels", __version__, provider)

    def carry(self, content: Content) -> None:
        """Put the current context into ``content``, in the place of an older one."""
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        if carrier:
            content[TRACE] = carrier
        else:
            content.pop(TRACE, None)

    @contextlib.contextmanager
    def consuming(self, channel: str, content: Content, consumer: str) -> Iterator[None]:
        """Make a span of the run of a consumer; it goes on with the trace of the message."""
        attributes = {**_destination(channel, "process"), "code.function.name": consumer}
        with self.tracer.start_as_current_span(
            f"process {attributes['messaging.destination.name']}", _came_from(content), SpanKind.CONSUMER, attributes
        ):
            yield

    def failed(self, error: BaseException) -> None:
        """Record ``error`` in the current span."""
        span = trace.get_current_span()
        try:
            span.record_exception(error)
            span.set_status(Status(StatusCode.ERROR, str(error)))
        except Exception:  # Its ``str`` fails; whoever waits for the consumer is to be answered all the same.
            span.set_status(Status(StatusCode.ERROR, type(error).__name__))

    def noted(self, event: str) -> None:
        """Add an event to the current span."""
        trace.get_current_span().add_event(event)

    @contextlib.contextmanager
    def delivering(self, channel: str, content: Content, connections: int) -> Iterator[None]:
        """Make a span of a reply's way to its connections; it goes on with the trace of who sent it."""
        attributes = {**_destination(channel, "deliver"), "messaging.batch.message_count": connections}
        with self.tracer.start_as_current_span(
            f"deliver {attributes['messaging.destination.name']}", _came_from(content), SpanKind.CONSUMER, attributes
        ):
            yield

    def connected(self, scope: Scope) -> "OpenTelemetryConnection":
        """Begin the span of a request or handshake, in the trace that its headers or the server name."""
        return OpenTelemetryConnection(self, scope)


class OpenTelemetryConnection:
    """The trace of one connection.

    Args:
        tracer: Makes its spans.
        scope: Of the connection.
    """

    def __init__(self, tracer: OpenTelemetryTracer, scope: Scope) -> None:
        self._tracer = tracer
        around = trace.get_current_span().get_span_context()
        # Where the server is traced already, that is the span of this request and ours is a part of it.
        parent = None if around.is_valid else propagate.extract(_headers(scope), context=Context())
        method = str(scope.get("method", "GET")).upper()
        client: Sequence[Any] = scope.get("client") or ("",)
        self._span = tracer.tracer.start_span(
            f"{method} {scope['type']}",
            parent,
            SpanKind.INTERNAL if around.is_valid else SpanKind.SERVER,
            {
                "http.request.method": method,
                "url.path": scope["path"],
                "url.scheme": scope.get("scheme", ""),
                "client.address": str(client[0]),
            },
        )

    @contextlib.contextmanager
    def sending(self, channel: str, content: Content) -> Iterator[None]:
        """Make a span of the sending of ``content``, room that is waited for included."""
        is_later = channel in LATER
        attributes = _destination(channel, "send")
        with self._tracer.tracer.start_as_current_span(
            f"send {attributes['messaging.destination.name']}",
            Context() if is_later else trace.set_span_in_context(self._span, Context()),
            SpanKind.PRODUCER,
            attributes,
            [Link(self._span.get_span_context())] if is_later else None,
        ):
            self._tracer.carry(content)
            yield

    def settled(self, outcome: str, status: int | None = None) -> None:
        """End the span of the request or handshake."""
        if not self._span.is_recording():
            return
        self._span.set_attribute("channels.outcome", outcome)
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
            if status >= 500:
                self._span.set_status(Status(StatusCode.ERROR))
        self._span.end()


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers", ())}
