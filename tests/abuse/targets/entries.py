"""What a Redis holds, and what its scripts return of it, where somebody else can write to it."""

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from channels import names
from channels.layers import encoding
from channels.layers.base import Delivery
from channels.layers.redis import RedisChannelLayer
from channels.layers.redis.codec import Codec, read_entry
from channels.layers.redis.encryption import EncryptedCodec, Veil
from channels.layers.redis.keys import Keys
from channels.layers.redis.receiving import Reader
from channels.layers.redis.scripts import DURABLE_TAKE, GROUP_CHANNELS, TURN_END, TURN_GIVE_UP
from channels.layers.redis.shards import ServerClock
from channels.layers.turns import Early, NextStep
from tests.abuse.strategies import BLOBS, ENTRIES, MEMBERS, TEXTS, entry_of
from tests.abuse.target import Check, raw_target, target

CONNECTION = "websocket.send.x!y"

SECRETS = ["secret"]

NOW = [b"1700000000", b"0"]
"""What a server answers to TIME."""


def _check_deliveries(deliveries: Sequence[Delivery]) -> None:
    for delivery in deliveries:
        assert isinstance(delivery.content, dict)
        assert all(isinstance(name, str) for name in delivery.channels)


def _carry_out(plan: Any, answers: Mapping[bytes, Any]) -> Any:
    """Return the result of ``plan`` where commands are answered with what stands beside a part of them, or with 0."""
    replies = None
    while True:
        try:
            step = plan.send(replies)
        except StopIteration as end:
            return end.value
        replies = {shard: [_answer(command, answers) for command in commands] for shard, commands in step.items()}


def _answer(command: bytes, answers: Mapping[bytes, Any]) -> Any:
    return next((answer for part, answer in answers.items() if part in command), 0)


@raw_target(
    entry_of({"text": "a", "bytes": b"b", "order": 1, "headers": [[b"a", b"b"]]}),
    entry_of({"__probe__": {"reply": "a", "number": 1}}, b"x,y"),
)
def entries() -> Iterator[Check]:
    """Entries of queues, as bytes: messages of this layer, or a ValueError."""

    def check(data: bytes) -> None:
        try:
            entry = read_entry(data)
            content = Codec().decode(entry.flags, entry.payload)
        except ValueError:
            return
        assert isinstance(content, dict)
        assert all(isinstance(name, str) for name in entry.receivers)

    yield check


@target(st.tuples(st.sampled_from([b"asgi:test", b"asgi:websocket.send.x!"]), st.lists(ENTRIES, max_size=4)))
def taken_entries() -> Iterator[Check]:
    """What taking from a queue returns: what is no message is passed over, the others are delivered."""
    good = entry_of({"good": True})

    def check(value: Any) -> None:
        key, found = value
        deliveries = reader.read([key, [*found, good]], clock)
        _check_deliveries(deliveries)
        assert [delivery.content for delivery in deliveries].count({"good": True}) >= 1

    reader = Reader(Keys("asgi:", "asgi-meta:"), Codec(), lambda queue, reason, count: None)
    clock = ServerClock()
    yield check


@raw_target(b"gAAAAABh", EncryptedCodec(SECRETS, 60).encode({"a": 1}), EncryptedCodec(["other"], 60).encode({"a": 1}))
def encrypted_payloads() -> Iterator[Check]:
    """Encrypted contents: whoever lacks the key makes none that is read."""
    codec = EncryptedCodec(SECRETS, 60)

    def check(data: bytes) -> None:
        for flags in (0, codec.flags):
            try:
                content = codec.decode(flags, memoryview(data))
            except ValueError:
                continue
            assert content == {"a": 1}

    yield check


