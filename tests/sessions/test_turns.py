"""Turns: one contract for what decides them in a process, on Redis and in session records."""

import pytest

from channels import session_turns
from channels.layers.inmemory import ChannelLayer
from channels.layers.ipc import IPCChannelLayer
from channels.layers.local_turns import LocalTurns
from channels.layers.redis import RedisChannelLayer
from channels.layers.turns import Early, Ended, NextStep, Verdict
from channels.session_turns import SessionTurns

WAIT = 10.0
A, B = "websocket.send.process!a", "websocket.send.process!b"


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


class LocalSubject:
    """The turns of one process, whose holder cannot die alone."""

    dies_alone = False

    def __init__(self):
        self.clock = Clock()
        self.turns = LocalTurns(clock=self.clock)

    def pass_time(self, seconds):
        self.clock.now += seconds


class SessionSubject:
    """Session records and the wait channels of a layer."""

    dies_alone = True

    def __init__(self):
        self.clock = Clock()
        self.turns = SessionTurns(ChannelLayer(capacity=1000), clock=self.clock)

    def pass_time(self, seconds):
        self.clock.now += seconds


class RedisSubject:
    """A Redis server. Its clock cannot be set, so what is due is moved into the past."""

    dies_alone = True

    def __init__(self, url):
        self.layer = RedisChannelLayer(hosts=[url])
        self.turns = self.layer.turns

    def pass_time(self, seconds):
        client = self.layer.connection(0)
        for name, due in client.zrange("asgi::turns", 0, -1, withscores=True):
            client.zadd("asgi::turns", {name: due - seconds * 1000})
        for key in client.scan_iter("asgi::turn:*"):
            due = client.hget(key, "due")
            if due:
                client.hset(key, "due", round(float(due) - seconds * 1000))
        client.close()


class IPCSubject:
    """A file that processes share."""

    dies_alone = True

    def __init__(self, directory):
        self.clock = Clock()
        self.layer = IPCChannelLayer(directory=directory)
        self.layer.clock = self.clock
        self.turns = self.layer.turns

    def pass_time(self, seconds):
        self.clock.now += seconds


@pytest.fixture(params=["local", "session", "redis", "ipc"])
def subject(request):
    """Each implementation in turn."""
    if request.param == "ipc":
        made = IPCSubject(request.getfixturevalue("tmp_path") / "place")
        yield made
        made.layer.close()
    elif request.param == "local":
        yield LocalSubject()
    elif request.param == "session":
        request.getfixturevalue("db")
        yield SessionSubject()
    else:
        made = RedisSubject(request.getfixturevalue("redis_url"))
        yield made
        made.layer.close()


@pytest.fixture
def turns(subject):
    """What decides turns."""
    return subject.turns


def receive(order, **content):
    """Return a frame."""
    return Early("websocket.receive", {"order": order, "text": f"frame {order}", **content})


def connect(order=0):
    """Return a connect message."""
    return Early("websocket.connect", {"order": order})


def disconnect(order):
    """Return a disconnect message."""
    return Early("websocket.disconnect", {"order": order, "code": 1000})


def take(turns, message, connection=A, limit=100):
    """Ask for a turn."""
    return turns.take(connection, message, WAIT, limit)


def ask(turns, message, connection=A, limit=100):
    """Ask for a turn that releases nobody else; return the verdict."""
    verdict, released = take(turns, message, connection, limit)
    assert not released
    return verdict


def end(turns, message, connection=A, next_step=NextStep.LET_GO, first=None):
    """End a turn that is not passed on; return the orders of the messages whose turn has come."""
    released, is_passed_on = turns.end(connection, message, WAIT, next_step, first)
    assert not is_passed_on
    if isinstance(turns, SessionTurns):
        # It gives back all it kept; those that are still early are kept again when they are run.
        order = message.order + (next_step is not NextStep.AGAIN)
        due = []
        for early in released:
            if early.order == order + len(due) or early.is_last:
                due.append(early)
            else:
                expected = Verdict.HELD if early.order > order else Verdict.DROPPED
                assert ask(turns, early, connection) is expected
        released = due
    return [early.order for early in released]


def ended(turns, connection, message, wait, next_step, first=None):
    """End a turn; return the released messages and whether it was passed on."""
    released, is_passed_on = turns.end(connection, message, wait, next_step, first)
    return list(released), is_passed_on


def run(turns, *messages, connection=A):
    """Take and end the turn of each message, none of which releases another."""
    for message in messages:
        assert ask(turns, message, connection) is Verdict.RUN
        assert end(turns, message, connection) == []


def test_messages_in_order_run(turns):
    """The usual case: nobody waits."""
    run(turns, connect(), receive(1), receive(2), disconnect(3))


