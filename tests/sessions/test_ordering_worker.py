"""A worker with several ordered messages in hand: it asks for all turns at once and keeps what it must put off."""

import pytest

from channels import route
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer
from channels.registry import ChannelLayerWrapper
from channels.sessions import enforce_ordering
from channels.worker import Worker

QUEUE = "websocket.send.test!"
RECEIVE = "websocket.receive"


@pytest.fixture
def ran():
    """Socket and order of what ran, in the order in which it did."""
    return []


@pytest.fixture
def site(redis_url, ran, db, settings):
    """A layer with an ordered consumer of frames, and unordered ones of frames that say hurry and of disconnects."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"

    def note(message):
        ran.append((message.reply_channel.name.rpartition("!")[2], message["order"]))
        message.reply_channel.send({"text": str(message["order"])})

    routing = [
        route(RECEIVE, note, text="^hurry"),
        route(RECEIVE, enforce_ordering(note)),
        route("websocket.disconnect", note),
    ]
    layer = RedisChannelLayer(hosts=[redis_url], capacity=1000)
    yield ChannelLayerWrapper(layer, "default", routing)
    layer.close()


def work(site, *messages):
    """Send messages in one batch and let a worker run until it has begun as many as there are."""
    batch = [
        Outgoing(channel, {"reply_channel": f"{QUEUE}{socket}", "path": "/", "order": order, "text": text})
        for socket, order, text, channel in (entry if len(entry) == 4 else (*entry, RECEIVE) for entry in messages)
    ]
    site.send_batch(batch)
    waiting = sum(site.channel_statistics(name)["messages_pending"] for name in (RECEIVE, "websocket.disconnect"))
    ran = []
    worker = Worker(site, signal_handlers=False)

    def note(channel, message):
        ran.append(message)
        worker.termed = len(ran) >= waiting

    worker.callback = note
    # It may take several messages at once from the start.
    worker._pace._average = 0.0001
    worker.run()


def replies(site):
    """Return what each socket was sent."""
    found = {}
    while deliveries := site.receive_batch([QUEUE], 100):
        for channels, content, _ in deliveries:
            found.setdefault(channels[0].rpartition("!")[2], []).append(content.get("text") or content)
    return found


def test_frames_of_several_sockets_run_in_order(site, ran):
    """Whatever their order on the channel."""
    work(site, ("a", 1, "x"), ("b", 1, "x"), ("a", 2, "x"), ("c", 1, "x"), ("b", 2, "x"), ("a", 3, "x"))
    assert [order for socket, order in ran if socket == "a"] == [1, 2, 3]
    assert replies(site) == {"a": ["1", "2", "3"], "b": ["1", "2"], "c": ["1"]}


def test_early_frame_in_hand_runs_after_the_one_before(site, ran):
    """It is kept, and comes back with the end of the turn before it."""
    work(site, ("a", 1, "x"), ("b", 1, "x"))
    ran.clear()
    site.send(RECEIVE, {"reply_channel": f"{QUEUE}a", "path": "/", "order": 3, "text": "x"})
    work(site, ("b", 2, "x"), ("a", 2, "x"))
    work(site, ("a", 4, "x"))
    assert [order for socket, order in ran if socket == "a"] == [2, 3, 4]


def test_turns_in_hand_are_used_at_a_stop(site, ran):
    """Others would wait in vain for what this worker has; what needs no turn is handed back."""

    def outgoing(socket, order, text):
        return Outgoing(RECEIVE, {"reply_channel": f"{QUEUE}{socket}", "path": "/", "order": order, "text": text})

    def stop_at_second(channel, message):
        if message["order"] == 1 and not ran:  # From the second batch on, all turns in hand are asked for at once.
            site.send_batch([outgoing("a", 2, "x"), outgoing("b", 1, "x"), outgoing("c", 9, "hurry")])
        else:
            worker.termed = True

    worker = Worker(site, callback=stop_at_second, signal_handlers=False)
    worker._pace._average = 0.0001
    site.send_batch([outgoing("a", 1, "x")])
    worker.run()
    assert ran == [("a", 1), ("a", 2), ("b", 1)]
    assert [delivery.content["order"] for delivery in site.receive_batch([RECEIVE], 10)] == [9]


def test_unordered_frame_is_not_put_off(site, ran):
    """Its route does not ask for a turn, so none is asked for on its behalf."""
    work(site, ("a", 1, "x"), ("b", 1, "x"))
    ran.clear()
    work(site, ("a", 9, "hurry up"), ("b", 2, "x"))
    assert ("a", 9) in ran


def test_turn_that_goes_on_to_an_unordered_message_ends(site, ran):
    """The disconnect consumer asks for no turn; the one it was given does not stay out for ever."""
    work(site, ("a", 1, "x"), ("b", 1, "x"), ("a", 2, "x"), ("a", 3, "", "websocket.disconnect"))
    site.push(wait=True)
    client = site.channel_layer.connection(0)
    running = [client.hget(key, "running") for key in client.scan_iter("asgi::turn:*")]
    client.close()
    assert b"1" not in running
    assert sorted(order for socket, order in ran if socket == "a") == [1, 2, 3]


def test_routing_that_fails_for_one_message_in_hand_ends_that_message_only(site, ran, caplog):
    """An entry of the project may ask for what a message does not have."""

    class Picky:
        """Takes nothing, and fails for what is odd."""

        def match(self, message):
            return 1 / 0 if message["text"] == "odd" else None

        def channel_names(self):
            return {RECEIVE}

    def outgoing(socket, order, text):
        return Outgoing(RECEIVE, {"reply_channel": f"{QUEUE}{socket}", "path": "/", "order": order, "text": text})

    def send_more(channel, message):
        if message["order"] == 1:  # From the second batch on, all turns in hand are asked for at once.
            site.send_batch([outgoing("b", 1, "odd"), outgoing("a", 2, "x"), outgoing("a", 3, "x")])

    with site.rerouted([Picky(), *site.router.root.routing]):
        worker = Worker(site, callback=send_more, signal_handlers=False)
        worker.after_message = lambda: worker.messages == 4 and worker.stop()
        worker._pace._average = 0.0001
        site.send_batch([outgoing("a", 1, "x")])
        worker.run()
    assert ran == [("a", 1), ("a", 2), ("a", 3)]
    assert "Error dispatching a message on websocket.receive" in caplog.text


def test_message_of_a_channel_that_the_worker_does_not_take_goes_back_to_it(site, ran):
    """Its turn comes with the end of one that the worker runs; another worker is there for it."""
    disconnect = "websocket.disconnect"

    @enforce_ordering
    def note(message):
        ran.append((message.channel.name, message["order"]))

    with site.rerouted([route([RECEIVE, disconnect], note)]):
        content = {"reply_channel": f"{QUEUE}a", "path": "/"}
        run_one(site, disconnect, {**content, "order": 2, "code": 1000})
        run_one(site, RECEIVE, {**content, "order": 1, "text": "x"})
        assert ran == [(RECEIVE, 1)]
        run_one(site, disconnect)
    assert ran == [(RECEIVE, 1), (disconnect, 2)]


def work_twice(site, first, then):
    """Let a worker run ``first``, and have it ask for the turns of ``then``, two at least, at once."""
    worker = Worker(site, signal_handlers=False)
    worker.callback = lambda channel, message: site.send_batch(then) if not worker.messages else None
    worker.after_message = lambda: worker.messages == 1 + len(then) and worker.stop()
    worker._pace._average = 0.0001
    site.send_batch([first])
    worker.run()


@pytest.mark.parametrize("reply_channel", [f"{QUEUE}b".encode(), [], ""])
def test_message_in_hand_whose_reply_channel_is_no_text_stops_nobody(site, ran, reply_channel):
    """Senders of 1.x wrote byte strings, and whoever shares the server writes anything."""
    first, second, third = ({"reply_channel": f"{QUEUE}a", "path": "/", "order": n, "text": "x"} for n in (1, 2, 3))
    odd = {"reply_channel": reply_channel, "path": "/", "order": 1, "text": "x"}
    work_twice(site, Outgoing(RECEIVE, first), [Outgoing(RECEIVE, content) for content in (odd, second, third)])
    assert [order for socket, order in ran if socket == "a"] == [1, 2, 3]


def test_server_that_cannot_give_several_turns_at_once_is_asked_for_each(site, ran, monkeypatch, caplog):
    """Whatever the error is."""
    monkeypatch.setattr(site.turns, "take_many", lambda *args: 1 / 0)
    contents = [{"reply_channel": f"{QUEUE}a", "path": "/", "order": n, "text": "x"} for n in (1, 2, 3)]
    first, *then = [Outgoing(RECEIVE, content) for content in contents]
    work_twice(site, first, then)
    assert ran == [("a", 1), ("a", 2), ("a", 3)]
    assert "Could not ask for several turns at once" in caplog.text


def run_one(site, channel, content=None):
    """Let a worker that takes one channel only run one message, sent to it now or there already."""
    if content is not None:
        site.send(channel, content)
    worker = Worker(site, signal_handlers=False, only_channels=[channel])
    worker.after_message = worker.stop
    worker.run()
