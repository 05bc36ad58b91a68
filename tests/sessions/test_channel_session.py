"""Channel sessions: found by the reply channel, read and written once, gone after the disconnect."""

import pytest
from django.contrib.sessions.models import Session
from django.core.management import call_command

from channels.exceptions import ConsumeLater
from channels.message import Message
from channels.session_stores import session_key
from channels.sessions import channel_session, session_for_reply_channel
from tests.support.connection import Connection, routes

REPLY = "websocket.send.process!socket"


def message(channel="websocket.receive", **content):
    """Return a message of a socket that no layer knows."""
    return Message({"reply_channel": REPLY, **content}, channel, object())


@channel_session
def remember(message):
    """Count the messages of a connection."""
    message.channel_session["count"] = message.channel_session.get("count", 0) + 1


def test_session_key_is_derived_from_the_reply_channel():
    """Two processes find the same session; the key fits into 32 characters."""
    key = session_for_reply_channel(REPLY).session_key
    assert key == session_key(REPLY)
    assert key.startswith("chn")
    assert len(key) == 32


def test_data_persists_across_messages(engine):
    """What one consumer stores the next one finds, on every engine."""
    remember(message())
    remember(message())
    assert session_for_reply_channel(REPLY)["count"] == 2


def test_key_survives_reading_a_session_that_is_not_stored(engine):
    """Engines reset the key of a session they do not hold; the derived one stays."""
    session = session_for_reply_channel(REPLY)
    assert session.get("count") is None
    assert session.session_key == session_key(REPLY)


def test_two_connections_do_not_share(engine):
    """Another reply channel leads to another session."""
    remember(message())
    assert "count" not in session_for_reply_channel("websocket.send.process!other")


def test_session_is_deleted_after_disconnect(engine):
    """Nothing of a connection stays behind."""
    remember(message())
    remember(message("websocket.disconnect"))
    assert not session_for_reply_channel(REPLY).exists(session_key(REPLY))


def test_session_of_disconnect_can_still_be_read_afterwards(engine):
    """Whoever holds the message after its consumer finds the data in it."""
    remember(message())
    last = message("websocket.disconnect")
    remember(last)
    assert last.channel_session["count"] == 2


def test_session_is_kept_when_the_project_says_so(db, settings):
    """CHANNELS_KEEP_CHANNEL_SESSIONS turns the deletion off."""
    settings.CHANNELS_KEEP_CHANNEL_SESSIONS = True
    remember(message("websocket.disconnect"))
    assert session_for_reply_channel(REPLY)["count"] == 1


def test_session_that_was_left_behind_goes_with_expired_ones(db, settings):
    """Where nobody saw the end of a socket, Django's ``clearsessions`` clears up."""
    remember(message())
    call_command("clearsessions")
    assert Session.objects.filter(pk=session_key(REPLY)).exists()
    settings.SESSION_COOKIE_AGE = -1
    remember(message())
    call_command("clearsessions")
    assert not Session.objects.filter(pk=session_key(REPLY)).exists()


def test_session_is_kept_when_the_disconnect_comes_again(db):
    """ConsumeLater brings the message back, and it needs its session."""

    @channel_session
    def later(message):
        raise ConsumeLater

    remember(message())
    with pytest.raises(ConsumeLater):
        later(message("websocket.disconnect"))
    assert session_for_reply_channel(REPLY)["count"] == 1


def test_session_is_saved_when_the_consumer_raises(db):
    """What was stored before the error is kept."""

    @channel_session
    def failing(message):
        message.channel_session["seen"] = True
        raise KeyError("room")

    with pytest.raises(KeyError):
        failing(message())
    assert session_for_reply_channel(REPLY)["seen"] is True


def test_unused_session_costs_no_query(django_assert_num_queries, db):
    """A consumer that does not look at its session does not pay for it."""

    @channel_session
    def idle(message):
        pass

    with django_assert_num_queries(0):
        idle(message())


def test_first_use_reads_and_inserts_once(django_assert_num_queries, db):
    """One SELECT, one INSERT, and the savepoint around it."""
    with django_assert_num_queries(4):
        remember(message())


def test_nested_decorators_read_and_write_once(django_assert_num_queries, db):
    """Three layers of decorators cost what one costs: SELECT, UPDATE, and the savepoint around it."""
    remember(message())
    with django_assert_num_queries(4):
        channel_session(channel_session(remember))(message())
    assert session_for_reply_channel(REPLY)["count"] == 2


