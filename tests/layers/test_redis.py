"""What only the Redis layer promises: its options, its keys, what several processes see."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from channels import counters
from channels.exceptions import ChannelFull, UnsupportedRedis
from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer, codec
from channels.layers.redis.copies import RECEIVERS_PER_ENTRY
from channels.layers.redis.sending import ITEMS_PER_CALL
from channels.layers.redis.shards import Moment, ServerClock, read_handshake
from channels.layers.redis.statistics import QUEUES_PER_STEP
from channels.layers.turns import Early
from tests.support.layers import making
from tests.support.redis import RedisServer


@pytest.fixture
def make_layer(redis_url: str) -> Iterator[Any]:
    """A function that makes layers on one empty server."""
    with making(RedisChannelLayer, hosts=[redis_url]) as make:
        yield make


@pytest.fixture
def layer(make_layer: Any) -> RedisChannelLayer:
    """A layer on an empty server."""
    return make_layer()


# Options


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"hosts": "redis://localhost"}, "must be specified as an iterable list of hosts."),
        ({"hosts": []}, "at least one host"),
        ({"hosts": [7]}, "a URL or a pair of host and port, not int"),
        ({"hosts": ["localhost:6379"]}, "scheme"),
        ({"connection_kwargs": {"socket_timeout": 4}}, "The socket timeout must be at least 5 seconds"),
        ({"symmetric_encryption_keys": "secret"}, "must be a list of possible keys"),
    ],
)
def test_option_that_makes_no_sense_is_refused(config: dict[str, Any], message: str) -> None:
    """The error says which option and what it should be."""
    with pytest.raises(ValueError, match=message):
        RedisChannelLayer(**config)


def test_prefix_must_be_text() -> None:
    """1.x asks for this exception."""
    with pytest.raises(AssertionError, match="Prefix must be unicode"):
        RedisChannelLayer(prefix=b"asgi:")  # type: ignore[arg-type]


def test_hosts_may_be_pairs_and_urls() -> None:
    """Both spellings of 1.x are understood; the default is the local machine."""
    layer = RedisChannelLayer(hosts=[("one", 1), "redis://two:2/3"])
    assert str(layer) == "RedisChannelLayer(hosts=['redis://one:1/0', 'redis://two:2/3'])"
    assert str(RedisChannelLayer()) == "RedisChannelLayer(hosts=['redis://localhost:6379/0'])"


def test_str_hides_the_password() -> None:
    """What is logged must not give secrets away."""
    layer = RedisChannelLayer(hosts=["redis://user:secret@host:1/0", "rediss://:secret@host:2/0"])
    assert "secret" not in str(layer)
    assert "redis://user:***@host:1/0" in str(layer)


def test_password_of_the_url_is_used_by_threads_and_event_loops(own_redis: RedisServer) -> None:
    """There is one way to connect, so both know the password and the database."""
    with own_redis.client() as client:
        client.config_set("requirepass", "secret")
    layer = RedisChannelLayer(hosts=[f"{own_redis.url}?password=secret&db=3"])

    async def main() -> None:
        await layer.asend("test", {"n": 1})
        await layer.aclose()

    import asyncio

    asyncio.run(main())
    assert layer.receive(["test"]) == ("test", {"n": 1})
    layer.close()


def test_connection_is_a_client_of_its_shard(layer: RedisChannelLayer) -> None:
    """Projects of 1.x use it to look into the server."""
    assert layer.connection(0).ping()
    assert layer.connection(None).ping()
    with pytest.raises(ValueError, match=re.escape("There are only 1 hosts - you asked for 1!")):
        layer.connection(1)


# Keys


def test_every_key_expires(layer: RedisChannelLayer) -> None:
    """Whatever is left behind goes away by itself."""
    layer.send("test", {})
    layer.send("test.p!one", {})
    layer.group_add("group", "test.q!one")
    layer.send_group("group", {})
    layer.channel_statistics("test")
    client = layer.connection(0)
    keys = client.keys("*")
    assert sorted(keys) == [
        b"asgi-meta:#global#",
        *[b"asgi-meta:" + queue for queue in (b"test", b"test.p!", b"test.q!")],
        b"asgi::alive:test.q!",
        b"asgi::group:group",
        *[b"asgi:" + queue for queue in (b"test", b"test.p!", b"test.q!")],
    ]
    assert [key for key in keys if client.pttl(key) <= 0] == []


def test_read_channels_leave_no_keys(layer: RedisChannelLayer) -> None:
    """A queue that was emptied costs nothing."""
    for number in range(50):
        layer.send(f"test.body?{number}", {})
        layer.receive([f"test.body?{number}"])
    assert layer.connection(0).keys("asgi:*") == []


def test_projects_with_different_prefixes_do_not_meet(make_layer: Any) -> None:
    """Several projects may share a server, and flush apart."""
    one, two = make_layer(prefix="one*:"), make_layer(prefix="one-two:")
    one.send("test", {"n": 1})
    two.send("test", {"n": 2})
    one.flush()
    assert one.receive(["test"]) == (None, None)
    assert two.receive(["test"]) == ("test", {"n": 2})


def test_message_is_one_entry_of_a_list(layer: RedisChannelLayer) -> None:
    """The body travels with its place in the queue: no key of its own."""
    layer.send("test", {"text": "hello"})
    assert layer.connection(0).keys("asgi:*") == [b"asgi:test"]
    assert layer.connection(0).llen("asgi:test") == 1


# Groups


def test_group_message_is_cut_into_entries_of_bounded_size(make_layer: Any) -> None:
    """Many members on one queue share entries, but not without limit; each gets the message once."""
    layer = make_layer(capacity=100)
    members = {f"test.p!{number}" for number in range(2 * RECEIVERS_PER_ENTRY + 1)}
    for member in members:
        layer.group_add("group", member)
    layer.send_group("group", {"n": 1})
    deliveries = layer.receive_batch(["test.p!"], limit=100)
    assert [len(d.channels) for d in deliveries] == [RECEIVERS_PER_ENTRY, RECEIVERS_PER_ENTRY, 1]
    assert sorted(channel for d in deliveries for channel in d.channels) == sorted(members)


def test_member_that_is_full_is_counted(make_layer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Members that were left out are counted, each of them."""
    layer = make_layer(capacity=1)
    for channel in ("test.p!one", "test.p!two", "test.a"):
        layer.group_add("group", channel)
    layer.send("test.p!other", {})
    before = counters.value("message.dropped.member_full")
    layer.send_group("group", {})
    assert counters.value("message.dropped.member_full") == before + 2
    assert "Group group: 2 members did not get a message" in caplog.text


