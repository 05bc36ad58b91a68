"""enforce_ordering and strict_ordering: consumers of one connection run one at a time, in order."""

import logging
import threading

import pytest
from django.contrib.sessions.models import Session

from channels import counters, hand, ordering, taken_turn
from channels.exceptions import ConsumeLater
from channels.generic.websockets import WebsocketConsumer
from channels.message import Message
from channels.names import wait_channel
from channels.sessions import channel_session, enforce_ordering, session_for_reply_channel
from channels.turn_keeper import TurnKeeper
from tests.support.connection import Connection, make_layer, routes

RECEIVE = "websocket.receive"


@pytest.fixture(params=["layer", "sessions"])
def layer_of(request):
    """Return a function that makes a layer which decides turns itself, or one that leaves it to session records."""
    if request.param == "sessions":
        request.getfixturevalue("db")

    def make(routing, **config):
        layer = make_layer(routing, **config)
        if request.param == "sessions":
            layer.turns = None
        return layer

    return make


@pytest.fixture
def seen():
    """What consumers saw, in the order in which they ran."""
    return []


@pytest.fixture
def socket(layer_of, seen, db):
    """A connection whose three consumers are ordered and note the order of each message they run."""

    @enforce_ordering
    def consumer(message):
        seen.append(message["order"])
        message.reply_channel.send({"text": str(message["order"])})

    return Connection(layer=layer_of(routes(consumer, consumer, consumer)))


def give_up_waiting(settings, socket):
    """Let the patience of the layer end, and look."""
    settings.CHANNELS_ORDERING_TIMEOUT = -1
    # What is due was computed when the messages were kept.
    turns = ordering.turns_of(socket.layer)
    if hasattr(turns, "_lines"):
        for line in turns._lines.values():
            line.due = min(line.due, 0) if line.early else line.due
    else:
        turns._waiting = {key: (0, seen) for key, (due, seen) in turns._waiting.items()}
    socket.look_for_overdue()


def test_early_message_runs_after_the_one_before(socket, seen):
    """It waits where all workers see it, and comes back to its channel."""
    socket.connect()
    first, second, third = (socket.content(text="x") for _ in range(3))
    socket.dispatch(RECEIVE, third)
    socket.dispatch(RECEIVE, second)
    assert seen == [0]
    socket.dispatch(RECEIVE, first)
    socket.work()
    assert seen == [0, 1, 2, 3]


def test_replies_keep_the_order(socket):
    """What the client sees is in order too."""
    socket.connect()
    contents = [socket.content(text="x") for _ in range(4)]
    for content in reversed(contents):
        socket.dispatch(RECEIVE, content)
    socket.work()
    assert [reply["text"] for reply in socket.replies()] == ["1", "2", "3", "4"]


def test_turn_ends_after_the_replies_have_left(socket, monkeypatch):
    """Another worker must not answer the next message before this one's answer is on its way."""
    verdicts = []
    send_batch = socket.layer.channel_layer.send_batch

    def spy(batch):
        early = Message(socket.content(text="next"), RECEIVE, socket.layer)
        verdicts.append(ordering.take_turn(early))
        return send_batch(batch)

    monkeypatch.setattr(socket.layer.channel_layer, "send_batch", spy)
    socket.run("websocket.connect")
    assert verdicts == [None]


def test_connect_need_not_be_ordered(layer_of, seen, db):
    """A socket that sends was accepted: order 1 may begin."""

    @enforce_ordering
    def receive(message):
        seen.append(message["order"])

    socket = Connection(layer=layer_of(routes(lambda message: None, receive)))
    socket.connect()
    socket.receive("x")
    socket.receive("x")
    assert seen == [1, 2]


def test_order_goes_on_when_a_consumer_raises(layer_of, seen, db):
    """One bad message does not silence the socket."""

    @enforce_ordering
    def consumer(message):
        seen.append(message["order"])
        raise KeyError("room")

    socket = Connection(layer=layer_of(routes(consumer, consumer)))
    socket.connect()
    late = socket.content()
    socket.receive("early")
    socket.dispatch(RECEIVE, late)
    socket.work()
    assert seen == [0, 1, 2]