@raw_target(Veil("secret").hide("test").encode(), b"asgi::group:x", b"a!b", b"{test}")
def hidden_names() -> Iterator[Check]:
    """Names in keys and sets, hidden or not: a channel name comes out, or a ValueError."""
    plain = Keys("asgi:", "asgi-meta:")
    veiled = Keys("asgi:", "asgi-meta:", Veil("secret"), is_tagged=True)

    def check(data: bytes) -> None:
        for keys in (plain, veiled):
            with contextlib.suppress(ValueError):
                names.require_channel_name(keys.channel_of(data))
            with contextlib.suppress(ValueError):
                keys.readable(data.decode())

    yield check


NUMBERS = st.integers(0, 3)
IDS = st.just(b"1-1")

LATE = st.tuples(MEMBERS | st.just(b"websocket.send.x!y"), st.sampled_from([b"0", b"1e300", b"inf", b"-inf"]))


def _flat(pairs: Sequence[Any]) -> list[Any]:
    return [part for pair in pairs for part in pair]


SCRIPTS = st.fixed_dictionaries(
    {
        "ended": st.tuples(NUMBERS, st.lists(BLOBS, max_size=3)).map(lambda found: [found[0], *found[1]]),
        "late": st.lists(LATE, max_size=3).map(_flat),
        "given_up": st.just([]) | st.tuples(st.integers(-1, 3), NUMBERS, BLOBS).map(list),
        "announced": st.lists(st.tuples(MEMBERS, ENTRIES | st.binary(max_size=24)), max_size=3).map(_flat),
        "peeked": st.lists(ENTRIES, max_size=3),
        "durable": st.lists(st.tuples(IDS, ENTRIES, NUMBERS), max_size=3),
        "letters": st.lists(st.tuples(IDS, st.lists(ENTRIES | TEXTS, min_size=2, max_size=6)), max_size=3),
        "members": st.lists(MEMBERS, max_size=3),
        "counted": st.lists(st.none() | TEXTS, min_size=9, max_size=9),
    }
)
"""What scripts and commands return of values that others wrote; their own numbers are right."""


class _InHand:
    """Where deliveries are noted, without the thread that renews them."""

    def add(self, receipts: object) -> None:
        """Note nothing."""


class _ToldLayer(RedisChannelLayer):
    """A layer whose server answers what it is told, and is not there."""

    answers: Mapping[bytes, Any]

    def _run(self, plan: Any) -> Any:
        return _carry_out(plan, self.answers)


@target(SCRIPTS)
def script_answers() -> Iterator[Check]:
    """What scripts return of turns, streams, dead letters, groups, statistics and announcements."""
    layer = _ToldLayer(hosts=["redis://127.0.0.1:1"], delivery={"durable": "at-least-once"})
    first = Early("websocket.receive", {"order": 0, "reply_channel": CONNECTION})

    def check(found: dict[str, Any]) -> None:
        layer.answers = {
            b"TIME": NOW,
            TURN_END.digest: found["ended"],
            b"ZRANGE": found["late"],
            TURN_GIVE_UP.digest: found["given_up"],
            b"HGETALL": found["announced"],
            b"LRANGE": found["peeked"],
            DURABLE_TAKE.digest: [0, *found["durable"]],
            b"XRANGE": found["letters"],
            GROUP_CHANNELS.digest: found["members"],
            b"HMGET": found["counted"],
            b"LINDEX": (found["peeked"] or [None])[0],
        }
        ended = layer.turns.end(CONNECTION, first, 1.0, NextStep.RUN_RELEASED)
        for one in (*ended.released, *(early for each in layer.turns.stalled(1.0) for early in each.released)):
            assert isinstance(one.order, int)
            encoding.encode(one.content)
        shown = [*layer.inspection.announced(), *layer.inspection.peek("test"), *layer.dead_letters("durable")]
        assert all(isinstance(one.content, dict) for one in shown)
        _check_deliveries(layer._run(layer._durable.take("durable", 2, _InHand())))  # type: ignore[arg-type]
        for member in layer.group_channels("g"):
            names.require_channel_name(member)
        counted = {**layer.channel_statistics("test"), **layer.global_statistics()}
        assert all(math.isfinite(number) for number in counted.values())

    yield check
