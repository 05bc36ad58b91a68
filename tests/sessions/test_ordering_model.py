"""Order under any interleaving: workers, failures, losses and deaths in the order that hypothesis finds worst.

The workers are logical: each may have begun one consumer, and hypothesis says which of them takes a message,
ends its consumer or dies next. What decides turns is the real thing, on a layer of its own.
"""

import weakref

import hypothesis
import pytest
from django.core.cache import caches
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from channels import hand, names, ordering
from channels.exceptions import ConsumeLater
from channels.layers.local_turns import LocalTurns
from channels.layers.redis import RedisChannelLayer
from channels.layers.turns import Line, Verdict
from channels.message import Message
from channels.names import random_part
from channels.session_stores import session_for_reply_channel
from channels.session_turns import SessionTurns
from channels.taken_turn import TakenTurn, keeper
from tests.support.connection import make_layer

WORKERS = 4
WAIT = 10.0
CHANNELS = ["websocket.connect", "websocket.receive", "websocket.disconnect"]


class Clock:
    """Seconds that pass when the model says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class World:
    """Some connections, the messages on their way, and the workers.

    Args:
        kind: ``local``, ``session``, or turns on a server, whose clock is real.
        frames: How many frames each connection sends.
        has_hands: Whether workers run released messages themselves.
    """

    def __init__(self, kind, frames, has_hands=False):
        self.clock = Clock()
        self.hands = [hand.pick_up() for _ in range(WORKERS)] if has_hands else None
        self.layer = make_layer(capacity=10_000)
        if kind == "local":
            self.layer.channel_layer.turns = LocalTurns(clock=self.clock)
        elif kind == "session":
            self.layer.turns = SessionTurns(self.layer, clock=self.clock)
        else:
            self.layer.turns = kind
        self.turns = self.layer.turns
        self.on_the_way = []
        self.running = {}
        self.ran = {}
        self.last = {}
        self.counts = {}
        self.is_harmed = False
        self.lost = set()
        self.closed = set()
        self.retries = 0
        for number, count in enumerate(frames):
            connection = f"websocket.send.{random_part()}!{number}"
            self.ran[connection] = []
            self.last[connection] = count + 1
            self.counts[connection] = 0
            orders = [("websocket.connect", 0)]
            orders += [("websocket.receive", order) for order in range(1, count + 1)]
            orders.append(("websocket.disconnect", count + 1))
            self.on_the_way += [(channel, {"reply_channel": connection, "order": order}) for channel, order in orders]
        self.queues = [names.non_local_name(connection) for connection in self.ran]
        self.waiting_for_connect = {
            connection: [entry for entry in self.on_the_way if entry[1]["reply_channel"] == connection][1:-1]
            for connection in self.ran
        }
        # A socket sends nothing before its connect has run.
        for entries in self.waiting_for_connect.values():
            for entry in entries:
                self.on_the_way.remove(entry)

    def collect(self):
        """Move what was put back on the layer to what is on its way; note what was closed."""
        while True:
            name, content = self.layer.receive([*CHANNELS, *self.queues])
            if name is None:
                return
            if name in CHANNELS:
                self.on_the_way.append((name, content))
            elif content.get("close") == 1013:
                self.closed.add(name)

    def use_hand_of(self, worker):
        """Act as the thread of ``worker``, and return the messages it must run first."""
        if self.hands is None:
            return ()
        hand._local.hand = weakref.ref(self.hands[worker])
        return self.hands[worker]

    def take(self, worker, choice):
        """Let a worker take a message and begin its consumer, if it is its turn."""
        in_hand = self.use_hand_of(worker)
        if worker in self.running or not (in_hand or self.on_the_way):
            return
        channel, content = in_hand.popleft() if in_hand else self.on_the_way.pop(choice % len(self.on_the_way))
        connection = content["reply_channel"]
        message = Message(content, channel, self.layer)
        turn = ordering.take_turn(message)
        if turn is not None:
            others = [entry for entry in self.running.values() if entry[0] == connection]
            assert not others, f"{connection}: {content['order']} began beside {others}"
            session = session_for_reply_channel(connection)
            session["count"] = session.get("count", 0) + 1
            self.running[worker] = (connection, content["order"], message, session, turn)
        self.collect()

    def end(self, worker, outcome):
        """Let a worker end its consumer: well, with an error, or asking for the message again."""
        if worker not in self.running:
            return
        self.use_hand_of(worker)
        connection, order, message, session, turn = self.running.pop(worker)
        session.save()
        self.counts[connection] += 1
        if outcome == "later" and self.retries < 20:
            self.retries += 1
            self.on_the_way.append((message.channel.name, message.content))
            turn.end(message, ConsumeLater())
        else:
            self.ran[connection].append((order, message.channel.name))
            turn.end(message, KeyError() if outcome == "error" else None)
            if order == 0:
                self.on_the_way += self.waiting_for_connect.pop(connection)
        self.collect()

    def die(self, worker):
        """Kill a worker; what it ran is lost, and it never ends its turn."""
        if worker in self.running and self.turns.needs_renewal:
            connection, order, *_, turn = self.running.pop(worker)
            keeper.discard(turn)
            self.lost.add((connection, order))
            for _, content in self.use_hand_of(worker):
                self.lost.add((content["reply_channel"], content["order"]))
            if self.hands is not None:
                for turn in self.hands[worker].turns.values():
                    keeper.discard(turn)
                self.hands[worker] = hand.pick_up()

    def lose(self, choice):
        """Lose a message on its way. The layer's loss is not the subject of the connect and the disconnect."""
        frames = [entry for entry in self.on_the_way if entry[0] == "websocket.receive"]
        if frames:
            entry = frames[choice % len(frames)]
            self.on_the_way.remove(entry)
            self.lost.add((entry[1]["reply_channel"], entry[1]["order"]))

    def duplicate(self, choice):
        """Deliver a message twice."""
        if self.on_the_way:
            channel, content = self.on_the_way[choice % len(self.on_the_way)]
            self.on_the_way.append((channel, dict(content)))

    def pass_time(self, seconds):
        """Let time pass for everybody, the living proving that they live; then look who waited too long."""
        turns = [turn for *_, turn in self.running.values()]
        turns += [turn for held in self.hands or () for turn in held.turns.values()]
        for turn in turns:
            turn.renew()
        self.clock.now += seconds
        self.is_harmed = self.is_harmed or self.clock.now >= 1000.0 + WAIT
        for turn in turns:
            turn.renew()
        self.use_hand_of(0)
        ordering._sweeps.pop(self.layer, None)
        ordering.check_overdue(self.layer)
        self.collect()

    def finish(self):
        """Let everybody work until there is nothing more to do."""
        for worker in list(self.running):
            self.end(worker, "well")
        for _ in range(4):
            while self.on_the_way or any(self.hands or ()):
                for worker in range(WORKERS):
                    self.take(worker, 0)
                    self.end(worker, "well")
            was_harmed = self.is_harmed
            self.pass_time(WAIT + 1)
            self.is_harmed = was_harmed or bool(self.lost)

    def interrupt(self, worker):
        """Let a worker end its consumer in the middle of another one's putting a message on a wait channel."""
        if isinstance(self.turns, LocalTurns):
            return
        send = self.layer.channel_layer.send

        def interrupted(channel, content):
            if channel.startswith("__wait__"):
                vars(self.layer).pop("send", None)
                self.end(worker, "well")
            send(channel, content)

        self.layer.send = interrupted

    def check(self):
        """What ran is a beginning of the messages, in order and without gap, and then the disconnect.

        Each found the session as the one before had left it. Nothing is missing unless the socket was closed for
        it, and only where something was lost.
        """
        for connection, ran in self.ran.items():
            lost = {order for name, order in self.lost if name == connection}
            frames = [order for order, channel in ran if channel != "websocket.disconnect"]
            ends = [order for order, channel in ran if channel == "websocket.disconnect"]
            story = f"{connection} ran {ran}, lost {lost}"
            assert frames == list(range(len(frames))), story
            assert ran[len(frames) :] == [(order, "websocket.disconnect") for order in ends], story
            last = self.last[connection]
            assert session_for_reply_channel(connection).get("count", 0) == self.counts[connection], story
            assert len(ends) == 1 or (not ends and last in lost), story
            if not self.is_harmed:
                assert len(frames) == last, story
                assert connection not in self.closed, story
            elif len(frames) < last and last not in lost:
                assert connection in self.closed or len(frames) == 0, story


