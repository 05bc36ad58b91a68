"""Traces: from the handshake through the worker to the reply, over real processes; and what a span tells."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
from websockets.sync.client import connect

from channels import Channel, Group, route, tracing
from channels.exceptions import ConsumeLater, DenyConnection
from channels.observe.traces import OpenTelemetryTracer
from channels.sessions import enforce_ordering
from tests.interface.test_application import FailingLayer, request, serving, socket
from tests.monitor.conftest import Site
from tests.support.asgi import in_loop
from tests.support.connection import Connection, make_layer
from tests.support.processes import wait_for
from tests.support.servers import serve

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
"""A header of a client that is traced itself."""


class Written:
    """What the processes of a site wrote down."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def spans(self) -> list[dict[str, Any]]:
        """Return all spans so far."""
        lines = [line for path in self._directory.glob("*.json") for line in path.read_text().splitlines()]
        return [json.loads(line) for line in lines]

    def wait_for(self, name: str) -> dict[str, Any]:
        """Return the first span of this name."""
        found: list[dict[str, Any]] = wait_for(
            lambda: [span for span in self.spans() if span["name"] == name], f"A span {name}", 60
        )
        return found[0]

    def chain(self, span: dict[str, Any]) -> list[str]:
        """Return the names of ``span`` and of the spans it is a part of, outermost first."""
        by_id = {each["context"]["span_id"]: each for each in self.spans()}
        names = [span["name"]]
        while span["parent_id"] in by_id:
            span = by_id[span["parent_id"]]
            names.insert(0, span["name"])
        return names


@pytest.mark.slow
def test_trace_goes_from_the_handshake_through_the_worker_to_the_reply(site: Site, tmp_path: Path) -> None:
    """One trace for the handshake, that of the client; one for each frame, with a link to it; one for a request."""
    written = Written(tmp_path)
    site.processes.environment["SITE_TRACES"] = str(tmp_path)
    with serve("uvicorn", "tests.monitor.site.asgi:application", site.processes) as server:
        site.start_worker()
        with connect(f"{server.ws_url}/", additional_headers={"traceparent": CALLER}) as opened:
            opened.send("hello")
            assert opened.recv(timeout=30) == "hello"
        answer = httpx.get(f"{server.url}/admin/login/", timeout=30)
        accepted, echoed = wait_for(lambda: deliveries(written)[1:] and deliveries(written), "Two replies", 60)
        answered = written.wait_for("deliver http.response")
        left = written.wait_for("send websocket.disconnect")
    assert answer.status_code == 200
    assert written.chain(accepted) == [
        *("GET websocket", "send websocket.connect", "process websocket.connect", "deliver websocket.send")
    ]
    assert written.chain(echoed) == ["send websocket.receive", "process websocket.receive", "deliver websocket.send"]
    assert written.chain(answered) == ["GET http", "send http.request", "process http.request", "deliver http.response"]
    handshake = written.wait_for("GET websocket")
    assert (handshake["context"]["trace_id"][2:], handshake["parent_id"][2:]) == tuple(CALLER.split("-")[1:3])
    assert handshake["attributes"]["channels.outcome"] == "accepted"
    assert accepted["context"]["trace_id"] == handshake["context"]["trace_id"]
    frame = written.wait_for("send websocket.receive")
    for later in (frame, left):
        assert later["context"]["trace_id"] != handshake["context"]["trace_id"]
        assert later["links"][0]["context"]["span_id"] == handshake["context"]["span_id"]
    process = written.wait_for("process websocket.receive")
    assert process["attributes"]["code.function.name"] == "tests.monitor.site.consumers.echo"
    assert written.wait_for("GET http")["attributes"]["http.response.status_code"] == 200


def deliveries(written: Written) -> list[dict[str, Any]]:
    """Return the spans of replies to WebSockets in the order in which they came."""
    found = [span for span in written.spans() if span["name"] == "deliver websocket.send"]
    return sorted(found, key=lambda span: str(span["start_time"]))


