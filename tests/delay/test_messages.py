"""Delayed messages in the database: what they are, what is read into them, and how they leave it."""

import contextlib
import datetime
import json
import logging

import pytest
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from channels import counters
from channels.delay.models import DelayedMessage
from channels.delay.receiving import InvalidDelay, make_request, read_request
from channels.delay.sending import send_messages
from channels.exceptions import LayerUnavailable
from channels.layers.redis import RedisChannelLayer
from tests.support.connection import make_layer
from tests.support.processes import wait_for

HOUR_MS = 3_600_000


@pytest.fixture
def layer():
    """An in-memory layer; it keeps no marks."""
    return make_layer(capacity=5)


@pytest.fixture
def redis_layer(redis_url):
    """A layer that keeps marks."""
    layer = RedisChannelLayer(hosts=[redis_url])
    yield layer
    layer.close()


def put(channel="a", delay=-1000, **more):
    """Store a message."""
    content = more.pop("content", {"n": 1})
    text = content if isinstance(content, str) else json.dumps(content)
    return DelayedMessage.objects.create(channel_name=channel, content=text, delay=delay, **more)


def drain(layer, channel="a"):
    """Return what waits on a channel."""
    contents = []
    while (content := layer.receive([channel])[1]) is not None:
        contents.append(content)
    return contents


def try_again(layer):
    """Send what waits, due or not; return whether nothing waits any more."""
    with contextlib.suppress(LayerUnavailable):
        send_messages(layer, DelayedMessage.objects.all(), requeue_delay=HOUR_MS)
    return not DelayedMessage.objects.exists()


# The model


def test_delay_sets_the_due_date():
    """In milliseconds from now; also when the message is made."""
    message = DelayedMessage(channel_name="a", delay=90_000)
    assert abs(message.due_date - timezone.now() - datetime.timedelta(seconds=90)) < datetime.timedelta(seconds=30)
    assert 60_000 < message.delay <= 90_000


def test_is_due_finds_what_is_due(db):
    """And nothing else."""
    due = put(delay=-5)
    put(delay=HOUR_MS)
    assert list(DelayedMessage.objects.is_due()) == [due]


def test_content_that_json_cannot_carry_is_refused():
    """Bytes are none."""
    with pytest.raises(TypeError, match="bytes"):
        DelayedMessage().set_content({"a": b"x"})


# What is asked for

UNTIL_THE_LAST_DATE_MS = (datetime.datetime.max - timezone.now().replace(tzinfo=None)) / datetime.timedelta(
    milliseconds=1
)


@given(
    st.fixed_dictionaries(
        {
            "channel": st.from_regex(r"[a-z.]{1,20}", fullmatch=True),
            "content": st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text())),
            "delay": st.integers(0, 10**12) | st.floats(0, 10**12),
        }
    )
)
def test_request_is_read_and_made_again(request_):
    """A server that stops puts back what it could not store."""
    message = read_request(request_)
    again = make_request(message)
    assert (again["channel"], again["content"]) == (request_["channel"], request_["content"])
    assert again["delay"] <= request_["delay"] + 1
    assert read_request(again).content == message.content


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"channel": None}, "lacks channel"),
        ({"content": None, "delay": None}, "lacks content, delay"),
        ({"channel": "no channel"}, "Channel name"),
        ({"channel": 5}, "Channel"),
        ({"content": "text"}, "not a dict but str"),
        ({"content": {"a": b"x"}}, "cannot be kept as JSON"),
        ({"delay": -1}, "delay is not a number"),
        ({"delay": "5"}, "delay is not a number"),
        ({"delay": True}, "delay is not a number"),
        ({"delay": float("nan")}, "delay is not a number"),
        ({"delay": float("inf")}, "too long"),
        ({"delay": 10**30}, "too long"),
        ({"delay": UNTIL_THE_LAST_DATE_MS - 10**7}, "too long"),
    ],
)
def test_bad_request_says_what_is_wrong(change, text):
    """One thing after the other."""
    content = {"channel": "a", "content": {}, "delay": 5, **change}
    content = {key: value for key, value in content.items() if value is not None}
    with pytest.raises(InvalidDelay, match=text):
        read_request(content)


