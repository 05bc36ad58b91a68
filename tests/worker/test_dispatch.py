"""What becomes of one message: the consumer, its signals, and what each exception means."""

import asyncio
import logging

import pytest
from django.utils.log import AdminEmailHandler

from channels import Channel, counters, dispatch, route
from channels.exceptions import (
    ChannelSocketException,
    ConsumeLater,
    DenyConnection,
    MessageTooLarge,
    WebsocketCloseException,
)
from channels.layers.inmemory import ChannelLayer
from channels.log import setup_logger
from channels.message import pending_message_store
from channels.registry import ChannelLayerWrapper
from channels.signals import consumer_error, consumer_finished, consumer_started
from tests.support.counting import grows

REPLY = "websocket.send.process!socket"


class Harness:
    """A layer, one consumer, and what was sent to the socket."""

    def __init__(self):
        self.layer = ChannelLayerWrapper(ChannelLayer(), "default", [])

    def run(self, consumer, channel="websocket.connect", **content):
        """Dispatch one message to ``consumer`` and return the replies."""
        self.layer.router.add_route(route(channel, consumer))
        dispatch.dispatch(
            self.layer, channel, {"reply_channel": REPLY, "path": "/", **content}, sender=Harness, message_retries=2
        )
        return self.received("websocket.send.process!")

    def received(self, channel):
        """Return what waits on ``channel``."""
        contents = []
        while True:
            name, content = self.layer.receive([channel])
            if name is None:
                return contents
            contents.append(content)


@pytest.fixture
def harness(monkeypatch):
    """A fresh layer, and a memory without consumers that were reported already."""
    monkeypatch.setattr(dispatch, "_undecided", set())
    monkeypatch.setattr(dispatch, "REINSERT_INTERVAL", 0.001)
    return Harness()


def raising(error):
    """Return a consumer that sends a frame and then raises ``error``."""

    def consumer(message):
        message.reply_channel.send({"text": "sent before"})
        raise error

    return consumer


def test_signals_frame_the_consumer(harness):
    """Both are sent once, with the sender's class, and what was sent leaves after them."""
    order = []

    def started(sender, **kwargs):
        order.append(("started", sender, kwargs["environ"]))

    def finished(sender, **kwargs):
        order.append(("finished", sender))

    consumer_started.connect(started)
    consumer_finished.connect(finished)
    try:
        harness.run(lambda message: order.append("consumer"), "test.channel")
    finally:
        consumer_started.disconnect(started)
        consumer_finished.disconnect(finished)
    assert order == [("started", Harness, {}), "consumer", ("finished", Harness)]


def test_failing_receiver_of_finished_loses_no_messages(harness):
    """A project's own receiver that raises does not keep the sends from leaving."""

    def broken(**kwargs):
        raise ValueError("broken receiver")

    consumer_finished.connect(broken)
    try:
        assert harness.run(lambda message: message.reply_channel.send({"text": "hi"}), "websocket.receive") == [
            {"text": "hi"}
        ]
    finally:
        consumer_finished.disconnect(broken)


def test_failing_receiver_of_started_ends_that_message_only(harness, caplog):
    """The handshake is refused, and what is sent after it is not kept for a consumer that never ends."""

    def fails(**kwargs):
        raise OSError("no database")

    consumer_started.connect(fails)
    try:
        assert harness.run(lambda message: None)[0]["status"] == 500
    finally:
        consumer_started.disconnect(fails)
    assert not pending_message_store.active
    assert "no database" in caplog.text


def test_database_connections_are_looked_after_on_both_sides_of_a_consumer(harness, monkeypatch):
    """While its worker waited for the message, a connection may have become older than it may."""
    steps = []
    monkeypatch.setattr("channels.signals.close_old_connections", lambda: steps.append("close"))
    harness.run(lambda message: steps.append("consumer"))
    assert steps == ["close", "consumer", "close"]