# What a span tells: consumers run here


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    """What is followed in this process."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracing.use(OpenTelemetryTracer(provider))
    yield exporter
    tracing.use(None)


def finished(spans: InMemorySpanExporter, name: str) -> list[ReadableSpan]:
    """Return the spans of this name that have ended."""
    return [span for span in spans.get_finished_spans() if span.name == name]


def test_failed_consumer_is_an_error_of_its_span(spans: InMemorySpanExporter) -> None:
    """With the exception."""

    def fail(message: Any) -> None:
        raise RuntimeError("on purpose")

    Connection([route("websocket.receive", fail)]).receive("text")
    (span,) = finished(spans, "process websocket.receive")
    assert span.kind is SpanKind.CONSUMER
    assert span.status.status_code is StatusCode.ERROR
    assert span.events[0].attributes is not None
    assert span.events[0].attributes["exception.message"] == "on purpose"


def test_error_that_cannot_say_what_it_is_is_answered(spans: InMemorySpanExporter) -> None:
    """Its name is in the span all the same."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def fail(message: Any) -> None:
        raise Mute

    (reply,) = Connection([route("websocket.connect", fail)]).connect()
    assert reply["status"] == 500
    (span,) = finished(spans, "process websocket.connect")
    assert span.status.description == "Mute"


def test_refused_handshake_is_no_error(spans: InMemorySpanExporter) -> None:
    """It is what the consumer wanted."""

    def deny(message: Any) -> None:
        raise DenyConnection

    Connection([route("websocket.connect", deny)]).connect()
    (span,) = finished(spans, "process websocket.connect")
    assert span.status.status_code is StatusCode.UNSET


def test_message_that_is_put_back_stays_in_its_trace(spans: InMemorySpanExporter) -> None:
    """Each try is a span of its own, of the same trace, and says that it was put back."""
    tries: list[Any] = []

    def later(message: Any) -> None:
        tries.append(message)
        if len(tries) < 3:
            raise ConsumeLater

    layer = make_layer([route("test.start", start), route("test.work", later)])
    connection = Connection(layer=layer)
    layer.send("test.start", {})
    connection.work()
    (first,) = finished(spans, "process test.start")
    works = finished(spans, "process test.work")
    assert len(works) == len(tries) == 3
    assert {span.context.trace_id for span in works} == {first.context.trace_id}
    assert [[event.name for event in span.events] for span in works] == [["put back"], ["put back"], []]


def start(message: Any) -> None:
    """Have something else run."""
    Channel("test.work", channel_layer=message.channel_layer).send({})


def test_message_that_waits_for_its_turn_stays_in_its_trace(spans: InMemorySpanExporter) -> None:
    """It is put off, and says so, and runs in the same trace."""
    ran: list[int] = []

    @enforce_ordering
    def ordered(message: Any) -> None:
        ran.append(message["order"])

    connection = Connection([route("test.work", ordered)])
    early = connection.content(order=2)
    tracer = tracing.active
    assert isinstance(tracer, OpenTelemetryTracer)
    with tracer.tracer.start_as_current_span("sender") as sender:
        tracer.carry(early)
    connection.dispatch("test.work", connection.content(order=0))
    connection.dispatch("test.work", early)
    connection.dispatch("test.work", connection.content(order=1))
    connection.work()
    assert ran == [0, 1, 2]
    trace = sender.get_span_context().trace_id
    mine = [span for span in finished(spans, "process test.work") if span.context.trace_id == trace]
    assert [[event.name for event in span.events] for span in mine] == [["put off: not its turn"], []]


def test_group_send_carries_the_trace_to_every_member(spans: InMemorySpanExporter) -> None:
    """Each of them goes on with it."""

    def tell(message: Any) -> None:
        Group("all", channel_layer=message.channel_layer).send({})

    layer = make_layer([route("test.start", tell), route(["test.one", "test.two"], lambda message: None)])
    for member in ("test.one", "test.two"):
        layer.group_add("all", member)
    layer.send("test.start", {})
    Connection(layer=layer).work()
    (first,) = finished(spans, "process test.start")
    for name in ("process test.one", "process test.two"):
        (span,) = finished(spans, name)
        assert span.parent is not None
        assert span.parent.span_id == first.context.span_id


def test_forwarded_content_carries_the_trace_of_who_forwards_it(spans: InMemorySpanExporter) -> None:
    """Not that of whoever made it."""

    def forward(message: Any) -> None:
        Channel("test.work", channel_layer=message.channel_layer).send(message.content)

    layer = make_layer([route("test.start", forward), route("test.work", lambda message: None)])
    layer.send("test.start", {tracing.TRACE: {"traceparent": CALLER}})
    Connection(layer=layer).work()
    (middle,) = finished(spans, "process test.start")
    (last,) = finished(spans, "process test.work")
    assert last.parent is not None
    assert last.parent.span_id == middle.context.span_id
    assert f"{last.context.trace_id:032x}" == CALLER.split("-")[1]


