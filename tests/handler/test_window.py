"""ResponseWindow: a response that does not run ahead of its client, and ends with it."""

from types import SimpleNamespace

import pytest
from django.http import StreamingHttpResponse

from channels import counters, formats, names, streaming
from channels.handler import AsgiHandler, ViewConsumer
from channels.layers.inmemory import ChannelLayer
from channels.message import Message
from channels.streaming import CLIENT_GONE, CLIENT_SLOW, ResponseWindow
from tests.support.http import REPLY_CHANNEL, scope

FLOW = names.flow_channel(REPLY_CHANNEL)
QUEUE = names.non_local_name(REPLY_CHANNEL)


@pytest.fixture
def layer():
    """Return a layer of its own."""
    return ChannelLayer(capacity=100)


@pytest.fixture
def clock(monkeypatch):
    """Return a clock for windows that only the test moves."""
    fake = SimpleNamespace(now=0.0)
    fake.monotonic = lambda: fake.now
    monkeypatch.setattr(streaming, "time", fake)
    return fake


def request(layer, size):
    """Return a request of an interface that lets ``size`` messages run ahead; None: one that does not report."""
    content = formats.http_request(scope("/"), reply_channel=REPLY_CHANNEL, response_window=size)
    return Message(content, "http.request", layer)


def window(layer, size=2, patience=0.0):
    """Return the window of such a request."""
    return ResponseWindow(request(layer, size), patience)


def test_window_without_reports_never_waits(layer):
    """An interface that says nothing gets everything at once."""
    unlimited = window(layer, None)
    assert {unlimited.wait() for _ in range(1000)} == {None}


def test_window_lets_its_size_pass(layer):
    """And then gives up on a client that takes nothing."""
    limited = window(layer, 3)
    assert [limited.wait() for _ in range(4)] == [None, None, None, CLIENT_SLOW]


def test_window_moves_with_what_is_taken(layer):
    """As many more as the client has been given."""
    limited = window(layer, 2)
    layer.send(FLOW, formats.http_response_report(1))
    assert [limited.wait() for _ in range(4)] == [None, None, None, CLIENT_SLOW]


def test_window_takes_the_highest_report(layer):
    """Reports are totals: a lost or late one does no harm."""
    limited = window(layer, 2)
    for taken in (3, 1):
        layer.send(FLOW, formats.http_response_report(taken))
    assert [limited.wait() for _ in range(6)] == [None] * 5 + [CLIENT_SLOW]


def test_window_ends_with_its_client(layer):
    """However much room there is."""
    limited = window(layer, 1)
    layer.send(FLOW, formats.http_response_report(closed=True))
    assert [limited.wait(), limited.wait()] == [None, CLIENT_GONE]


def test_window_looks_for_its_client_now_and_then(layer, clock):
    """A stream that never fills its window ends with its client, too."""
    limited = window(layer, 100)
    layer.send(FLOW, formats.http_response_report(closed=True))
    assert limited.wait() is None
    clock.now += streaming.LOOK_SECONDS
    assert limited.wait() == CLIENT_GONE


def test_window_forgets_reports_that_may_have_expired(layer, clock):
    """A stream with long silences must not wait for what nobody will repeat."""
    limited = window(layer, 1)
    assert limited.wait() is None
    clock.now += streaming.FORGET_SECONDS
    assert limited.wait() is None


def test_window_is_patient_with_each_message_anew(layer, clock, monkeypatch):
    """Patience is for silence, not for the whole response."""
    taken = iter(range(1, 10))

    def receive_batch(channels, limit=1, timeout=0):
        # Each report comes after most of the patience has passed.
        clock.now += 50
        return [SimpleNamespace(content=formats.http_response_report(next(taken)))]

    monkeypatch.setattr(layer, "receive_batch", receive_batch)
    limited = window(layer, 1, patience=60)
    assert [limited.wait() for _ in range(8)] == [None] * 8


def consumer(events, count):
    """Return a consumer whose only page is a stream that notes its end."""

    def parts():
        try:
            for _ in range(count):
                yield b"part"
        finally:
            events.append("closed")

    class Streaming(AsgiHandler):
        def get_response(self, request):
            return StreamingHttpResponse(parts())

    return type("Consumer", (ViewConsumer,), {"handler_class": Streaming, "slow_timeout": 0})()


def test_stream_never_has_more_than_its_window_on_the_way(layer, monkeypatch):
    """What the interface and the layer hold stays small however long the stream is."""
    waiting, taken, most = [], [], [0]
    receive_batch = layer.receive_batch

    def client_takes(channels, limit=1, timeout=0):
        """Play the interface whenever the worker waits: hand over what is there and report it."""
        on_the_way = receive_batch([QUEUE], limit=1000)
        most[0] = max(most[0], len(on_the_way))
        taken.extend(on_the_way)
        layer.send(FLOW, formats.http_response_report(len(taken)))
        return receive_batch(channels, limit, timeout)

    monkeypatch.setattr(layer, "receive_batch", client_takes)
    consumer(waiting, 1000)(request(layer, 4))
    taken.extend(receive_batch([QUEUE], limit=1000))
    assert len(taken) == 1001
    assert most[0] <= 4


@pytest.mark.parametrize(("size", "marks"), [(4, [True, True, None]), (None, [None] * 3)])
def test_stream_asks_for_reports_where_they_are_offered(layer, size, marks):
    """With every message after which it may have to wait."""
    consumer([], 2)(request(layer, size))
    sent = layer.receive_batch([QUEUE], limit=10)
    assert [delivery.content.get(formats.PACED) for delivery in sent] == marks


@pytest.mark.parametrize(("size", "orders"), [(4, [0, 1, 2]), (None, [None] * 3)])
def test_stream_is_counted_where_the_interface_reports(layer, size, orders):
    """So that it notices when a message is lost."""
    consumer([], 2)(request(layer, size))
    sent = layer.receive_batch([QUEUE], limit=10)
    assert [delivery.content.get(formats.ORDER) for delivery in sent] == orders


def test_stream_ends_when_its_client_goes(layer):
    """The producer is closed, the drop is counted."""
    events = []
    before = counters.value("response.dropped.client_gone")
    layer.send(FLOW, formats.http_response_report(closed=True))
    consumer(events, 1000)(request(layer, 4))
    assert events == ["closed"]
    assert len(layer.receive_batch([QUEUE], limit=1000)) == 4
    assert counters.value("response.dropped.client_gone") == before + 1


def test_stream_ends_when_its_client_takes_nothing(layer, caplog):
    """The interface is told that no more will come, and the log says why."""
    events = []
    consumer(events, 1000)(request(layer, 2))
    *parts, last = [delivery.content for delivery in layer.receive_batch([QUEUE], limit=1000)]
    assert events == ["closed"]
    assert (len(parts), last) == (2, formats.http_response_chunk(closed=True))
    assert "took nothing for too long" in caplog.text


def test_flow_channel_is_a_channel_of_the_connection():
    """It can be received from, and no two connections share one."""
    prefix = names.make_reply_prefix("http.response")
    channels = {names.flow_channel(names.make_reply_channel(prefix)) for _ in range(10)}
    assert len(names.require_channel_names(sorted(channels), receive=True)) == 10