def test_error_is_logged_and_ends_that_message_only(harness, caplog):
    """What was sent before the error leaves; the traceback goes to ``django.channels``."""
    replies = harness.run(raising(ValueError("boom")), "websocket.receive")
    assert replies == [{"text": "sent before"}]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert record.name == "django.channels"
    assert "Error processing message with consumer" in record.message
    assert record.exc_info[0] is ValueError


def test_admins_are_told_of_an_error(harness, monkeypatch):
    """By what Django does with errors where a project configures nothing."""
    mails = []
    monkeypatch.setattr(AdminEmailHandler, "emit", lambda self, record: mails.append(record))
    setup_logger("django.channels")
    harness.run(raising(ValueError("boom")), "websocket.receive")
    (record,) = mails
    assert "Error processing message with consumer" in record.getMessage()
    assert record.exc_info[0] is ValueError


def test_error_is_told_with_its_message(harness):
    """By a signal, for trackers of errors; one that fails harms nobody, and requests of consumers are no errors."""
    told = []

    def note(message, consumer, error, **kwargs):
        told.append((message["path"], consumer, str(error)))
        raise RuntimeError("broken receiver")

    consumer = raising(ValueError("boom"))
    consumer_error.connect(note)
    try:
        assert harness.run(consumer, "websocket.receive") == [{"text": "sent before"}]
        harness.run(raising(WebsocketCloseException(4001)), "websocket.disconnect")
        harness.run(raising(DenyConnection()))
    finally:
        consumer_error.disconnect(note)
    assert told == [("/", consumer, "boom")]


def test_exit_inside_a_consumer_is_an_error_like_any_other(harness, caplog):
    """``sys.exit`` in a consumer does not end the worker."""
    harness.run(raising(SystemExit(1)), "websocket.receive")
    assert "Error processing message" in caplog.text


@pytest.mark.parametrize("error", [asyncio.CancelledError(), GeneratorExit()])
def test_error_that_is_no_exception_refuses_the_handshake_like_any_other(harness, caplog, error):
    """A library may cancel its own work, and the consumer lets that through."""
    assert harness.run(raising(error))[0]["status"] == 500
    assert "Error processing message with consumer" in caplog.text


def test_keyboard_interrupt_ends_who_runs_the_consumer(harness):
    """It is Ctrl-C where signals are left to Python. What the consumer sent leaves all the same."""
    with pytest.raises(KeyboardInterrupt):
        harness.run(raising(KeyboardInterrupt()), "websocket.receive")
    assert harness.received("websocket.send.process!") == [{"text": "sent before"}]


def test_failed_connect_refuses_the_handshake(harness):
    """The client is not left waiting."""
    replies = harness.run(raising(ValueError("boom")))
    assert replies[0] == {"close": True, "status": 500, "reason": ""}


def test_failed_connect_refuses_the_handshake_that_it_accepted(harness):
    """The refusal comes first: no socket opens for a moment, and what was sent to it is too late."""

    def accepts_and_fails(message):
        message.reply_channel.send({"accept": True, "text": "hello"})
        raise ValueError("boom")

    replies = harness.run(accepts_and_fails)
    assert replies == [{"close": True, "status": 500, "reason": ""}, {"accept": True, "text": "hello"}]


def test_asynchronous_consumer_is_an_error(harness, caplog):
    """One that no route could tell refuses, for it may have meant to."""

    class Own:
        async def __call__(self, message):
            message.reply_channel.send({"close": True})

    assert harness.run(Own()) == [{"close": True, "status": 500, "reason": ""}]
    assert "Own is asynchronous" in caplog.text


def test_failed_request_is_answered_with_500(harness):
    """A raw HTTP consumer that raises before it answered does not leave the client waiting."""

    def consumer(message):
        raise ValueError("boom")

    (reply,) = harness.run(consumer, "http.request")
    assert reply["status"] == 500