# Batches


def test_long_batch_keeps_its_order_over_several_calls(make_layer: Any) -> None:
    """A batch longer than one script call arrives whole, and a refusal holds for the rest of it."""
    layer = make_layer(capacity=ITEMS_PER_CALL + 10)
    total = 2 * ITEMS_PER_CALL
    outcomes = layer.send_batch([Outgoing("test", {"n": number}) for number in range(total)])
    assert [outcome is None for outcome in outcomes] == [number < ITEMS_PER_CALL + 10 for number in range(total)]
    received = layer.receive_batch(["test"], limit=total)
    assert [d.content["n"] for d in received] == list(range(ITEMS_PER_CALL + 10))


def test_big_batch_is_sent(layer: RedisChannelLayer) -> None:
    """Megabytes are cut into several calls."""
    outcomes = layer.send_batch([Outgoing("test", {"n": n, "bytes": b"x" * 1_500_000}) for n in range(8)])
    assert outcomes == [None] * 8
    assert [layer.receive(["test"])[1]["n"] for _ in range(8)] == list(range(8))  # type: ignore[index]


def test_refusal_holds_across_group_messages(make_layer: Any) -> None:
    """After a refusal nothing overtakes: later items for the channel are refused, too."""
    layer = make_layer(capacity=1)
    layer.group_add("group", "test.other")
    outcomes = layer.send_batch(
        [
            Outgoing("test", {"n": 1}),
            Outgoing("test", {"n": 2}),
            Outgoing("group", {"n": 3}, to_group=True),
            Outgoing("test", {"n": 4}),
        ]
    )
    assert [type(outcome) for outcome in outcomes] == [type(None), ChannelFull, type(None), ChannelFull]