def test_early_message_is_kept_and_comes_back(turns):
    """Content and channel are those that were kept."""
    early = receive(1, bytes=b"\x00", nested={"a": [1, None]})
    assert ask(turns, connect()) is Verdict.RUN
    assert ask(turns, early) is Verdict.HELD
    assert turns.end(A, connect(), WAIT) == Ended([early])
    assert ask(turns, early) is Verdict.RUN


def test_kept_messages_come_back_in_order_up_to_the_gap(turns):
    """Those behind a gap stay, or are kept again when they are run."""
    run(turns, connect())
    for order in (4, 3, 6):
        assert ask(turns, receive(order)) is Verdict.HELD
    run(turns, receive(1))
    assert ask(turns, receive(2)) is Verdict.RUN
    assert end(turns, receive(2)) == [3, 4]


def test_message_waits_while_the_one_before_runs(turns):
    """The end of a turn counts, not its beginning."""
    assert ask(turns, connect()) is Verdict.RUN
    assert ask(turns, receive(1)) is Verdict.HELD


def test_connections_do_not_wait_for_each_other(turns):
    """Each has a line of its own."""
    assert ask(turns, connect(), A) is Verdict.RUN
    assert ask(turns, connect(), B) is Verdict.RUN


def test_receive_begins_where_connects_are_not_ordered(turns):
    """Order 1 proves that the socket was accepted."""
    run(turns, receive(1), receive(2))


def test_disconnect_waits_for_its_connect(turns):
    """A handshake given up by the client: both messages wait for workers, in no order."""
    assert ask(turns, disconnect(1)) is Verdict.HELD
    assert ask(turns, connect()) is Verdict.RUN
    assert end(turns, connect()) == [1]


def test_duplicate_of_what_ran_is_dropped(turns):
    """Each order runs once."""
    run(turns, connect(), receive(1))
    assert ask(turns, receive(1)) is Verdict.DROPPED
    assert ask(turns, connect()) is Verdict.DROPPED


def test_duplicate_of_what_runs_is_dropped_when_it_has_run(turns):
    """While its twin runs nobody knows how that ends."""
    assert ask(turns, receive(1)) is Verdict.RUN
    assert ask(turns, receive(1)) is Verdict.HELD
    end(turns, receive(1))
    assert ask(turns, receive(1)) is Verdict.DROPPED


def test_kept_copy_of_what_ran_is_forgotten(subject, turns):
    """Nobody waits for it, so the connection is not given up for it."""
    assert ask(turns, receive(1)) is Verdict.RUN
    ask(turns, receive(1))
    end(turns, receive(1))
    subject.pass_time(WAIT + 1)
    assert list(turns.stalled(WAIT)) == []
    run(turns, receive(2))


def test_message_that_comes_again_keeps_its_place(turns):
    """A turn that ends without advance is given again, and the next order still waits."""
    assert ask(turns, receive(1)) is Verdict.RUN
    end(turns, receive(1), next_step=NextStep.AGAIN)
    assert ask(turns, receive(2)) is Verdict.HELD
    assert ask(turns, receive(1)) is Verdict.RUN
    assert end(turns, receive(1)) == [2]


def test_one_turn_may_run_several_messages(turns):
    """A worker that has the next messages in hand tells nobody before they have run."""
    run(turns, connect())
    assert ask(turns, receive(1)) is Verdict.RUN
    ask(turns, receive(4))
    assert end(turns, receive(3), first=1) == [4]
    assert ask(turns, receive(3)) is Verdict.DROPPED
    run(turns, receive(4))


def test_one_turn_may_end_before_a_message_that_comes_again(turns):
    """Those before it have run."""
    assert ask(turns, receive(1)) is Verdict.RUN
    assert end(turns, receive(3), first=1, next_step=NextStep.AGAIN) == []
    assert ask(turns, receive(2)) is Verdict.DROPPED
    run(turns, receive(3))


def test_turn_passes_on_to_a_released_message(subject, turns):
    """Only a worker that runs it at once asks for that."""
    if isinstance(turns, SessionTurns):  # Records let go; the message asks for its turn when it is run.
        return
    assert ask(turns, receive(1)) is Verdict.RUN
    for order in (2, 3, 5):
        ask(turns, receive(order))
    released, is_passed_on = turns.end(A, receive(1), WAIT, NextStep.RUN_RELEASED)
    assert ([message.order for message in released], is_passed_on) == ([2, 3], True)
    assert ask(turns, receive(2)) is Verdict.HELD
    assert end(turns, receive(3), first=2) == []
    assert ask(turns, receive(4)) is Verdict.RUN
    assert end(turns, receive(4)) == [5]