@pytest.mark.parametrize(
    ("error", "reply"),
    [
        (DenyConnection(), {"close": True}),
        (DenyConnection(status=401, reason="log in"), {"close": True, "status": 401, "reason": "log in"}),
    ],
)
def test_deny_connection_refuses_the_handshake(harness, error, reply):
    """With a status where one was given."""

    def consumer(message):
        raise error

    assert harness.run(consumer) == [reply]


def test_deny_connection_elsewhere_is_an_error_of_the_consumer(harness, caplog):
    """It is logged with the rule it broke, and the worker goes on."""
    harness.run(raising(DenyConnection()), "websocket.receive")
    assert "You cannot DenyConnection from a non-websocket.connect handler." in caplog.text


def test_close_exception_closes_the_socket(harness):
    """With the code it carries."""
    replies = harness.run(raising(WebsocketCloseException(4001)), "websocket.receive")
    assert replies == [{"text": "sent before"}, {"close": 4001}]


def test_close_exception_outside_websockets_is_an_error_of_the_consumer(harness, caplog):
    """It is logged, and the worker goes on."""
    harness.run(raising(WebsocketCloseException()), "test.channel")
    assert "from a non-websocket handler" in caplog.text


def test_socket_exception_without_run_is_an_error_of_the_consumer(harness, caplog):
    """A subclass that forgot its ``run`` harms nobody else."""
    harness.run(raising(ChannelSocketException()), "websocket.receive")
    assert "must define run(message)" in caplog.text


def test_consume_later_puts_the_message_back(harness):
    """With its tries counted, at the end of its channel; the original content is not changed."""
    content = {"reply_channel": REPLY, "n": 1}
    harness.layer.router.add_route(route("test.channel", raising(ConsumeLater())))
    dispatch.dispatch(harness.layer, "test.channel", content, sender=Harness)
    assert harness.received("test.channel") == [{"reply_channel": REPLY, "n": 1, "__retries__": 1}]
    assert "__retries__" not in content


def test_consume_later_gives_up_after_the_allowed_tries(harness, caplog):
    """With a warning and a counter, and the message is marked on its last try."""
    doomed = []
    before = counters.value("message.dropped.retries_exceeded")

    def consumer(message):
        doomed.append(message.__doomed__)
        raise ConsumeLater

    harness.run(consumer, "test.channel", __retries__=2)
    assert doomed == [True]
    assert harness.received("test.channel") == []
    assert "Exceeded number of retries for message on channel test.channel" in caplog.text
    assert counters.value("message.dropped.retries_exceeded") == before + 1


def test_consume_later_into_a_full_channel_is_logged_when_dropped(harness, caplog):
    """Nothing is lost without a line."""
    for _ in range(10):
        harness.layer.send("test.channel", {})
    harness.run(raising(ConsumeLater()), "test.channel")
    assert "Could not put a message back on test.channel" in caplog.text


def test_consume_later_with_what_no_layer_carries_refuses_the_handshake(harness, caplog, monkeypatch):
    """The consumer made the message larger than the layer takes; trying again would not help."""
    send = harness.layer.channel_layer.send

    def send_small(channel, content):
        if "picture" in content:
            raise MessageTooLarge("more than a megabyte")
        send(channel, content)

    def consumer(message):
        message["picture"] = b"x"
        raise ConsumeLater

    monkeypatch.setattr(harness.layer.channel_layer, "send", send_small)
    with grows("message.dropped.reinsert_failed"):
        assert harness.run(consumer)[0]["status"] == 503
    assert "Could not put a message back on websocket.connect" in caplog.text


def test_message_without_route_is_dropped_with_an_error(harness, caplog):
    """The log says where to look."""
    dispatch.dispatch(harness.layer, "test.channel", {}, sender=Harness)
    assert "Could not find match for message on test.channel! Check your routing." in caplog.text


def test_callback_sees_channel_and_message(harness):
    """Before the consumer runs."""
    seen = []
    harness.layer.router.add_route(route("test.channel", lambda message: seen.append("consumer")))
    dispatch.dispatch(
        harness.layer,
        "test.channel",
        {"n": 1},
        sender=Harness,
        callback=lambda name, message: seen.append((name, message["n"])),
    )
    assert seen == [("test.channel", 1), "consumer"]


