"""Turns of connections, decided by the server: each step is one script, so no two workers can come between.

The meaning of the steps is told in ``channels.layers.turns``, the keys at the head of ``lua/turn_take.lua``.
"""

import logging
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from channels import counters
from channels.backoff import Backoff
from channels.exceptions import LayerUnavailable
from channels.formats import ORDER
from channels.layers.redis import scripts
from channels.layers.redis.codec import KEPT, Codec, Unreadable
from channels.layers.redis.keys import Keys
from channels.layers.redis.plans import Plan, together
from channels.layers.redis.ring import Ring
from channels.layers.turns import FORGET_SECONDS, SHORTEST_LIFE, Early, Ended, NextStep, Stalled, Taken, Verdict
from channels.layers.twins import DELIVERIES

logger = logging.getLogger("django.channels.layers")

T = TypeVar("T")

LONG = 1024
"""Frames of more characters or bytes are sent only if they must be kept."""

PATIENCE_SECONDS = 5.0
"""How long a step is tried again while the server is away. Who asks has nothing else to do, and a turn to lose."""

GIVE_UP_AT_ONCE = 100
"""Lines given up in one round, of each shard."""


class RedisTurns:
    """The turns of one layer.

    Args:
        run: Carries out a plan.
        post: Begins a plan with the next write of the calling thread, and hands over its result or error later.
        settle: Returns once everything arrived, or failed, that the calling thread posted.
        keys: How lines are named.
        ring: On which shard a line lives.
        codec: Encodes what is kept.
        group_expiry: Seconds a membership of the layer lives; lines live as long, or longer.
    """

    needs_renewal = True

    def __init__(
        self,
        run: Callable[[Plan[Any]], Any],
        post: Callable[[Plan[Any], Callable[[Any], None]], None],
        settle: Callable[[], None],
        keys: Keys,
        ring: Ring,
        codec: Codec,
        group_expiry: float,
    ) -> None:
        self._run = run
        self._post = post
        self._settle = settle
        self._keys = keys
        self._ring = ring
        self._codec = codec
        self._life_ms = round(max(group_expiry, SHORTEST_LIFE) * 1000)
        self._hopeless_until = 0.0

    def take(self, connection: str, message: Early, wait: float, limit: int) -> Taken:
        """Ask for the turn of ``message``."""
        mark = _new_mark()

        def ask() -> Taken:
            taken: Taken = self._run(self._take(connection, message, wait, limit, mark))
            return taken

        return self._insist(ask)

    def take_many(self, asked: Sequence[tuple[str, Early]], wait: float, limit: int) -> list[Taken]:
        """Ask for the turns of several messages at once, as connections and messages."""
        marks = [_new_mark() for _ in asked]

        def ask() -> list[Taken]:
            pairs = zip(asked, marks, strict=True)
            plans = [self._take(connection, message, wait, limit, mark) for (connection, message), mark in pairs]
            taken: list[Taken] = self._run(together(plans))
            return taken

        return self._insist(ask)

    def end(
        self,
        connection: str,
        message: Early,
        wait: float,
        next_step: NextStep = NextStep.LET_GO,
        first: int | None = None,
    ) -> Ended:
        """End a turn."""
        mark = _new_mark()
        return self._insist_on_end(connection, message, wait, next_step, first, mark)

    def post_end(
        self,
        connection: str,
        message: Early,
        wait: float,
        next_step: NextStep,
        first: int,
        settle: Callable[[Ended | LayerUnavailable], None],
    ) -> None:
        """End a turn with the next write of the calling thread; ``settle`` is told later what that brought."""
        arguments = (connection, message, wait, next_step, first, _new_mark())

        def settle_or_insist(result: Ended | LayerUnavailable) -> None:
            if isinstance(result, LayerUnavailable):
                try:
                    result = self._insist_on_end(*arguments)
                except LayerUnavailable as error:
                    result = error
            settle(result)

        if self._ring.group_is_one_place:
            self._settle()  # The turn may be on another node than the replies, and must not end before they are there.
        self._post(self._end(*arguments), settle_or_insist)

    def _insist_on_end(self, *arguments: Any) -> Ended:
        def ask() -> Ended:
            ended: Ended = self._run(self._end(*arguments))
            return ended

        return self._insist(ask)

    def renew(self, connection: str, message: Early, wait: float) -> None:
        """Say that the consumer of ``message`` is still running."""
        self._run(self._renew(connection, message, wait))

    def stalled(self, wait: float) -> Sequence[Stalled]:
        """Give up connections that waited too long."""
        found: Sequence[Stalled] = self._run(self._stalled(wait))
        return found

    def _insist(self, ask: Callable[[], T]) -> T:
        """Return what ``ask`` does, which asks for the same each time and may be repeated while the server is away.

        Raises:
            LayerUnavailable: It stayed away; for a while it is not waited for again.
        """
        backoff = Backoff()
        give_up = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return ask()
            except LayerUnavailable:
                now = time.monotonic()
                if now < self._hopeless_until:
                    raise
                if now >= give_up:
                    self._hopeless_until = now + PATIENCE_SECONDS
                    raise
            time.sleep(backoff.failed())

    # Plans

    def _arguments(self, connection: str, message: Early, wait: float) -> tuple[scripts.Argument, ...]:
        """Return what the scripts that take and end a turn have in common."""
        return (
            self._keys.hidden(connection),
            message.order,
            int(message.is_last),
            round(wait * 1000),
            self._life_ms,
        )

    def _take(self, connection: str, message: Early, wait: float, limit: int, mark: str) -> Plan[Taken]:
        shard, keys = self._place(connection)
        arguments = self._arguments(connection, message, wait)
        # Most messages come in order and need not be kept, so long ones stay here until we know.
        encoded = b"" if _is_long(message) else self._encode(message)
        replies = yield {shard: [scripts.call(scripts.TURN_TAKE, keys, (*arguments, encoded, mark))]}
        answer = replies[shard][0]
        if answer == b"early":
            kept = (*arguments, self._encode(message), mark)
            replies = yield {shard: [scripts.call(scripts.TURN_TAKE, keys, kept)]}
            answer = replies[shard][0]
        if isinstance(answer, bytes):
            return Taken(Verdict(answer.decode()))
        if answer <= limit:
            return Taken(Verdict.HELD)
        replies = yield {shard: [self._give_up_call(connection, keys, wait, at_once=True)]}
        return Taken(Verdict.FULL, self._read_stalled(connection, replies[shard][0]).released)

    def _end(
        self, connection: str, message: Early, wait: float, next_step: NextStep, first: int | None, mark: str
    ) -> Plan[Ended]:
        shard, keys = self._place(connection)
        arguments = self._arguments(connection, message, wait)
        tail = (next_step.value, round(FORGET_SECONDS * 1000), message.order if first is None else first, mark)
        replies = yield {shard: [scripts.call(scripts.TURN_END, keys, (*arguments, *tail))]}
        is_passed_on, *blobs = replies[shard][0]
        released = self._decode_all(connection, blobs)
        # The turn is that of the first; if that is none of ours, patience ends it.
        return Ended(released, bool(is_passed_on) and len(released) == len(blobs))

    def _renew(self, connection: str, message: Early, wait: float) -> Plan[None]:
        shard, keys = self._place(connection)
        yield {shard: [self._renew_call(connection, keys, message, wait)]}

    def _stalled(self, wait: float) -> Plan[Sequence[Stalled]]:
        replies = yield {
            shard: [
                scripts.command(b"TIME"),
                scripts.command(b"ZRANGE", self._keys.turns(tag), 0, GIVE_UP_AT_ONCE - 1, b"WITHSCORES"),
            ]
            for shard, tag in self._ring.turn_places()
        }
        late: dict[int, list[str]] = {}
        foreign: dict[int, list[bytes]] = {}
        for shard, ((seconds, micros), listed) in replies.items():
            now_ms = int(seconds) * 1000 + int(micros) / 1000
            for name, due in zip(listed[::2], listed[1::2], strict=True):
                if float(due) > now_ms:
                    continue
                try:
                    late.setdefault(shard, []).append(self._keys.channel_of(name))
                except ValueError:  # Somebody else wrote it; it must not stand in the way for ever.
                    foreign.setdefault(shard, []).append(name)
        if foreign:
            places = dict(self._ring.turn_places())
            keys = {shard: self._keys.turns(places[shard]) for shard in foreign}
            yield {shard: [scripts.command(b"ZREM", keys[shard], *names)] for shard, names in foreign.items()}
        if not late:
            return []
        replies = yield {
            shard: [self._give_up_call(name, self._place(name)[1], wait, at_once=False) for name in names]
            for shard, names in late.items()
        }
        return [
            self._read_stalled(name, reply)
            for shard, names in late.items()
            for name, reply in zip(names, replies[shard], strict=True)
            if reply
        ]

    # Keys and encoding

    def _place(self, connection: str) -> tuple[int, tuple[str, str]]:
        shard, tag = self._ring.turn_place(connection)
        return shard, (self._keys.turn(connection, tag), self._keys.turns(tag))

    def _renew_call(self, connection: str, keys: Sequence[str], message: Early, wait: float) -> bytes:
        return scripts.call(
            scripts.TURN_RENEW, keys, (self._keys.hidden(connection), message.order, round(wait * 1000))
        )

    def _give_up_call(self, connection: str, keys: Sequence[str], wait: float, *, at_once: bool) -> bytes:
        arguments = (self._keys.hidden(connection), int(at_once), self._life_ms, round(wait * 1000))
        return scripts.call(scripts.TURN_GIVE_UP, keys, arguments)

    def _read_stalled(self, connection: str, reply: Sequence[Any]) -> Stalled:
        if not reply:
            return Stalled(connection, None, (), 0)
        missing, dropped, *blobs = reply
        return Stalled(connection, None if missing < 0 else missing, self._decode_all(connection, blobs), dropped)

    def _encode(self, message: Early) -> bytes:
        payload = self._codec.encode({"channel": message.channel, "content": message.content})
        return bytes((self._codec.flags, message.is_last + 2 * (DELIVERIES in message.content))) + payload

    def _decode_all(self, connection: str, blobs: Sequence[bytes]) -> list[Early]:
        """Return what was kept, without what somebody else put there."""
        found = []
        for blob in blobs:
            try:
                found.append(self._decode(blob))
            except ValueError as error:
                counters.add("message.dropped.unreadable")
                logger.error("Skipped what is kept for %s and is no message of this layer: %s.", connection, error)
        return found

    def _decode(self, blob: bytes) -> Early:
        # Of any age: it waited for as long as the consumer before it ran.
        kept = self._codec.decode(KEPT | (blob[0] if blob else 0), memoryview(blob)[2:])
        channel, content = kept.get("channel"), kept.get("content")
        if not isinstance(channel, str) or not isinstance(content, dict) or type(content.get(ORDER)) is not int:
            raise Unreadable("kept", "it has no channel, content and order")
        return Early(channel, content)


def _new_mark() -> str:
    """Return what stands for one who asks, however often that is."""
    return secrets.token_hex(6)


def _is_long(message: Early) -> bool:
    return any(len(message.content.get(key) or "") > LONG for key in ("text", "bytes"))
