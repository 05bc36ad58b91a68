"""The delay server in one process: what it takes, when it sends, and what does not end it."""

import threading
import time

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext

from channels import counters
from channels.delay import worker as worker_module
from channels.delay.models import DelayedMessage
from channels.delay.worker import Worker
from channels.exceptions import LayerUnavailable
from channels.layers.redis import RedisChannelLayer
from channels.registry import ChannelLayerWrapper
from tests.support.connection import make_layer


class Server(Worker):
    """A delay server that runs in this thread until a condition holds."""

    def __init__(self, layer, **options):
        super().__init__(layer, signal_handlers=False, **options)
        self.until = lambda: False
        self.deadline = time.monotonic() + 60

    def _receive(self):
        self.termed = self.termed or time.monotonic() > self.deadline
        return super()._receive()

    def _send(self):
        super()._send()
        self.termed = self.termed or self.until()

    def run_until(self, condition):
        """Run, and fail if the condition does not hold within a minute."""
        self.termed, self.until, self.deadline = False, condition, time.monotonic() + 60
        self.run()
        assert condition()


@pytest.fixture
def layer():
    """An in-memory layer."""
    return make_layer(capacity=1000)


@pytest.fixture
def durable(redis_url):
    """A Redis layer that delivers to delay servers at least once."""
    layer = RedisChannelLayer(hosts=[redis_url], delivery={"asgi.delay": "at-least-once"}, redelivery_after=0.1)
    yield ChannelLayerWrapper(layer, "default", [])
    layer.close()


def ask(layer, delay, **content):
    """Ask for a delayed message."""
    layer.send("asgi.delay", {"channel": "out", "content": content, "delay": delay})


def collector(layer):
    """Return what came so far, and a function that looks for more and says how much it is."""
    contents = []

    def look():
        while (content := layer.receive(["out"])[1]) is not None:
            contents.append(content)
        return len(contents)

    return contents, look


def test_message_waits_and_is_sent(db, layer):
    """Not before it is due."""
    contents, look = collector(layer)
    started = time.monotonic()
    ask(layer, 300, n=1)
    Server(layer).run_until(look)
    assert contents == [{"n": 1}]
    assert time.monotonic() - started >= 0.3


def test_messages_are_sent_in_the_order_of_their_times(db, layer):
    """Whatever the order they came in."""
    contents, look = collector(layer)
    for delay in (900, 300, 600):
        ask(layer, delay, n=delay)
    Server(layer).run_until(lambda: look() == 3)
    assert [content["n"] for content in contents] == [300, 600, 900]


def test_message_of_an_hour_waits(db, layer):
    """In the database."""
    ask(layer, 3_600_000, n=1)
    Server(layer).run_until(DelayedMessage.objects.exists)
    assert layer.receive(["out"]) == (None, None)


def test_bad_messages_are_skipped(db, layer, caplog):
    """The server goes on with the others."""
    contents, look = collector(layer)
    before = counters.value("message.dropped.delay_invalid")
    for bad in ({}, {"channel": "out", "content": {"b": b"x"}, "delay": 1}, {"channel": 1, "content": {}, "delay": 1}):
        layer.send("asgi.delay", bad)
    ask(layer, 1, n=1)
    Server(layer).run_until(look)
    assert contents == [{"n": 1}]
    assert counters.value("message.dropped.delay_invalid") == before + 3
    assert caplog.text.count("is skipped") == 3


def test_message_of_a_transaction_of_the_project_is_found(db, layer):
    """At the next look at the database, at the latest."""
    contents, look = collector(layer)
    server = Server(layer, database_sleep_duration=0.05)
    server.run_until(lambda: server._next_look > 0)
    DelayedMessage.objects.create(channel_name="out", content='{"n": 1}', delay=100)
    server.run_until(look)
    assert contents == [{"n": 1}]


def test_more_than_fits_in_one_transaction(db, layer):
    """What is due together leaves in several."""
    contents, look = collector(layer)
    DelayedMessage.objects.bulk_create(
        DelayedMessage(channel_name="out", content=f'{{"n": {number}}}', delay=-1) for number in range(700)
    )
    Server(layer).run_until(lambda: look() == 700)
    assert sorted(content["n"] for content in contents) == list(range(700))


def test_statement_is_not_longer_than_databases_take(db, layer):
    """Large messages are stored in several; one that is larger than that, in one of its own."""
    for size in (400_000, 400_000, 400_000, 1_500_000):
        ask(layer, 3_600_000, text="x" * size)
    with CaptureQueriesContext(connections["default"]) as queries:
        Server(layer).run_until(lambda: DelayedMessage.objects.count() == 4)
    inserts = [query["sql"] for query in queries if query["sql"].startswith("INSERT")]
    assert [round(len(sql), -5) for sql in inserts] == [800_000, 400_000, 1_500_000]


def test_full_channel_is_tried_again(db):
    """Until there is room."""
    layer = make_layer(capacity=1)
    contents, look = collector(layer)
    layer.send("out", {"n": 0})
    ask(layer, 1, n=1)
    server = Server(layer)
    before = counters.value("message.delayed.channel_full")
    server.run_until(lambda: counters.value("message.delayed.channel_full") > before)
    server.run_until(lambda: look() == 2)
    assert [content["n"] for content in contents] == [0, 1]