def steps(*more):
    """Return lists of steps: mostly work, and what else is asked for."""
    work = (
        st.tuples(st.just("take"), st.integers(0, WORKERS - 1), st.integers(0, 30)),
        st.tuples(st.just("take"), st.integers(0, WORKERS - 1), st.integers(0, 30)),
        st.tuples(st.just("end"), st.integers(0, WORKERS - 1), st.sampled_from(["well", "well", "error", "later"])),
    )
    return st.lists(st.one_of(*work, *more), max_size=60)


FRAMES = st.lists(st.integers(0, 8), min_size=1, max_size=3)
INTERRUPTS = st.tuples(st.just("interrupt"), st.integers(0, WORKERS - 1))
# Less in all the steps together than anybody waits.
SHORT_TIMES = st.tuples(st.just("pass_time"), st.floats(0, WAIT / 100))
LONG_TIMES = st.tuples(st.just("pass_time"), st.floats(0, WAIT))
LOSSES = st.tuples(st.just("lose"), st.integers(0, 30))
DEATHS = st.tuples(st.just("die"), st.integers(0, WORKERS - 1))
DUPLICATES = st.tuples(st.just("duplicate"), st.integers(0, 30))

HARMLESS = steps(SHORT_TIMES, INTERRUPTS)
HARMFUL = steps(LONG_TIMES, INTERRUPTS, LOSSES, DEATHS)


