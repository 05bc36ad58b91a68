"""The loop of a worker: filters, errors, stopping, threads."""

import threading
import time

import pytest

from channels import Channel, route
from channels.exceptions import LayerUnavailable
from channels.layers.base import BaseChannelLayer
from channels.layers.inmemory import ChannelLayer
from channels.pace import Pace
from channels.registry import ChannelLayerWrapper
from channels.signals import worker_ready
from channels.worker import Worker, WorkerGroup
from tests.support.counting import Growth
from tests.support.processes import wait_for


def make_layer(*routes, layer=None):
    """Return a layer with the given routes."""
    return ChannelLayerWrapper(layer or ChannelLayer(capacity=1000), "default", list(routes))


class Recorder:
    """A consumer that keeps what it gets and can be waited for."""

    def __init__(self, expected=1):
        self.got = []
        self.expected = expected
        self.done = threading.Event()

    def __call__(self, message, **kwargs):
        """Keep the message's number."""
        self.got.append(message["n"])
        if len(self.got) >= self.expected:
            self.done.set()


@pytest.fixture
def run():
    """Run workers in threads; all are stopped and joined at the end."""
    running = []

    def start(worker):
        thread = threading.Thread(target=worker.run)
        thread.start()
        running.append((worker, thread))
        return worker

    yield start
    for worker, thread in running:
        worker.termed = True
        thread.join(60)
        assert not thread.is_alive()


def test_worker_consumes_in_order_of_arrival(run):
    """One worker, one channel: first come, first served, also when taken in batches."""
    recorder = Recorder(200)
    layer = make_layer(route("c", recorder))
    for n in range(200):
        layer.send("c", {"n": n})
    run(Worker(layer, signal_handlers=False))
    assert recorder.done.wait(60)
    assert recorder.got == list(range(200))


def test_worker_goes_on_after_any_error(run):
    """A consumer's error, a bad name in its sends, a missing route: each ends one message only."""
    recorder = Recorder()

    def fails(message):
        raise ValueError("boom")

    def sends_badly(message):
        Channel("not a name", channel_layer=layer).send({})

    layer = make_layer(
        route("fails", fails), route("bad", sends_badly), route("c", recorder), route("none", fails, x="y")
    )
    run(Worker(layer, signal_handlers=False))
    for channel in ("fails", "bad", "none"):
        layer.send(channel, {})
    layer.send("c", {"n": 1})
    assert recorder.done.wait(60)


class FlakyLayer(ChannelLayer):
    """Cannot be reached for its first calls."""

    def __init__(self):
        super().__init__()
        self.failures = [LayerUnavailable("gone"), LayerUnavailable("gone"), RuntimeError("odd")]

    def receive_batch(self, channels, limit=1, timeout=0):
        """Fail, then work."""
        if self.failures:
            raise self.failures.pop(0)
        return super().receive_batch(channels, limit, timeout)


def test_worker_survives_an_unreachable_layer(run, caplog):
    """It tries again until it can, and logs the outage once and its end once."""
    recorder = Recorder()
    layer = make_layer(route("c", recorder), layer=FlakyLayer())
    layer.send("c", {"n": 1})
    run(Worker(layer, signal_handlers=False))
    assert recorder.done.wait(60)
    assert caplog.text.count("cannot be reached") == 1
    assert caplog.text.count("can be reached again") == 1


def test_worker_survives_what_decides_turns(run, caplog):
    """Its session engine may be out of reach; consumers may not need it."""
    recorder = Recorder()
    layer = make_layer(route("c", recorder))
    looked = threading.Event()

    class Turns:
        def stalled(self, wait):
            looked.set()
            raise OSError("no database")

    layer.channel_layer.turns = Turns()
    run(Worker(layer, signal_handlers=False))
    assert looked.wait(30)
    layer.send("c", {"n": 1})
    assert recorder.done.wait(30)
    assert "no database" in caplog.text


def test_one_message_is_taken_at_a_time_when_consumers_are_slow():
    """So that other workers can have the rest."""
    pace = Pace()
    for _ in range(20):
        pace.took(0.01)
    assert pace.batch(32) == 1