def test_consume_later_keeps_the_place(layer_of, seen, db):
    """The message comes again before those after it."""

    @enforce_ordering
    def consumer(message):
        seen.append(message["order"])
        if seen.count(message["order"]) < 3:
            raise ConsumeLater

    socket = Connection(layer=layer_of(routes(consumer, consumer)))
    socket.put("websocket.connect")
    socket.work()
    socket.put(RECEIVE, text="x")
    socket.put(RECEIVE, text="x")
    socket.work()
    assert seen == [0, 0, 0, 1, 1, 1, 2, 2, 2]


def test_message_that_is_given_up_makes_way(layer_of, seen, db):
    """After too many retries a message is dropped, and the next one runs."""

    @enforce_ordering
    def consumer(message):
        seen.append(message["order"])
        if message["order"] == 1:
            raise ConsumeLater

    socket = Connection(layer=layer_of(routes(consumer, consumer)))
    socket.connect()
    socket.put(RECEIVE, text="x")
    socket.put(RECEIVE, text="x")
    socket.work()
    assert seen == [0] + [1] * 11 + [2]


def test_duplicate_runs_once(socket, seen):
    """A layer that delivers twice does not make a consumer run twice."""
    before = counters.value("message.dropped.order")
    for _ in range(2):
        socket.dispatch("websocket.connect", {**socket.content(), "order": 0})
    assert seen == [0]
    assert counters.value("message.dropped.order") == before + 1


def test_duplicate_of_a_connect_decides_nothing(layer_of, db):
    """A second copy of a handshake that was refused must not be accepted for want of a decision."""

    @enforce_ordering
    def refuse(message):
        message.reply_channel.send({"close": True})

    socket = Connection(layer=layer_of(routes(refuse)))
    content = socket.content()
    socket.dispatch("websocket.connect", dict(content))
    socket.dispatch("websocket.connect", dict(content))
    assert socket.replies() == [{"close": True}]


def test_gap_closes_the_socket_and_runs_the_disconnect(socket, seen, settings, caplog):
    """A lost message cannot be made up for; the client is told to come again, and nothing is left behind."""
    socket.run("websocket.connect")
    socket.content()
    for _ in range(3):
        socket.receive("x")
    socket.replies()
    before = counters.value("message.dropped.gap")
    give_up_waiting(settings, socket)
    assert socket.replies() == [{"close": 1013}]
    assert "Message 1 of" in caplog.text
    assert counters.value("message.dropped.gap") == before + 3
    socket.disconnect()
    assert seen == [0, 5]
    assert socket.work() == 0


def test_kept_disconnect_runs_after_a_gap(socket, seen, settings):
    """It waited with the others, but what the connect began must be ended."""
    socket.run("websocket.connect")
    socket.content()
    socket.receive("x")
    socket.disconnect()
    give_up_waiting(settings, socket)
    socket.work()
    assert seen == [0, 3]


def test_disconnect_alone_runs_without_a_close(layer_of, seen, settings, caplog, db):
    """Where connects are not ordered and nothing was received, patience is all that is needed."""

    @enforce_ordering
    def disconnect(message):
        seen.append(message["order"])

    socket = Connection(layer=layer_of(routes(disconnect=disconnect)))
    socket.content()
    socket.disconnect()
    give_up_waiting(settings, socket)
    assert socket.work() == 1
    assert (seen, socket.replies(), caplog.text) == ([1], [], "")


def test_too_many_early_messages_close_the_socket(layer_of, seen, caplog, monkeypatch, db):
    """Instead of keeping it silent for ever."""
    monkeypatch.setattr(ordering, "LEAST_KEPT", 2)

    @enforce_ordering
    def consumer(message):
        seen.append(message["order"])

    layer = layer_of(routes(consumer, consumer, consumer), channel_capacity={"__wait__.*": 2})
    socket = Connection(layer=layer)
    socket.connect()
    socket.content()
    replies = [socket.receive("x") for _ in range(3)]
    assert replies == [[], [], [{"close": 1013}]]
    assert f"Cannot add unordered message to already full __wait__ channel for socket {socket.reply_channel}" in (
        caplog.text
    )
    socket.disconnect()
    assert seen == [0, 5]