def test_nothing_to_pass_on_lets_go(turns):
    """The next message is somewhere else, and so is its turn."""
    assert ask(turns, receive(1)) is Verdict.RUN
    assert ended(turns, A, receive(1), WAIT, NextStep.RUN_RELEASED) == ([], False)
    assert ask(turns, receive(2)) is Verdict.RUN


def test_last_message_passes_nothing_on(turns):
    """The connection has ended."""
    assert ask(turns, receive(1)) is Verdict.RUN
    assert ended(turns, A, disconnect(1), WAIT, NextStep.RUN_RELEASED, 1) == ([], False)
    run(turns, connect(), disconnect(1), connection=B)


def test_messages_after_the_last_are_dropped(turns):
    """A connection that ended does not begin anew."""
    run(turns, connect(), disconnect(1))
    if not isinstance(turns, SessionTurns):  # A record is deleted with its connection.
        assert ask(turns, receive(1)) is Verdict.DROPPED
        assert ask(turns, disconnect(1)) is Verdict.DROPPED


def test_patience_ends(subject, turns):
    """A gap that does not fill: the connection is given up once, and what waits is dropped."""
    run(turns, connect())
    ask(turns, receive(2))
    ask(turns, receive(3))
    assert list(turns.stalled(WAIT)) == []
    subject.pass_time(WAIT + 1)
    assert [tuple(stalled) for stalled in turns.stalled(WAIT)] == [(A, 1, [], 2)]
    assert list(turns.stalled(WAIT)) == []
    assert ask(turns, receive(1)) is Verdict.DROPPED


def test_last_message_runs_although_one_was_lost(subject, turns):
    """What the others began must be ended; kept or yet to come, the disconnect runs."""
    run(turns, connect())
    ask(turns, receive(2))
    ask(turns, disconnect(3))
    subject.pass_time(WAIT + 1)
    ((connection, missing, released, dropped),) = turns.stalled(WAIT)
    assert (connection, missing, [message.order for message in released], dropped) == (A, 1, [3], 1)
    run(turns, disconnect(3))


def test_last_message_that_comes_later_runs_too(subject, turns):
    """The close of the socket makes it."""
    run(turns, connect())
    ask(turns, receive(2))
    subject.pass_time(WAIT + 1)
    turns.stalled(WAIT)
    run(turns, disconnect(9))


def test_disconnect_without_a_connect_runs_in_the_end(subject, turns):
    """Where connects are not ordered and nothing was received, nothing is known to be lost."""
    ask(turns, disconnect(1))
    subject.pass_time(WAIT + 1)
    ((_, missing, released, dropped),) = turns.stalled(WAIT)
    assert (missing, [message.order for message in released], dropped) == (None, [1], 0)
    run(turns, disconnect(1))


def test_patience_starts_anew_with_progress(subject, turns):
    """What counts is how long nothing has moved."""
    run(turns, connect())
    ask(turns, receive(3))
    subject.pass_time(WAIT - 1)
    run(turns, receive(1))
    subject.pass_time(WAIT - 1)
    turns.stalled(WAIT)
    assert ask(turns, receive(2)) is Verdict.RUN
    assert end(turns, receive(2)) == [3]


def test_idle_connection_is_left_alone(subject, turns):
    """Nobody waits, so nobody waits too long."""
    ask(turns, connect())
    ask(turns, receive(1))
    end(turns, connect())
    run(turns, receive(1))
    for _ in range(3):
        subject.pass_time(WAIT + 1)
        assert list(turns.stalled(WAIT)) == []
    run(turns, receive(2))


def test_running_consumer_is_waited_for(subject, turns):
    """A consumer may take long, as long as somebody says that it lives."""
    ask(turns, receive(1))
    ask(turns, receive(2))
    for _ in range(3):
        subject.pass_time(WAIT - 1)
        turns.renew(A, receive(1), WAIT)
        assert list(turns.stalled(WAIT)) == []
    assert end(turns, receive(1)) == [2]


def test_dead_consumer_is_not_waited_for(subject, turns):
    """A worker that was killed renews nothing; its message is lost and the connection given up."""
    if not subject.dies_alone:
        return
    ask(turns, receive(1))
    ask(turns, receive(2))
    subject.pass_time(WAIT + 1)
    assert [(stalled.missing, stalled.dropped) for stalled in turns.stalled(WAIT)] == [(1, 1)]


def test_end_after_giving_up_changes_nothing(subject, turns):
    """The worker was not dead after all; its connection is."""
    if not subject.dies_alone:
        return
    ask(turns, receive(1))
    ask(turns, receive(2))
    subject.pass_time(WAIT + 1)
    turns.stalled(WAIT)
    assert end(turns, receive(1)) == []
    assert ask(turns, receive(2)) is Verdict.DROPPED