def test_many_messages_are_taken_when_consumers_are_fast():
    """Up to a bound; one that took long changes little."""
    pace = Pace()
    assert pace.batch(32) == 1
    for _ in range(50):
        pace.took(1e-6)
    assert pace.batch(32) == 32
    pace.took(60)
    assert pace.batch(32) == 32


@pytest.mark.parametrize(
    ("only", "exclude", "kept"),
    [
        (None, None, ["http.request", "websocket.connect", "chat.Messages"]),
        (["http.*"], None, ["http.request"]),
        (None, ["http.*", "chat.*"], ["websocket.connect"]),
        (["http.*", "websocket.*"], ["*.connect"], ["http.request"]),
        (["chat.messages"], None, []),
    ],
)
def test_channel_filters_keep_and_then_drop(only, exclude, kept):
    """Globs are case-sensitive; a worker without a layer can be asked."""
    worker = Worker(None, only_channels=only, exclude_channels=exclude)
    assert worker.apply_channel_filters(["http.request", "websocket.connect", "chat.Messages"]) == kept


def test_worker_without_channels_says_so_and_ends(caplog):
    """Waiting for nothing would look like a hang."""
    Worker(make_layer(), signal_handlers=False).run()
    assert "There is no channel to consume" in caplog.text


def test_stop_while_busy_finishes_the_consumer_and_its_sends(run):
    """What has begun is completed; what waits stays in the layer."""
    entered, release = threading.Event(), threading.Event()

    def consumer(message):
        entered.set()
        release.wait(60)
        Channel("out", channel_layer=layer).send({"n": message["n"]})

    layer = make_layer(route("c", consumer))
    worker = run(Worker(layer, signal_handlers=False))
    layer.send("c", {"n": 1})
    assert entered.wait(60)
    worker.sigterm_handler(15, None)
    layer.send("c", {"n": 2})
    release.set()
    assert layer.receive(["out"], block=True)[1] == {"n": 1}
    while worker.in_job:
        time.sleep(0.001)
    assert layer.receive(["c"])[1] == {"n": 2}


class Gate:
    """A consumer whose first message waits until it is let through, and takes its time as short."""

    def __init__(self):
        self.got, self.entered, self.release = [], threading.Event(), threading.Event()

    def __call__(self, message):
        """Keep the message's number; wait at number 0."""
        self.got.append(message["n"])
        if message["n"] == 0:
            self.entered.set()
            assert self.release.wait(30)


def start_with_batch(run, layer, gate, count=5):
    """Start a worker that takes ``count`` messages at once and runs the first, which waits at the gate."""
    for n in range(count):
        layer.send("c", {"n": n})
    worker = Worker(layer, signal_handlers=False)
    worker._pace._average = 1e-6
    run(worker)
    assert gate.entered.wait(60)
    return worker


def test_stop_hands_back_what_was_not_begun(run):
    """First on its channel and in order, for other workers."""
    gate = Gate()
    layer = make_layer(route("c", gate))
    returned = Growth("message.returned.stop")
    worker = start_with_batch(run, layer, gate)
    layer.send("c", {"n": 5})
    worker.termed = True
    gate.release.set()
    wait_for(lambda: layer.channel_statistics("c")["messages_pending"] == 5, "they were handed back")
    wait_for(lambda: returned.amount == 4, "that they are counted")
    found = [layer.receive(["c"])[1]["n"] for _ in range(5)]
    assert (gate.got, found) == ([0], [1, 2, 3, 4, 5])


def test_what_was_taken_does_not_wait_for_a_slow_consumer(run):
    """Another worker gets it while the consumer still runs."""
    gate = Gate()
    layer = make_layer(route("c", gate))
    returned = Growth("message.returned.slow_consumer")
    start_with_batch(run, layer, gate)
    found = [layer.receive(["c"], block=True)[1]["n"] for _ in range(4)]
    wait_for(lambda: returned.amount == 4, "that they are counted")
    gate.release.set()
    assert (gate.got, found) == ([0], [1, 2, 3, 4])