def test_requeue_that_finds_no_room_closes_the_socket(layer_of, monkeypatch, caplog, db):
    """Bounded patience there too."""
    monkeypatch.setattr(ordering, "REQUEUE_SECONDS", 0)

    @enforce_ordering
    def consumer(message):
        pass

    socket = Connection(layer=layer_of(routes(consumer, consumer), channel_capacity={RECEIVE: 1}))
    socket.connect()
    first = socket.content()
    socket.receive("early")
    socket.layer.send(RECEIVE, {"filling": "the channel"})
    socket.dispatch(RECEIVE, first)
    assert socket.replies()[-1] == {"close": 1013}
    assert f"already full channel {RECEIVE}" in caplog.text


def test_worker_takes_over_what_was_released(socket, seen):
    """Who promised to run released messages finds them, and the layer does not."""
    released = hand.pick_up()
    socket.connect()
    first = socket.content()
    socket.receive("early")
    socket.dispatch(RECEIVE, first)
    assert [(channel, content["order"]) for channel, content in released] == [(RECEIVE, 2)]
    assert socket.work() == 0


def test_collector_that_is_gone_collects_nothing(socket, seen):
    """A worker that ended leaves no trap for later consumers in its thread."""
    hand.pick_up()
    socket.connect()
    first = socket.content()
    socket.receive("early")
    socket.dispatch(RECEIVE, first)
    assert socket.work() == 1
    assert seen == [0, 1, 2]


def test_slow_consumer_is_not_taken_for_a_dead_one(layer_of, settings, monkeypatch, transactional_db):
    """A turn is renewed while its consumer runs, however long that is."""
    settings.CHANNELS_ORDERING_TIMEOUT = 1.0
    monkeypatch.setattr(taken_turn, "keeper", TurnKeeper(ordering.wait_seconds))
    entered, leave = threading.Event(), threading.Event()

    @enforce_ordering
    def consumer(message):
        if message["order"] == 0:
            entered.set()
            leave.wait(5)

    socket = Connection(layer=layer_of(routes(consumer, consumer)))
    first = socket.content()
    worker = threading.Thread(target=socket.dispatch, args=("websocket.connect", first))
    worker.start()
    entered.wait(5)
    socket.receive("early")
    for _ in range(16):
        # The real clock is the subject: the pauses must add up to more than the patience.
        leave.wait(0.1)
        socket.look_for_overdue()
    leave.set()
    worker.join()
    socket.work()
    assert {"close": 1013} not in socket.replies()


# Sessions


def test_next_message_finds_the_session_saved(layer_of, db):
    """Also where the session was opened outside of the order, and read by somebody before."""
    counts = []

    def peek(consumer):
        def inner(message):
            message.channel_session.get("count")
            return consumer(message)

        return inner

    @channel_session
    def consumer(message):
        @enforce_ordering
        def inner(message):
            count = message.channel_session["count"] = message.channel_session.get("count", 0) + 1
            counts.append(count)

        inner(message)

    socket = Connection(layer=layer_of(routes(consumer, consumer)))
    socket.connect()
    contents = [socket.content(text="x") for _ in range(3)]
    for content in reversed(contents):
        socket.dispatch(RECEIVE, content)
    socket.work()
    assert counts == [1, 2, 3, 4]


def test_session_read_outside_of_the_order_is_read_again(db):
    """What a decorator saw before it was the message's turn may be stale."""
    layer = make_layer()
    reply = "websocket.send.process!socket"

    @channel_session
    def outer(message):
        message.channel_session.get("count")
        other = session_for_reply_channel(reply)
        other["count"] = 7
        other.save()
        return enforce_ordering(lambda message: message.channel_session["count"])(message)

    assert outer(Message({"reply_channel": reply, "order": 0}, "websocket.connect", layer)) == 7


def test_kept_disconnect_leaves_the_session_alone(layer_of, seen, db):
    """A disconnect that must wait has not happened yet."""

    @channel_session
    @enforce_ordering
    def consumer(message):
        message.channel_session["count"] = message.channel_session.get("count", 0) + 1
        seen.append(message.channel_session["count"])

    socket = Connection(layer=layer_of(routes(consumer, consumer, consumer)))
    socket.connect()
    late = socket.content(text="late")
    socket.disconnect()
    socket.dispatch(RECEIVE, late)
    socket.work()
    assert seen == [1, 2, 3]
    assert not Session.objects.exists()