def test_undecided_handshake_is_accepted_before_all_other_sends(harness, caplog):
    """A connect consumer that joins a group and announces itself gets its announcement on an open socket."""

    def consumer(message):
        Channel("other", channel_layer=harness.layer).send({"n": 1})

    assert harness.run(consumer) == [{"accept": True}]
    assert harness.run(consumer) == [{"accept": True}]
    assert caplog.text.count("neither accepted nor closed") == 1


@pytest.mark.parametrize("reply", [{"accept": True}, {"close": True}, {"text": "hi"}, {"accept": False}])
def test_decided_handshake_is_left_alone(harness, reply, caplog):
    """Whatever the consumer chose."""
    assert harness.run(lambda message: message.reply_channel.send(reply)) == [reply]
    assert caplog.text == ""


@pytest.mark.parametrize("reply", [{"accept": True}, {"close": True}, {"text": "hi"}, {"accept": False}])
def test_handshake_decided_at_once_is_left_alone(harness, reply, caplog):
    """Consumers that go on for long say so before they end."""
    assert harness.run(lambda message: message.reply_channel.send(reply, immediately=True)) == [reply]
    assert caplog.text == ""


@pytest.mark.parametrize("immediately", [True, False])
def test_request_that_is_being_answered_is_broken_off(harness, immediately):
    """A raw HTTP consumer that streams and raises gives no second answer, and leaves nobody waiting for the rest."""
    begun = {"status": 200, "headers": [], "content": b"x" * 1000, "more_content": True}

    def consumer(message):
        message.reply_channel.send(begun, immediately=immediately)
        message.reply_channel.send({"content": b"y", "more_content": True}, immediately=immediately)
        raise ValueError("boom")

    *answer, last = harness.run(consumer, "http.request")
    assert answer == [begun, {"content": b"y", "more_content": True}]
    assert last == {"content": b"", "more_content": False, "closed": True}


@pytest.mark.parametrize("immediately", [True, False])
def test_request_that_is_answered_needs_no_more(harness, immediately):
    """What a consumer does afterwards is no business of the client."""
    answer = {"status": 200, "headers": [], "content": b"x", "more_content": False}

    def consumer(message):
        message.reply_channel.send(answer, immediately=immediately)
        raise ValueError("boom")

    assert harness.run(consumer, "http.request") == [answer]


def test_empty_frames_decide_nothing(harness):
    """The socket is accepted, and the empty frame follows."""
    assert harness.run(lambda message: message.reply_channel.send({"text": ""})) == [{"accept": True}, {"text": ""}]


def test_auto_accept_can_be_turned_off(harness, settings, caplog):
    """The socket then waits for a later message, and the log says so once."""
    settings.CHANNELS_AUTO_ACCEPT = False
    assert harness.run(lambda message: None) == []
    assert "CHANNELS_AUTO_ACCEPT is off" in caplog.text


def test_returned_dict_on_connect_is_pointed_out(harness, caplog):
    """A common mistake: what a consumer returns is ignored."""
    harness.run(lambda message: {"accept": True})
    assert "what a consumer returns is ignored" in caplog.text


def test_consume_raises_what_the_consumer_raised_when_nobody_acts_on_it(harness):
    """The test client sees the consumer's own exceptions, and its sends have left."""
    message = dispatch.Message({"reply_channel": REPLY}, "websocket.receive", harness.layer)
    with pytest.raises(DenyConnection):
        dispatch.consume(message, (raising(DenyConnection()), {}), sender=Harness)
    assert harness.received("websocket.send.process!") == [{"text": "sent before"}]


def test_consume_returns_what_the_consumer_returned(harness):
    """So that tests can look at a class-based consumer's instance."""
    message = dispatch.Message({}, "test.channel", harness.layer)
    assert dispatch.consume(message, (lambda message, n: n, {"n": 5}), sender=Harness) == 5
