"""Inspection of a Redis layer.

Processes are announced in a hash, ``Keys.processes``: field is the name of a process, value when it was announced and
when that ends (ms since the epoch, 8 bytes each, big endian), then the encoded content.
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from channels import names
from channels.layers.base import BaseChannelLayer
from channels.layers.inspection import MOST_NAMES, Announcement, Unread
from channels.layers.redis import codec, scripts
from channels.layers.redis.keys import PROCESSES, Keys
from channels.layers.redis.plans import Plan
from channels.layers.redis.ring import Ring
from channels.layers.redis.shards import Shard
from channels.types import Content

_TIMES = struct.Struct(">QQ")


class RedisInspection:
    """See ``channels.layers.inspection.Inspection``.

    Args:
        layer: Whose names and lives these are.
        run: Carries out plans.
        keys: How things are named.
        ring: Where things are.
        coder: Encodes and decodes.
        holders: Returns the servers that keys may be on.
    """

    def __init__(
        self,
        layer: BaseChannelLayer,
        run: Callable[[Plan[Any]], Any],
        keys: Keys,
        ring: Ring,
        coder: codec.Codec,
        holders: Callable[[], Sequence[Shard]],
    ) -> None:
        self._layer = layer
        self._run = run
        self._keys = keys
        self._ring = ring
        self._codec = coder
        self._holders = holders
        self._processes = keys.processes
        self._home = ring.shard_of(PROCESSES)

    def now(self) -> float:
        """Return the time of the server that processes are announced on."""
        now: float = self._run(self._now_ms()) / 1000
        return now

    def _now_ms(self) -> Plan[int]:
        replies = yield {self._home: [scripts.command(b"TIME")]}
        return _read_ms(replies[self._home][0])

    def announce(self, name: str, content: Content, lifetime: float) -> None:
        """Show ``content`` under ``name``."""
        self._run(self._announce(name, self._codec.encode(content), max(1, round(lifetime * 1000))))

    def _announce(self, name: str, payload: bytes, lifetime: int) -> Plan[None]:
        now = yield from self._now_ms()
        value = _TIMES.pack(now, now + lifetime) + payload
        yield {
            self._home: [
                scripts.command(b"HSET", self._processes, name, value),
                scripts.command(b"PEXPIRE", self._processes, lifetime),
            ]
        }

    def withdraw(self, name: str) -> None:
        """Show nothing under ``name`` any more."""
        self._run(self._remove([name.encode()]))

    def _remove(self, fields: Sequence[bytes]) -> Plan[None]:
        yield {self._home: [scripts.command(b"HDEL", self._processes, *fields)]}

    def announced(self) -> list[Announcement]:
        """Return what is announced, by name."""
        return sorted(self._run(self._announced()), key=lambda announcement: announcement.name)

    def _announced(self) -> Plan[list[Announcement]]:
        replies = yield {self._home: [scripts.command(b"TIME"), scripts.command(b"HGETALL", self._processes)]}
        now, found = _read_ms(replies[self._home][0]), replies[self._home][1]
        announcements, late = [], []
        for field, value in zip(found[::2], found[1::2], strict=True):
            at, until = _TIMES.unpack_from(value) if len(value) >= _TIMES.size else (0, 0)
            if until <= now:
                late.append(field)
                continue
            try:
                content = self._codec.decode(self._codec.flags, memoryview(value)[_TIMES.size :])
            except ValueError as error:
                content = {"unreadable": str(error)}
            announcements.append(Announcement(field.decode(errors="replace"), content, at / 1000))
        if late:
            yield from self._remove(late)
        return announcements

    def channels(self) -> list[str]:
        """Return the queues that hold messages or did lately."""
        found = set(_channel_names(self._scan(self._keys.prefix), ("", ":stream:")))
        found.update(_channel_names(self._scan(self._keys.stats_prefix), ("",)))
        return sorted(found)[:MOST_NAMES]

    def _scan(self, prefix: str, kind: str | None = None) -> Iterator[str]:
        """Yield what follows ``prefix`` in keys that begin with it, of one kind, as far as this layer can read it."""
        found: set[str] = set()
        for shard in self._holders():
            for key in shard.keys_from(prefix, kind):
                with suppress(ValueError):
                    found.add(self._keys.readable(key.decode()[len(prefix) :]))
                if len(found) >= 2 * MOST_NAMES:
                    break
        yield from found

    def groups(self) -> dict[str, int]:
        """Return the groups and how many members each has."""
        found: dict[str, int] = self._run(self._groups())
        return dict(sorted(found.items()))

    def _groups(self) -> Plan[dict[str, int]]:
        now = yield from self._now_ms()
        since = f"({now - round(self._layer.group_expiry * 1000)}"
        questions: dict[int, list[tuple[str, str]]] = {}
        for name in sorted(self._scan(self._keys.prefix, "zset"))[:MOST_NAMES]:
            _, kind, group = name.split(":", 2) if name.startswith((":group:", ":normal:")) else ("", "", "")
            if not names.is_group_name(group):  # Somebody else made the key.
                continue
            if kind == "group":
                for shard in self._ring.group_shards(group):
                    questions.setdefault(shard, []).append((group, self._keys.group(group)))
            else:
                questions.setdefault(self._ring.shard_of(group), []).append((group, self._keys.normal(group)))
        if not questions:
            return {}
        replies = yield {
            shard: [scripts.command(b"ZCOUNT", key, since, b"+inf") for _, key in part]
            for shard, part in questions.items()
        }
        sizes: dict[str, int] = {}
        for shard, part in questions.items():
            for (group, _), size in zip(part, replies[shard], strict=True):
                sizes[group] = sizes.get(group, 0) + size
        return {group: size for group, size in sizes.items() if size}

    def peek(self, channel: str, limit: int = 10) -> list[Unread]:
        """Return the oldest messages of a queue."""
        queue = names.non_local_name(names.require_channel_name(channel))
        unread: list[Unread] = self._run(self._peek(queue, limit))
        return sorted(unread, key=lambda one: -one.age)[:limit]

    def _peek(self, queue: str, limit: int) -> Plan[list[Unread]]:
        key, shards = self._place(queue)
        if self._ring.is_durable(queue):
            command = scripts.command(b"XRANGE", key, b"-", b"+", b"COUNT", limit)
        else:
            command = scripts.command(b"LRANGE", key, 0, limit - 1)
        replies = yield {shard: [scripts.command(b"TIME"), command] for shard in shards}
        unread = []
        for shard in shards:
            now, entries = _read_ms(replies[shard][0]), replies[shard][1]
            if self._ring.is_durable(queue):
                for number, (_, raw, *_) in entries:
                    sent = int(number.partition(b"-")[0])  # Streams number by the time, in ms.
                    unread.append(self._read(queue, raw, now)._replace(age=max(0.0, (now - sent) / 1000)))
            else:
                unread += [self._read(queue, raw, now) for raw in entries]
        return unread

    def _read(self, queue: str, raw: bytes, now_ms: int) -> Unread:
        try:
            entry = codec.read_entry(raw)
            content = self._codec.decode(entry.flags, entry.payload)
        except ValueError as error:
            return Unread((queue,), {"unreadable": str(error)}, 0.0)
        age = max(0.0, self._layer.expiry - (entry.expires_ms - now_ms) / 1000)
        return Unread(tuple(queue + receiver for receiver in entry.receivers), content, age)

    def discard(self, channel: str) -> int:
        """Remove all messages of a queue."""
        queue = names.non_local_name(names.require_channel_name(channel))
        count: int = self._run(self._discard(queue))
        return count

    def _discard(self, queue: str) -> Plan[int]:
        key, shards = self._place(queue)
        count = scripts.command(b"XLEN" if self._ring.is_durable(queue) else b"LLEN", key)
        # A durable channel has tickets in a list beside its stream.
        removal = scripts.command(b"UNLINK", *{key, self._keys.queue(queue)})
        replies = yield {shard: [count, removal] for shard in shards}
        return sum(replies[shard][0] for shard in shards)

    def _place(self, queue: str) -> tuple[str, Sequence[int]]:
        key = self._keys.stream(queue) if self._ring.is_durable(queue) else self._keys.queue(queue)
        return key, self._ring.shards_of(queue)


def _read_ms(reply: Sequence[bytes]) -> int:
    """Return an answer to TIME in milliseconds."""
    return int(reply[0]) * 1000 + int(reply[1]) // 1000


def _channel_names(keys: Iterable[str], kinds: Sequence[str]) -> Iterator[str]:
    """Yield the names of queues among ``keys``, which are without their prefix; ``kinds`` is what may come before."""
    for key in keys:
        for kind in kinds:
            name = key[len(kind) :] if key.startswith(kind) else ""
            try:
                yield names.require_channel_name(name)
            except TypeError:
                continue