def test_nested_decorator_leaves_the_session_open(db):
    """What the outer consumer changes after the inner one has ended is saved too."""

    @channel_session
    def outer(message):
        remember(message)
        message.channel_session["outer"] = True

    outer(message())
    assert dict(session_for_reply_channel(REPLY).items()) == {"count": 1, "outer": True}


def test_same_message_can_be_consumed_twice(db):
    """A message that is passed to a second consumer after the first is saved again."""
    same = message()
    remember(same)
    remember(same)
    assert session_for_reply_channel(REPLY)["count"] == 2


def test_concurrent_first_use_keeps_the_keys_of_both(engine):
    """Where two consumers store a new session at once, neither's data is lost."""

    @channel_session
    def first(message):
        message.channel_session["mine"] = 1
        other = session_for_reply_channel(REPLY)
        other["theirs"] = 2
        other.save()

    first(message())
    assert dict(session_for_reply_channel(REPLY).items()) == {"mine": 1, "theirs": 2}


def test_session_that_ended_meanwhile_stays_ended(engine):
    """A consumer that outlives the disconnect does not bring the session back."""

    @channel_session
    def slow(message):
        message.channel_session["count"] = 0
        session_for_reply_channel(REPLY).delete_stored()

    remember(message())
    slow(message())
    assert not session_for_reply_channel(REPLY).exists(session_key(REPLY))


def test_methods_are_decorated_like_functions(db):
    """The message may stand in the first or second position."""

    class Consumer:
        @channel_session
        def method(self, message):
            message.channel_session["count"] = 5

    Consumer().method(message())
    assert session_for_reply_channel(REPLY)["count"] == 5


def test_message_in_the_third_position_is_refused():
    """Only the first two positional arguments are looked at."""

    @channel_session
    def consumer(one, two, message):
        raise AssertionError("not reached")

    with pytest.raises(ValueError, match=r"^channel_session called without Message instance$"):
        consumer(1, 2, message())


def test_message_without_reply_channel_is_refused():
    """There is no connection that the session could belong to."""
    with pytest.raises(ValueError, match="No reply_channel sent to consumer; @channel_session can only be used"):
        remember(Message({}, "websocket.receive", object()))


@pytest.mark.parametrize("setting", ["SESSION_ENGINE", "CHANNEL_SESSION_ENGINE"])
def test_signed_cookies_are_refused(settings, setting):
    """A socket cannot set cookies; the error says what to set instead."""
    setattr(settings, setting, "django.contrib.sessions.backends.signed_cookies")
    with pytest.raises(ValueError, match="You cannot use channels session functionality with signed cookie sessions!"):
        session_for_reply_channel(REPLY)


def test_channel_session_engine_wins(settings, db):
    """Channel sessions may live elsewhere than those of visitors."""
    settings.CHANNEL_SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    remember(message())
    assert not Session.objects.exists()


def test_session_is_saved_before_the_replies_leave(db, monkeypatch):
    """Who reacts to a reply finds what the consumer stored."""
    found = []

    @channel_session
    def consumer(message):
        message.channel_session["room"] = "lobby"
        message.reply_channel.send({"text": "stored"})

    connection = Connection(routes(receive=consumer))
    send_batch = connection.layer.channel_layer.send_batch

    def spy(batch):
        found.append(session_for_reply_channel(connection.reply_channel).get("room"))
        return send_batch(batch)

    monkeypatch.setattr(connection.layer.channel_layer, "send_batch", spy)
    connection.receive("x")
    assert found == ["lobby"]


def test_flush_keeps_the_key(engine):
    """Django flushes a session whose login is stale; the connection still finds it by its name."""
    remember(message())
    session = session_for_reply_channel(REPLY)
    session.flush()
    session["after"] = True
    session.save()
    assert dict(session_for_reply_channel(REPLY).items()) == {"after": True}


def test_cycle_key_keeps_key_and_data(engine):
    """Django gives a session a new key when secrets rotate; no socket could be told."""
    remember(message())
    session = session_for_reply_channel(REPLY)
    session.cycle_key()
    session["count"] = 9
    session.save()
    assert session_for_reply_channel(REPLY)["count"] == 9


def test_create_refuses_a_stored_session(engine):
    """``create`` means that there is none yet."""
    from django.contrib.sessions.backends.base import CreateError

    remember(message())
    with pytest.raises(CreateError):
        session_for_reply_channel(REPLY).create()