# Sending


def test_due_messages_are_sent_and_deleted(db, layer):
    """Those due first come first."""
    for number in (3, 1, 2):
        put(delay=-10_000 + number * 1000, content={"n": number})
    assert send_messages(layer, DelayedMessage.objects.is_due()) == 3
    assert [content["n"] for content in drain(layer)] == [1, 2, 3]
    assert not DelayedMessage.objects.exists()


def test_message_to_a_full_channel_is_put_off(db, layer):
    """By a second, as ever; others leave."""
    for _ in range(6):
        put()
    put(channel="b")
    before = counters.value("message.delayed.channel_full")
    send_messages(layer, DelayedMessage.objects.is_due())
    (left,) = DelayedMessage.objects.all()
    assert 0 < left.delay <= 1000
    assert (len(drain(layer)), len(drain(layer, "b"))) == (5, 1)
    assert counters.value("message.delayed.channel_full") == before + 1


@pytest.mark.parametrize("content", ["{", "[]", '"text"', "null"])
def test_row_that_is_no_message_is_dropped(db, layer, content, caplog):
    """Logged and counted; the others leave."""
    put(content=content)
    put(content={"n": 2})
    before = counters.value("message.dropped.delayed_invalid")
    send_messages(layer, DelayedMessage.objects.is_due())
    assert drain(layer) == [{"n": 2}]
    assert not DelayedMessage.objects.exists()
    assert counters.value("message.dropped.delayed_invalid") == before + 1
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_row_for_no_channel_is_dropped(db, layer):
    """Rows of 1.x may name one that layers do not take."""
    put(channel="no channel")
    assert send_messages(layer, DelayedMessage.objects.is_due()) == 1
    assert not DelayedMessage.objects.exists()


def test_message_that_the_layer_refuses_is_dropped(db, redis_layer, caplog):
    """It would be refused for ever."""
    put(content={"big": "x" * (17 * 1024 * 1024)})
    before = counters.value("message.dropped.delayed_refused")
    send_messages(redis_layer, DelayedMessage.objects.is_due())
    assert not DelayedMessage.objects.exists()
    assert counters.value("message.dropped.delayed_refused") == before + 1
    assert "cannot be sent" in caplog.text


def test_message_that_a_layer_of_others_fails_to_send_is_put_off(db, layer, monkeypatch):
    """The error says nothing of the message; those before and after it leave, once."""
    for n in range(3):
        put(content={"n": n})
    send = layer.channel_layer.send

    def flaky(channel, content):
        if content["n"] == 1:
            raise OSError("no route to host")
        send(channel, content)

    monkeypatch.setattr(layer, "send", flaky)
    send_messages(layer, DelayedMessage.objects.is_due())
    assert drain(layer) == [{"n": 0}, {"n": 2}]
    (left,) = DelayedMessage.objects.all()
    assert json.loads(left.content) == {"n": 1}
    assert left.delay > 0


def test_lost_layer_leaves_the_messages(transactional_db, layer, monkeypatch):
    """They are sent when it is back."""

    def fail(batch):
        raise LayerUnavailable("gone")

    put()
    monkeypatch.setattr(layer, "send_batch", fail, raising=False)
    with pytest.raises(LayerUnavailable):
        send_messages(layer, DelayedMessage.objects.is_due())
    assert DelayedMessage.objects.count() == 1


def test_message_to_a_lost_server_waits_for_it(transactional_db, redis_server, own_redis):
    """Those of the other server leave; what waits is known again, whatever its time is by then."""
    layer = RedisChannelLayer(hosts=[redis_server.url, own_redis.url])
    for number in range(20):
        put(content={"n": number})
    own_redis.stop()
    before = counters.value("message.delayed.unavailable")
    assert send_messages(layer, DelayedMessage.objects.is_due()) == 20
    left = DelayedMessage.objects.count()
    assert 0 < left < 20
    assert not DelayedMessage.objects.is_due().exists()
    assert counters.value("message.delayed.unavailable") == before + left
    own_redis.start()
    wait_for(lambda: try_again(layer), "the lost server is used again", 60)
    contents = drain(layer)
    layer.close()
    assert sorted(content["n"] for content in contents) == list(range(20))