def test_too_many_early_messages_give_the_connection_up(turns):
    """At the limit nothing happens; one more is too many."""
    if isinstance(turns, SessionTurns):  # There the capacity of the wait channel is the limit.
        turns._layer.channel_capacity = turns._layer.compile_capacities({"__wait__.*": 3})
    run(turns, connect())
    for order in (2, 3, 4):
        assert ask(turns, receive(order), limit=3) is Verdict.HELD
    assert ask(turns, receive(5), limit=3) is Verdict.FULL
    assert ask(turns, receive(1)) is Verdict.DROPPED
    run(turns, disconnect(6))


def test_last_message_does_not_run_beside_another(turns):
    """A connection that is given up while a consumer runs ends after it."""
    if isinstance(turns, SessionTurns):
        turns._layer.channel_capacity = turns._layer.compile_capacities({"__wait__.*": 2})
    run(turns, connect())
    assert ask(turns, receive(1)) is Verdict.RUN
    for order in (3, 4):
        ask(turns, receive(order), limit=2)
    assert ask(turns, receive(5), limit=2) is Verdict.FULL
    assert ask(turns, disconnect(6)) is Verdict.HELD
    assert end(turns, receive(1)) == [6]
    run(turns, disconnect(6))


def test_all_is_forgotten_with_the_connections():
    """A process that serves for months does not collect lines."""
    clock = Clock()
    turns = LocalTurns(expiry=100, clock=clock)
    for number in range(50):
        run(turns, connect(), disconnect(1), connection=f"r!{number}")
        run(turns, connect(), connection=f"idle!{number}")
    clock.now += 101
    turns.stalled(WAIT)
    assert (turns._lines, turns._ended, turns._waiting) == ({}, {}, set())


def test_records_are_deleted_with_their_connections(db):
    """Session tables do not fill up with counters."""
    from django.contrib.sessions.models import Session

    run(SessionSubject().turns, connect(), receive(1), disconnect(2))
    assert not Session.objects.exists()


def test_keys_on_redis_expire(redis_url):
    """Whatever happens, nothing stays for ever."""
    subject = RedisSubject(redis_url)
    run(subject.turns, connect())
    ask(subject.turns, receive(2))
    client = subject.layer.connection(0)
    lives = {key: client.ttl(key) for key in client.scan_iter("asgi*turn*")}
    client.close()
    subject.layer.close()
    assert len(lives) == 2
    assert all(0 < seconds <= 86_400 for seconds in lives.values())


@pytest.mark.parametrize("keys", [None, ["secret"]])
def test_kept_messages_on_redis_are_encrypted_as_others_are(redis_url, keys):
    """A layer with encryption leaves no content readable."""
    layer = RedisChannelLayer(hosts=[redis_url], symmetric_encryption_keys=keys)
    ask(layer.turns, receive(2))
    client = layer.connection(0)
    stored = client.hget(f"asgi::turn:{A}", "e2")
    client.close()
    layer.close()
    assert (b"frame 2" in stored) is (keys is None)


def test_lines_are_spread_over_shards(newest_redis, oldest_redis):
    """Several servers share the interface processes; each is asked who of their connections waits too long."""
    newest_redis.flush()
    oldest_redis.flush()
    layer = RedisChannelLayer(hosts=[newest_redis.url, oldest_redis.url])
    connections = [f"websocket.send.process{number}!a" for number in range(30)]
    for connection in connections:
        run(layer.turns, connect(), connection=connection)
        ask(layer.turns, receive(2), connection)
    stalled = []
    for shard in (0, 1):
        client = layer.connection(shard)
        waiting = client.zrange("asgi::turns", 0, -1)
        assert 0 < len(waiting) < 30
        client.zadd("asgi::turns", dict.fromkeys(waiting, 0))
        client.close()
    stalled = [entry.connection for entry in layer.turns.stalled(WAIT)]
    layer.close()
    assert sorted(stalled) == sorted(connections)


def test_record_that_cannot_be_read_is_looked_at_again(db, monkeypatch):
    """The connection that waits in vain is given up when its engine is back."""
    subject = SessionSubject()
    assert ask(subject.turns, receive(5)) is Verdict.HELD
    subject.pass_time(WAIT + 1)
    with monkeypatch.context() as broken:
        broken.setattr(session_turns, "_read", lambda connection: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            subject.turns.stalled(WAIT)
    subject.pass_time(WAIT + 1)
    assert [stalled.connection for stalled in subject.turns.stalled(WAIT)] == [A]