@pytest.mark.parametrize("carried", ["nonsense", {"traceparent": 7}, {"traceparent": "00-x"}, None])
def test_trace_that_cannot_be_read_is_begun_anew(spans: InMemorySpanExporter, carried: Any) -> None:
    """Whoever can send messages can write anything there; the consumer runs."""
    ran: list[Any] = []
    Connection([route("websocket.receive", ran.append)]).run("websocket.receive", **{tracing.TRACE: carried})
    assert len(ran) == 1
    (span,) = finished(spans, "process websocket.receive")
    assert span.parent is None


def test_content_carries_nothing_where_nothing_is_followed() -> None:
    """What leaves is what was sent."""
    connection = Connection([route("websocket.receive", lambda message: message.reply_channel.send({"text": "x"}))])
    assert connection.receive("text") == [{"text": "x"}]


def test_missing_package_is_named(
    settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The processes run without traces."""
    import sys

    from channels.observe.start import start_tracing

    settings.CHANNELS_TRACING = True
    monkeypatch.setitem(sys.modules, "channels.observe.traces", None)
    start_tracing()
    assert "pip install 'channels-classic[tracing]'" in caplog.text
    assert tracing.active is None


def test_project_turns_tracing_on(settings: Any) -> None:
    """With a setting."""
    from channels.observe.start import start_tracing

    settings.CHANNELS_TRACING = True
    try:
        start_tracing()
        assert isinstance(tracing.active, OpenTelemetryTracer)
    finally:
        tracing.use(None)


@in_loop
async def test_body_of_a_request_belongs_to_its_trace(spans: InMemorySpanExporter) -> None:
    """Each part that is sent by itself."""
    async with serving() as (app, consumer):
        server = request(app, *[b"x" * 400_000] * 3, method="POST")
        content = await consumer.take("http.request")
        parts = [await consumer.take(content["body_channel"]) for _ in range(2)]
        await consumer.layer.asend(content["reply_channel"], {"status": 204, "content": b""})
        await server.end()
    assert b"".join([content["body"], *(part["content"] for part in parts)]) == b"x" * 1_200_000
    (whole,) = finished(spans, "POST http")
    sent = finished(spans, "send http.request.body")
    assert len(sent) == 2
    assert {span.parent.span_id for span in sent if span.parent} == {whole.context.span_id}
    assert whole.attributes is not None
    assert whole.attributes["http.response.status_code"] == 204


@in_loop
async def test_message_that_finds_no_room_is_an_error_of_its_span(spans: InMemorySpanExporter) -> None:
    """So is the request that it was for."""
    layer = FailingLayer(capacity=1000)
    layer.down = True
    async with serving(layer) as (app, _):
        await request(app).end()
    (sent,) = finished(spans, "send http.request")
    assert sent.status.status_code is StatusCode.ERROR
    (whole,) = finished(spans, "GET http")
    assert whole.status.status_code is StatusCode.ERROR
    assert whole.attributes is not None
    assert whole.attributes["http.response.status_code"] == 503
    assert sent.parent is not None
    assert sent.parent.span_id == whole.context.span_id


@in_loop
async def test_span_around_the_application_is_gone_on_with(spans: InMemorySpanExporter) -> None:
    """That of instrumentation of the server, for one: ours is a part of it and no second entry."""
    tracer = tracing.active
    assert isinstance(tracer, OpenTelemetryTracer)
    async with serving() as (app, consumer):
        with tracer.tracer.start_as_current_span("around") as around:
            server = socket(app, headers=[(b"traceparent", CALLER.encode())])
        channel = (await consumer.take("websocket.connect"))["reply_channel"]
        await consumer.layer.asend(channel, {"close": True})
        await server.end()
    (handshake,) = finished(spans, "GET websocket")
    assert handshake.kind is SpanKind.INTERNAL
    assert handshake.parent is not None
    assert handshake.parent.span_id == around.get_span_context().span_id
    assert handshake.attributes is not None
    assert handshake.attributes["channels.outcome"] == "not accepted"