def live(kind, frames, plan, has_hands=False):
    """Let a world go through a plan and to its end, and check it."""
    caches["default"].clear()
    vars(hand._local).pop("hand", None)
    world = World(kind, frames, has_hands)
    for name, *arguments in plan:
        getattr(world, name)(*arguments)
    world.finish()
    world.check()


@pytest.fixture(params=["local", "session"])
def kind(request, settings):
    """What decides turns."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    settings.CHANNELS_ORDERING_TIMEOUT = WAIT
    return request.param


lived = hypothesis.settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@lived
@given(frames=FRAMES, plan=HARMLESS, has_hands=st.booleans())
def test_any_interleaving_keeps_the_order(kind, frames, plan, has_hands):
    """Where nothing is lost all messages run, in order, once; no socket is closed."""
    live(kind, frames, plan, has_hands)


@lived
@given(frames=FRAMES, plan=HARMFUL, has_hands=st.booleans())
def test_losses_and_deaths_close_sockets_but_never_break_the_order(kind, frames, plan, has_hands):
    """What comes after a gap is dropped, the socket is closed, and its disconnect runs."""
    live(kind, frames, plan, has_hands)


@lived
@given(frames=FRAMES, plan=steps(SHORT_TIMES, DUPLICATES))
def test_duplicates_run_once(settings, frames, plan):
    """On a layer that decides turns itself, whenever the copy arrives."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    settings.CHANNELS_ORDERING_TIMEOUT = WAIT
    live("local", frames, plan)


@pytest.fixture
def redis_turns(redis_url, settings):
    """What decides turns on a Redis server."""
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    settings.CHANNELS_ORDERING_TIMEOUT = WAIT
    layer = RedisChannelLayer(hosts=[redis_url])
    yield layer.turns
    layer.close()


@hypothesis.settings(lived, max_examples=60)
@given(frames=FRAMES, plan=steps(DUPLICATES), has_hands=st.booleans())
def test_any_interleaving_keeps_the_order_on_redis(redis_turns, frames, plan, has_hands):
    """The scripts decide as the lines of one process do, copies included."""
    live(redis_turns, frames, plan, has_hands)


# The model must notice what it is there for


def let_early_messages_run(monkeypatch):
    """Break the counter: an order that is too high is as good as the next."""
    judge = Line.judge

    def broken(self, message, now):
        verdict = judge(self, message, now)
        return Verdict.RUN if verdict is Verdict.HELD and not self.is_running else verdict

    monkeypatch.setattr(Line, "judge", broken)


def let_two_run_at_once(monkeypatch):
    """Break the counter: it goes on when a consumer begins."""
    begin = Line.begin

    def broken(self, message, due):
        begin(self, message, due)
        self.next += 1
        self.is_running = False

    monkeypatch.setattr(Line, "begin", broken)


def stop_at_errors(monkeypatch):
    """Break the counter as 1.x did: a consumer that raises does not count."""
    end = TakenTurn.end

    def broken(self, message, error):
        if error is None:
            end(self, message, error)
        else:
            keeper.discard(self)

    monkeypatch.setattr(TakenTurn, "end", broken)


def forget_who_waits(monkeypatch):
    """Break the wake-up: what was kept is not handed out."""
    monkeypatch.setattr(Line, "_due_next", lambda self: [])
    monkeypatch.setattr(SessionTurns, "_take_waiting", lambda self, connection: [])


def trust_the_first_look(monkeypatch):
    """Break the wake-up in one place: do not look again after a message was put on the wait channel."""
    monkeypatch.setattr(SessionTurns, "_look_again", lambda self, connection, message: ())


@pytest.mark.parametrize(
    ("mutation", "kind"),
    [
        (let_early_messages_run, "local"),
        (let_early_messages_run, "session"),
        (let_two_run_at_once, "local"),
        (let_two_run_at_once, "session"),
        (stop_at_errors, "local"),
        (stop_at_errors, "session"),
        (forget_who_waits, "local"),
        (forget_who_waits, "session"),
        (trust_the_first_look, "session"),
    ],
    indirect=["kind"],
)
def test_model_notices_a_broken_counter(mutation, kind, monkeypatch):
    """Each way to break it is found."""
    mutation(monkeypatch)

    @hypothesis.settings(
        lived,
        max_examples=1000,
        phases=[hypothesis.Phase.generate],
        database=None,
        report_multiple_bugs=False,
        derandomize=True,
    )
    @given(frames=FRAMES, plan=HARMLESS)
    def attempt(frames, plan):
        live(kind, frames, plan)

    with pytest.raises(AssertionError, match=r"ran|began"):
        attempt()