# Sharding


def test_normal_channel_is_spread_over_all_shards(make_layer: Any, redis_url: str) -> None:
    """Sends take turns, and one receiver gets everything."""
    layer = make_layer(hosts=[redis_url, f"{redis_url}?db=1"])
    for number in range(10):
        layer.send("test", {"n": number})
    assert [layer.connection(shard).llen("asgi:test") for shard in (0, 1)] == [5, 5]
    assert sorted(layer.receive(["test"])[1]["n"] for _ in range(10)) == list(range(10))


def test_waiting_on_two_shards_is_ended_by_either(
    make_layer: Any, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver waits on all shards at once, so a message on any of them wakes it at once, however long it waited."""
    monkeypatch.setattr("channels.layers.redis.threadlink.IDLE_SECONDS", 0)
    layer = make_layer(hosts=[redis_url, f"{redis_url}?db=1"])
    queues = {layer._parts.ring.shard_of(name): name for name in (f"test.{number}!" for number in range(50))}
    for shard in (0, 1, 1, 0):
        received: list[Any] = []
        thread = threading.Thread(
            target=lambda received=received: received.extend(layer.receive_batch(list(queues.values()), 1, 60.0))
        )
        thread.start()
        started = time.monotonic()
        layer.send(queues[shard] + "one", {"n": shard})
        thread.join(60)
        assert [d.content["n"] for d in received] == [shard]
        assert time.monotonic() - started < 30


# Statistics and encryption


def test_statistics_are_shared_by_processes(make_layer: Any) -> None:
    """Two layers stand for two processes: each sees what both counted."""
    one, two = make_layer(), make_layer()
    one.send("test", {})
    two.send("test", {})
    one.group_add("group", "test.p!one")
    one.send_group("group", {})
    one.channel_statistics("test")
    two.channel_statistics("test")
    assert one.channel_statistics("test")["messages_count"] == 2
    assert two.channel_statistics("test.p!one")["messages_count"] == 1
    total = two.global_statistics()
    assert (total["messages_count"], total["channel_full_count"]) == (3, 0)


def test_statistics_of_more_channels_than_are_asked_for_at_once(make_layer: Any) -> None:
    """None is left out, and each says what is its own."""
    layer = make_layer()
    channels = [f"test.{number}" for number in range(QUEUES_PER_STEP + 1)]
    for channel in (channels[0], channels[-1]):
        layer.send(channel, {})
    pending = [int(state["messages_pending"]) for state in layer.statistics_of(channels).values()]
    assert pending == [1, *[0] * (QUEUES_PER_STEP - 1), 1]


def test_statistics_of_many_channels_leave_in_several_calls(layer: RedisChannelLayer) -> None:
    """The server does nothing else while one of them runs."""
    layer.send_batch([Outgoing(f"test.{number}", {}) for number in range(2 * QUEUES_PER_STEP)])
    layer._mine.tallies.add(0, "test.0", 1, 0)
    assert layer.global_statistics()["messages_count"] == 2 * QUEUES_PER_STEP + 1
    assert layer.channel_statistics("test.0")["messages_count"] == 2
    for number in range(2 * QUEUES_PER_STEP):
        layer._mine.tallies.add(0, f"test.{number}", 1, 0)
    assert [len(commands) for commands in layer._mine.tallies.collect().values()] == [3]


def test_copies_for_single_channels_share_what_they_carry(make_layer: Any) -> None:
    """A large message to a group of many is not in the sender's memory as often as there are members."""
    layer = make_layer(channel_capacity={"test.*": 5})
    item = layer._sender.prepare(Outgoing("group", {"text": "x" * 1000}, to_group=True))
    copies = layer._sender._copier.copies(0, item, ["test.a?1", "test.b?2", "test.c"])
    assert len({id(copy.rest) for _, copy in copies}) == 1
    for channel in ("test.a?1", "test.c"):
        layer.group_add("group", channel)
    layer.send_group("group", {"n": 1})
    assert [layer.receive([channel]) for channel in ("test.a?1", "test.c")] == [
        ("test.a?1", {"n": 1}),
        ("test.c", {"n": 1}),
    ]


def test_statistics_are_written_while_a_receiver_waits(make_layer: Any) -> None:
    """A process that sends no more still adds what it counted, the next time it receives."""
    one, two = make_layer(), make_layer()
    one.send("test", {})
    one.receive(["test"])
    one.receive(["test"])
    assert two.channel_statistics("test")["messages_count"] == 1


def test_encrypted_layers_understand_each_other(make_layer: Any) -> None:
    """Messages, also those to groups, are encrypted; names are not."""
    one, two = make_layer(symmetric_encryption_keys=["a", "b"]), make_layer(symmetric_encryption_keys=["b", "a"])
    one.group_add("group", "test.p!one")
    one.send_group("group", {"text": "hello"})
    (raw,) = one.connection(0).lrange("asgi:test.p!", 0, -1)
    assert b"hello" not in raw
    assert two.receive(["test.p!"]) == ("test.p!one", {"text": "hello"})


def test_message_that_cannot_be_decrypted_is_skipped(make_layer: Any, caplog: pytest.LogCaptureFixture) -> None:
    """It is counted and logged, and the next message arrives."""
    mine, foreign = make_layer(symmetric_encryption_keys=["a"]), make_layer(symmetric_encryption_keys=["b"])
    before = counters.value("message.dropped.unreadable")
    foreign.send("test", {"n": 1})
    mine.send("test", {"n": 2})
    assert mine.receive(["test"]) == ("test", {"n": 2})
    assert counters.value("message.dropped.unreadable") == before + 1
    assert "none of the symmetric_encryption_keys fits" in caplog.text


@pytest.fixture
def much_later(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Sets the clock by which the age of encrypted messages is measured an hour on."""
    later = time.time() + 3600

    class Later:
        @staticmethod
        def time() -> float:
            return later

    return lambda: monkeypatch.setattr("cryptography.fernet.time", Later)


def test_frame_that_waits_for_a_long_consumer_is_decrypted(make_layer: Any, much_later: Callable[[], None]) -> None:
    """It is kept for as long as the consumer of the frame before it runs, longer than messages live."""
    layer = make_layer(symmetric_encryption_keys=["a"])
    first, second = (Early("websocket.receive", {"order": order, "text": "x"}) for order in (0, 1))
    layer.turns.take("websocket.send.p!one", first, 10, 100)
    layer.turns.take("websocket.send.p!one", second, 10, 100)
    much_later()
    assert layer.turns.end("websocket.send.p!one", first, 10).released == [second]


def test_encrypted_message_is_not_kept_longer_by_a_flag(make_layer: Any, much_later: Callable[[], None]) -> None:
    """Flags are not encrypted: whoever can write to Redis could send again what somebody sent long ago."""
    layer = make_layer(symmetric_encryption_keys=["a"])
    layer.send("test", {"n": 1})
    client = layer.connection(0)
    raw = bytearray(client.lpop("asgi:test"))
    raw[1] |= codec.KEPT
    client.rpush("asgi:test", bytes(raw))
    much_later()
    assert layer.receive(["test"]) == (None, None)


# Servers


def test_server_that_is_too_old_is_refused() -> None:
    """The error says which version is needed."""
    with pytest.raises(UnsupportedRedis, match=re.escape("Redis 5.0 is too old: use 6.2 or later.")):
        read_handshake([[b"1", b"0"], 1, b"redis_version:5.0.14"], Moment.now(), ServerClock())


def test_server_that_refuses_scripts_is_refused(own_redis: RedisServer) -> None:
    """A user without the right to run scripts is told so."""
    with own_redis.client() as client:
        client.execute_command("ACL", "SETUSER", "weak", "on", ">pw", "~*", "+@all", "-script")
    layer = RedisChannelLayer(hosts=[f"{own_redis.url}?username=weak&password=pw"])
    with pytest.raises(UnsupportedRedis, match="refused a command that the layer needs"):
        layer.send("test", {})
    layer.close()