def test_layer_that_takes_nothing_back_has_its_messages_run(run):
    """Nothing is lost at a stop."""

    class Keeps(ChannelLayer):
        hand_back = BaseChannelLayer.hand_back

    gate = Gate()
    layer = make_layer(route("c", gate), layer=Keeps(capacity=1000))
    worker = start_with_batch(run, layer, gate)
    worker.termed = True
    gate.release.set()
    wait_for(lambda: len(gate.got) == 5, "all were run")
    assert gate.got == [0, 1, 2, 3, 4]


def test_hooks_of_a_subclass_are_called(run):
    """What projects of 1.x override: the filters, what happens before, and how signals are heard."""
    called = []
    recorder = Recorder()

    class Own(Worker):
        def apply_channel_filters(self, channels):
            called.append(sorted(channels))
            return ["b"]

        def install_signal_handler(self):
            called.append("signals")

    layer = make_layer(route("a", recorder), route("b", recorder))
    layer.send("a", {"n": 1})
    layer.send("b", {"n": 2})
    run(Own(layer))
    assert recorder.done.wait(30)
    assert recorder.got == [2]
    assert called == ["signals", ["a", "b"]]


def test_ready_signals_name_each_worker():
    """A group announces itself and its threads."""
    seen = []

    def receiver(sender, **kwargs):
        seen.append(sender)

    worker_ready.connect(receiver)
    try:
        group = WorkerGroup(make_layer(), n_threads=3, signal_handlers=False)
        group.ready()
    finally:
        worker_ready.disconnect(receiver)
    assert seen == [group, *group.sub_workers]
    assert len(seen) == 3


def test_group_consumes_in_all_its_threads(run):
    """Two consumers that wait for each other can only finish side by side."""
    barrier = threading.Barrier(3)
    layer = make_layer(route("c", lambda message: barrier.wait(60)))
    group = run(WorkerGroup(layer, n_threads=2, signal_handlers=False))
    layer.send("c", {})
    layer.send("c", {})
    barrier.wait(60)
    group.sigterm_handler(15, None)


def test_group_that_need_not_be_graceful_leaves_at_once():
    """As 1.x did."""
    group = WorkerGroup(make_layer(), n_threads=2, stop_gracefully=False)
    with pytest.raises(SystemExit):
        group.sigterm_handler(15, None)


@pytest.fixture
def held_group():
    """Return a function that starts a group of which one thread, not the first, is held by its consumer."""
    free, goes_on = threading.Event(), threading.Event()
    ended = []

    def consumer(message):
        if threading.current_thread().name.startswith("channels-worker"):
            free.set()
            goes_on.wait(60)
            ended.append(True)
        else:
            layer.send("c", {})

    layer = make_layer(route("c", consumer))

    def start(**options):
        group = WorkerGroup(layer, n_threads=2, signal_handlers=False, **options)
        layer.send("c", {})
        thread = threading.Thread(target=group.run)
        thread.start()
        assert free.wait(60)
        group.stop()
        return thread

    yield start, goes_on, ended
    goes_on.set()


def test_group_that_need_not_be_graceful_waits_for_no_thread(held_group):
    """However long its consumer takes."""
    start, _, ended = held_group
    thread = start(stop_gracefully=False, grace=600)
    thread.join(60)
    assert not thread.is_alive()
    assert not ended


def test_group_waits_as_long_as_it_was_told_to(held_group, settings):
    """Not as long as the setting says for others."""
    settings.CHANNELS_STOP_GRACE = 0
    start, goes_on, ended = held_group
    thread = start(grace=600)
    threading.Timer(0.5, goes_on.set).start()
    thread.join(60)
    assert ended


def test_receive_replaced_on_the_wrapper_is_used(run):
    """Packages of 1.x set ``receive`` on the wrapper."""
    recorder = Recorder()
    layer = make_layer(route("c", recorder))
    messages = [("c", {"n": 5})]
    layer.receive = lambda channels, block=False: messages.pop() if messages else (time.sleep(0.01), None)[1:] * 2
    run(Worker(layer, signal_handlers=False))
    assert recorder.done.wait(60)
    assert recorder.got == [5]