def test_message_put_off_after_it_was_sent_is_known(transactional_db, redis_layer):
    """A server died after the send; somebody then changed the time, or it was put off."""
    message = put()
    with contextlib.suppress(RuntimeError), transaction.atomic():
        send_messages(redis_layer, DelayedMessage.objects.is_due())
        raise RuntimeError
    message.delay = -HOUR_MS
    message.save()
    assert send_messages(redis_layer, DelayedMessage.objects.is_due()) == 1
    assert len(drain(redis_layer)) == 1


def test_message_of_a_server_that_died_after_the_send(transactional_db, redis_layer):
    """The row is there still; the layer knows that it was sent."""
    put()
    with contextlib.suppress(RuntimeError), transaction.atomic():
        send_messages(redis_layer, DelayedMessage.objects.is_due())
        raise RuntimeError
    assert DelayedMessage.objects.count() == 1
    assert send_messages(redis_layer, DelayedMessage.objects.is_due()) == 1
    assert drain(redis_layer) == [{"n": 1}]
    assert not DelayedMessage.objects.exists()


def test_messages_that_say_the_same_are_two(transactional_db, redis_layer):
    """Also when the table was emptied and counts from 1 again."""
    put()
    put()
    send_messages(redis_layer, DelayedMessage.objects.is_due())
    put(pk=1)
    send_messages(redis_layer, DelayedMessage.objects.is_due())
    assert drain(redis_layer) == [{"n": 1}] * 3


def test_mark_is_forgotten_in_time(transactional_db, redis_layer):
    """A mark for each message ever sent would fill the server."""
    put(mark="stream:1")
    send_messages(redis_layer, DelayedMessage.objects.is_due())
    (key,) = redis_layer.connection(0).keys("*:once:*")
    assert 0 < redis_layer.connection(0).ttl(key) <= 3600


def test_mark_of_what_may_be_tried_again_is_kept(transactional_db, redis_layer):
    """The row of 1.x that was found full, and is put off, gets one that stays the same."""
    for _ in range(100):
        redis_layer.send("a", {})
    put(mark=None)
    send_messages(redis_layer, DelayedMessage.objects.is_due())
    (message,) = DelayedMessage.objects.all()
    assert len(message.mark) == 64
    assert redis_layer.connection(0).keys("*:once:*") == []


def test_message_can_be_sent_by_hand(db, layer):
    """Before it is due; a second time does nothing."""
    message = put(delay=HOUR_MS)
    message.send(channel_layer=layer)
    message.send(channel_layer=layer)
    assert drain(layer) == [{"n": 1}]


def test_message_sent_by_hand_is_put_off(db, layer):
    """By as much as the caller says."""
    for _ in range(5):
        layer.send("a", {})
    message = put()
    message.send(channel_layer=layer, requeue_delay=HOUR_MS)
    message.refresh_from_db()
    assert message.delay > HOUR_MS / 2


def test_two_servers_take_different_messages(transactional_db, layer):
    """Where the database has locks, one does not wait for the other."""
    if not connection.features.has_select_for_update_skip_locked:
        pytest.skip("needs row locks; runs on PostgreSQL")
    import threading

    for number in range(4):
        put(content={"n": number})
    counts = []

    def other():
        counts.append(send_messages(layer, DelayedMessage.objects.is_due()))
        connection.close()

    with transaction.atomic():
        assert send_messages(layer, DelayedMessage.objects.is_due(), limit=2) == 2
        thread = threading.Thread(target=other)
        thread.start()
        thread.join(60)
    assert counts == [2]
    assert sorted(content["n"] for content in drain(layer)) == [0, 1, 2, 3]


def test_log_of_a_drop_names_the_channel(db, layer, caplog):
    """Who reads it knows where to look."""
    put(channel="emails", content="{")
    with caplog.at_level(logging.ERROR, "django.channels"):
        send_messages(layer, DelayedMessage.objects.is_due())
    assert "emails" in caplog.text