def test_order_is_not_kept_in_the_session_of_the_user(layer_of, db):
    """A consumer may replace all its data without losing the count."""

    @enforce_ordering
    def consumer(message):
        message.channel_session.flush()
        message.channel_session["order"] = message["order"]

    socket = Connection(layer=layer_of(routes(consumer, consumer)))
    socket.connect()
    socket.receive("x")
    assert dict(session_for_reply_channel(socket.reply_channel).items()) == {"order": 1}


def test_turns_work_on_every_engine(engine, seen):
    """Counters live where channel sessions do."""

    @enforce_ordering
    def consumer(message):
        seen.append(message["order"])

    layer = make_layer(routes(consumer, consumer, consumer))
    layer.turns = None
    socket = Connection(layer=layer)
    socket.connect()
    first = socket.content()
    socket.receive("x")
    socket.dispatch(RECEIVE, first)
    socket.work()
    socket.disconnect()
    assert seen == [0, 1, 2, 3]


def test_wait_channel_has_its_documented_name(seen, db):
    """Operators see it in the statistics; messages on it say where they came from."""
    layer = make_layer(routes(receive=enforce_ordering(lambda message: None)))
    layer.turns = None
    socket = Connection(layer=layer)
    socket.order = 5
    socket.receive("x")
    name, content = layer.receive([wait_channel(socket.reply_channel)])
    assert name == "__wait__." + socket.reply_channel.replace("!", "?")
    assert content["original_channel"] == RECEIVE


# Classes


def test_strict_ordering_attribute_orders_a_class(layer_of, seen, db):
    """The attribute does what the decorator does."""

    class Ordered(WebsocketConsumer):
        strict_ordering = True

        def receive(self, text=None, bytes=None, **kwargs):
            seen.append(text)

        def disconnect(self, message, **kwargs):
            seen.append("bye")

    socket = Connection(layer=layer_of([Ordered.as_route()]))
    socket.connect()
    first, second = socket.content(text="a"), socket.content(text="b")
    socket.disconnect()
    socket.dispatch(RECEIVE, second)
    socket.dispatch(RECEIVE, first)
    socket.work()
    assert seen == ["a", "b", "bye"]


# Bad input


@pytest.mark.parametrize(
    ("content", "error"),
    [
        ({}, r"No `order` value in message; @enforce_ordering can only be used on messages containing it\."),
        ({"order": "1"}, "must be a whole number from 0, not '1'"),
        ({"order": -1}, "must be a whole number from 0, not -1"),
        ({"order": True}, "must be a whole number from 0, not True"),
    ],
)
def test_message_without_a_usable_order_is_refused(content, error):
    """The error names what is wrong."""
    with pytest.raises(ValueError, match=error):
        enforce_ordering(lambda message: None)(Message({"reply_channel": "r!1", **content}, RECEIVE, make_layer()))


def test_message_without_reply_channel_is_refused():
    """There is no connection whose order could be kept."""
    with pytest.raises(ValueError, match="No reply_channel sent to consumer; @enforce_ordering"):
        enforce_ordering(lambda message: None)(Message({"order": 0}, RECEIVE, make_layer()))


@pytest.mark.parametrize("decorate", [lambda f: enforce_ordering(slight=True)(f), lambda f: enforce_ordering(f, True)])
def test_slight_ordering_warns_and_does_nothing(decorate):
    """Once all sockets have what it gave, it is gone."""
    with pytest.warns(DeprecationWarning, match="Slight ordering is what every WebSocket has"):
        consumer = decorate(lambda message: "ran")
    assert consumer(Message({}, RECEIVE, make_layer())) == "ran"


def test_decorator_works_with_and_without_parentheses(db):
    """Both forms were documented."""
    message = Message({"reply_channel": "r!1", "order": 0}, "websocket.connect", make_layer())
    assert enforce_ordering()(lambda message: "ran")(message) == "ran"


def test_kept_messages_are_no_news(socket, caplog):
    """What happens all the time is logged at DEBUG."""
    socket.content()
    with caplog.at_level(logging.INFO, "django.channels"):
        socket.receive("early")
    assert caplog.text == ""