def test_lost_layer_does_not_end_the_server(db, layer, monkeypatch, caplog):
    """One line in the log when it is gone, one when it is back."""
    failures = [LayerUnavailable("gone")] * 3
    real = layer.receive_batch

    def receive_batch(*args):
        if failures:
            raise failures.pop()
        return real(*args)

    monkeypatch.setattr(layer, "receive_batch", receive_batch, raising=False)
    contents, look = collector(layer)
    ask(layer, 1, n=1)
    Server(layer).run_until(look)
    assert contents == [{"n": 1}]
    assert caplog.text.count("cannot be used") == 1
    assert "works again" in caplog.text


def test_lost_database_does_not_lose_messages(transactional_db, layer, monkeypatch):
    """What was taken from the layer is stored when it is back."""
    failures = [OperationalError("gone")] * 3
    queryset = type(DelayedMessage.objects.all())
    real = queryset.bulk_create
    monkeypatch.setattr(connections["default"], "close", lambda: None)

    def bulk_create(*args, **kwargs):
        if failures:
            raise failures.pop()
        return real(*args, **kwargs)

    monkeypatch.setattr(queryset, "bulk_create", bulk_create)
    contents, look = collector(layer)
    ask(layer, 1, n=1)
    Server(layer).run_until(look)
    assert contents == [{"n": 1}]


def test_stop_puts_back_what_the_database_did_not_take(db, layer):
    """Another server will."""
    ask(layer, 5000, n=1)
    server = Server(layer)
    server._take(server._receive())
    server.termed = True
    server.run()
    channel, content = layer.receive(["asgi.delay"])
    assert (channel, content["channel"], content["content"]) == ("asgi.delay", "out", {"n": 1})
    assert 0 <= content["delay"] <= 5000


def test_stop_that_can_put_nothing_back_says_so(db, caplog):
    """The message is lost, and counted."""
    layer = make_layer(capacity=1)
    ask(layer, 5000, n=1)
    server = Server(layer)
    server._take(server._receive())
    ask(layer, 5000, n=2)
    server.termed = True
    before = counters.value("message.dropped.delay_unstored")
    server.run()
    assert counters.value("message.dropped.delay_unstored") == before + 1
    assert "lost" in caplog.text


def test_error_of_another_kind_does_not_end_the_server(db, layer, monkeypatch, caplog):
    """It is logged with its traceback."""
    real = worker_module.send_messages
    failures = [RuntimeError("unforeseen")]

    def send(*args):
        if failures:
            raise failures.pop()
        return real(*args)

    monkeypatch.setattr(worker_module, "send_messages", send)
    contents, look = collector(layer)
    ask(layer, 1, n=1)
    Server(layer, database_sleep_duration=0.1).run_until(look)
    assert contents == [{"n": 1}]
    assert "unforeseen" in caplog.text


# A layer that delivers to the server at least once


def test_message_that_was_stored_is_finished(transactional_db, durable):
    """It does not come again."""
    ask(durable, 3_600_000, n=1)
    Server(durable).run_until(DelayedMessage.objects.exists)
    assert durable.channel_statistics("asgi.delay")["messages_pending"] == 0


def test_message_that_comes_again_is_stored_once(transactional_db, durable):
    """The server before died after it had stored the message, and before it could say so."""
    ask(durable, 3_600_000, n=1)
    server = Server(durable)
    server._finish = lambda contents: durable.finish_deliveries(contents, False)
    server.run_until(DelayedMessage.objects.exists)
    again = Server(durable)
    again.run_until(lambda: durable.channel_statistics("asgi.delay")["messages_pending"] == 0)
    assert DelayedMessage.objects.count() == 1


def test_message_that_comes_again_after_it_was_sent(transactional_db, durable):
    """The layer knows its mark."""
    contents, look = collector(durable)
    ask(durable, 1, n=1)
    server = Server(durable)
    server._finish = lambda contents: durable.finish_deliveries(contents, False)
    server.run_until(look)
    again = Server(durable)
    again.run_until(lambda: durable.channel_statistics("asgi.delay")["messages_pending"] == 0)
    again.run_until(lambda: not DelayedMessage.objects.exists())
    look()
    assert contents == [{"n": 1}]


# The command


def test_database_that_cannot_serve_is_refused(db, monkeypatch):
    """Oracle: the server would fail again and again, and say that the database is out of reach."""
    monkeypatch.setattr(ChannelLayerWrapper, "local_only", lambda self: False)
    monkeypatch.setattr(connections["default"], "vendor", "oracle")
    with pytest.raises(CommandError, match="cannot be kept in Oracle"):
        call_command("rundelay")


# Signals


def test_server_that_seldom_looks_at_the_database_stops_soon(db, layer):
    """It does not wait for the next look."""
    server = Server(layer, database_sleep_duration=3600)
    timer = threading.Timer(0.5, server.sigterm_handler, (15, None))
    timer.start()
    started = time.monotonic()
    server.run()
    timer.join()
    assert time.monotonic() - started < 30


def test_signal_stops_the_server(db, layer):
    """As soon as what it does is done."""
    server = Server(layer)
    timer = threading.Timer(0.2, server.sigterm_handler, (15, None))
    timer.start()
    server.run()
    timer.join()
    assert server.termed
