"""What the file of a layer between processes holds, and each change to it. All calls happen inside a transaction.

Times are readings of the layer's clock, in seconds since the epoch, given by the caller. Nothing here commits,
waits or logs: what the caller has to do once a transaction is over is left in ``expired`` and ``woken``.
"""

import itertools
import random
import sqlite3
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, NamedTuple

from channels.layers.ipc.space import Space

ROW_BYTES = 100
"""What a message or a membership counts beside its own bytes: indexes and bookkeeping."""

STATISTICS_SECONDS = 3600.0
"""How long the statistics of a channel outlive its last use."""

FIRST_LOOK = 100
"""How many expired messages are dropped at a time."""


class Fit(Enum):
    """What became of a message or membership that was to be added."""

    YES = "yes"
    QUEUE_FULL = "queue full"
    MEMORY_FULL = "memory full"
    NO_SPACE = "no space"


class Limits(NamedTuple):
    """What the ledger is held to: lives in seconds, sizes in bytes."""

    expiry: float
    group_expiry: float
    message_memory: int
    group_memory: int


class Taken(NamedTuple):
    """A message that was taken; ``receivers`` are full channel names."""

    receivers: tuple[str, ...]
    via_group: bool
    body: bytes


class Ledger:
    """Queues, groups, waiters and statistics in one SQLite database, for the length of one transaction.

    Attributes:
        execute: Runs one statement; for readers of this package.
        now: The time.
        expired: Channels of the messages that were dropped unread.
        woken: Pairs of bell and queue: to be rung once the transaction is committed.
    """

    def __init__(self, connection: sqlite3.Connection, limits: Limits, now: float, space: Space) -> None:
        self.execute: Callable[..., sqlite3.Cursor] = connection.execute
        self._limits = limits
        self._space = space
        self.now = now
        self._change: dict[str, int] = {}
        self.expired: list[str] = []
        self.woken: list[tuple[str, str]] = []

    def settle(self) -> None:
        """Write what has to be written once per transaction; the last call before the commit."""
        change = {name: amount for name, amount in self._change.items() if amount}
        if change:
            # The names are those of the table's columns, which stand in this module.
            assignments = ", ".join(f"{name} = {name} + ?" for name in change)
            self.execute(f"UPDATE totals SET {assignments}", tuple(change.values()))  # noqa: S608 - names from this module
            self._change.clear()

    def _total(self, name: str) -> int:
        (value,) = self.execute(f"SELECT {name} FROM totals").fetchone()  # noqa: S608 - names from this module
        return int(value) + self._change.get(name, 0)

    def _count(self, name: str, amount: int) -> None:
        self._change[name] = self._change.get(name, 0) + amount

    # Messages

    def put(self, queue: str, receivers: Sequence[str], body: bytes, via_group: bool, capacity: int) -> Fit:
        """Append a message for ``receivers``, which share ``queue``, if the queue and the memory have room."""
        self._sweep_if_due()
        if self._pending(queue) >= capacity:
            self.purge(queue)
        message = Taken(tuple(receivers), via_group, body)
        size = _size(message)
        fit = Fit.YES
        if self._pending(queue) >= capacity:
            fit = Fit.QUEUE_FULL
        elif self._total("messages_size") + size > self._limits.message_memory:
            self._sweep()
            if self._total("messages_size") + size > self._limits.message_memory:
                fit = Fit.MEMORY_FULL
        if fit is Fit.YES and not self._space.has(size):
            fit = Fit.NO_SPACE
        added = int(fit is Fit.YES)
        self._tally(queue, added, added, 1 - added)
        self._count("sent" if added else "refused", 1)
        if added:
            self._insert(None, queue, self.now + self._limits.expiry, message)
        return fit

    def _insert(self, number: int | None, queue: str, expires: float, message: Taken) -> None:
        size, names = _size(message), ",".join(message.receivers)
        values = (number, queue, expires, size, int(message.via_group), names, message.body)
        self.execute("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)", values)
        self._count("messages_size", size)
        self.wake(queue)

    def put_back(self, queue: str, messages: Sequence[Taken]) -> None:
        """Put what was taken of ``queue`` before what it holds, whatever the limits: it had room before."""
        self.purge(queue)
        head = self._first(queue, 1)
        expires = head[0][3] if head else self.now + self._limits.expiry
        ((lowest,),) = self.execute("SELECT MIN(0, COALESCE(MIN(id), 0)) FROM messages")
        for number, message in enumerate(messages, start=lowest - len(messages)):
            self._insert(number, queue, expires, message)
        self._tally(queue, len(messages), 0, 0)

    def _tally(self, queue: str, pending: int, sent: int, refused: int) -> None:
        self.execute(
            "INSERT INTO queues VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE SET pending = pending + "
            "excluded.pending, sent = sent + excluded.sent, refused = refused + excluded.refused, used = excluded.used",
            (queue, pending, sent, refused, self.now),
        )

    def _pending(self, queue: str) -> int:
        row = self.execute("SELECT pending FROM queues WHERE name = ?", (queue,)).fetchone()
        return int(row[0]) if row else 0

    def take(self, queues: Sequence[str], limit: int, split: bool) -> list[Taken]:
        """Return up to ``limit`` messages of one of ``queues`` chosen at random, so that none starves.

        With ``split`` a message for many channels is taken one channel at a time.
        """
        for queue in self._filled(queues):
            self.purge(queue)
            rows = self.execute(
                "SELECT id, size, receivers, via_group, body FROM messages WHERE queue = ? ORDER BY id LIMIT ?",
                (queue, limit),
            ).fetchall()
            if not rows:
                continue
            taken = [Taken(tuple(names.split(",")), bool(via_group), body) for _, _, names, via_group, body in rows]
            if split and len(taken[0].receivers) > 1:
                first, *others = taken[0].receivers
                self.execute("UPDATE messages SET receivers = ? WHERE id = ?", (",".join(others), rows[0][0]))
                return [taken[0]._replace(receivers=(first,))]
            self.drop(queue, [(number, size) for number, size, *_ in rows])
            return taken
        return []

    def _filled(self, queues: Sequence[str]) -> list[str]:
        marks = ",".join("?" * len(queues))
        rows = self.execute(f"SELECT name FROM queues WHERE pending > 0 AND name IN ({marks})", tuple(queues))  # noqa: S608 - names from this module
        filled = [name for (name,) in rows]
        random.shuffle(filled)
        return filled

    def drop(self, queue: str, rows: Sequence[tuple[int, int]]) -> None:
        """Remove the first messages of ``queue``: pairs of id and size.

        Raises:
            sqlite3.DatabaseError: They cannot be removed: an index of the file is broken.
        """
        gone = self.execute("DELETE FROM messages WHERE queue = ? AND id <= ?", (queue, rows[-1][0])).rowcount
        if not gone:  # Who drops until there is nothing more would never end.
            raise sqlite3.DatabaseError("an index is broken")
        self.execute("UPDATE queues SET pending = pending - ? WHERE name = ?", (len(rows), queue))
        self._count("messages_size", -sum(size for _, size in rows))

    def purge(self, queue: str) -> None:
        """Drop the expired messages at the head of ``queue``, and end the memberships of the channels they were for."""
        while (first := self._first(queue, 1)) and first[0][3] <= self.now:
            late = list(itertools.takewhile(lambda row: row[3] <= self.now, self._first(queue, FIRST_LOOK)))
            self.drop(queue, [row[:2] for row in late])
            self._forget([channel for row in late for channel in row[2].split(",")])

    def _first(self, queue: str, limit: int) -> list[tuple[int, int, str, float]]:
        query = "SELECT id, size, receivers, expires FROM messages WHERE queue = ? ORDER BY id LIMIT ?"
        return self.execute(query, (queue, limit)).fetchall()

    def _forget(self, channels: Sequence[str]) -> None:
        """Note that messages for ``channels`` expired; nobody reads these channels, so their memberships end."""
        self.expired.extend(channels)
        for channel in set(channels):
            self._leave("channel = ?", channel)

    # Memberships

    def join(self, group: str, channel: str) -> Fit:
        """Make ``channel`` a member of ``group``, or renew its membership."""
        until = self.now + self._limits.group_expiry
        renewed = self.execute(
            "UPDATE members SET until = ? WHERE name = ? AND channel = ?", (until, group, channel)
        ).rowcount
        if renewed:
            return Fit.YES
        size = len(group) + len(channel) + ROW_BYTES
        if self._total("members_size") + size > self._limits.group_memory:
            self._leave("until <= ?", self.now)
            if self._total("members_size") + size > self._limits.group_memory:
                return Fit.MEMORY_FULL
        if not self._space.has(size):
            return Fit.NO_SPACE
        self.execute("INSERT INTO members VALUES (?, ?, ?)", (group, channel, until))
        self._count("members_size", size)
        return Fit.YES

    def leave(self, group: str, channel: str) -> None:
        """End the membership of ``channel`` in ``group``, if there is one."""
        self._leave("name = ? AND channel = ?", group, channel)

    def members(self, group: str) -> list[str]:
        """Return the members of ``group`` whose membership has not ended."""
        rows = self.execute("SELECT channel FROM members WHERE name = ? AND until > ?", (group, self.now))
        return [channel for (channel,) in rows]

    def _leave(self, condition: str, *values: Any) -> None:
        # The conditions stand in this class; what comes from outside is in the values.
        found = self.execute(f"SELECT name, channel FROM members WHERE {condition}", values).fetchall()  # noqa: S608 - names from this module
        if found:
            self.execute(f"DELETE FROM members WHERE {condition}", values)  # noqa: S608 - names from this module
            self._count("members_size", -sum(len(name) + len(channel) + ROW_BYTES for name, channel in found))

    # Those who wait

    def wait(self, bell: str, queues: Sequence[str]) -> None:
        """Let ``bell`` be rung for the next message on any of ``queues``."""
        for queue in queues:
            self.execute("INSERT OR IGNORE INTO waiters (queue, bell) VALUES (?, ?)", (queue, bell))

    def end_wait(self, bell: str, queues: Sequence[str]) -> None:
        """Let ``bell`` rest; what it left in ``queues`` is for others, who are woken."""
        self.execute("DELETE FROM waiters WHERE bell = ?", (bell,))
        for queue in self._filled(queues):
            self.wake(queue)

    def wake(self, queue: str) -> None:
        """Ring for the one that has waited longest for ``queue``, once for all its queues."""
        row = self.execute("SELECT bell FROM waiters WHERE queue = ? ORDER BY id LIMIT 1", (queue,)).fetchone()
        if row is not None:
            self.execute("DELETE FROM waiters WHERE bell = ?", row)
            self.woken.append((row[0], queue))

    # Housekeeping and statistics

    def _sweep_if_due(self) -> None:
        (due,) = self.execute("SELECT next_sweep FROM totals").fetchone()
        # A clock that was set back must not put the sweep off for long.
        if not due - 2 * max(self._limits.expiry, 1.0) < self.now < due:
            self._sweep()

    def _sweep(self) -> None:
        """Drop everything that expired and that nobody asked for since."""
        self.execute("UPDATE totals SET next_sweep = ?", (self.now + max(self._limits.expiry, 1.0),))
        late = self.execute("SELECT DISTINCT queue FROM messages WHERE expires <= ?", (self.now,)).fetchall()
        for (queue,) in late:
            self.purge(queue)
        self._leave("until <= ?", self.now)
        self.execute("DELETE FROM queues WHERE pending = 0 AND used < ?", (self.now - STATISTICS_SECONDS,))
        self.execute("DELETE FROM lines WHERE until <= ?", (self.now,))

    def clear(self) -> None:
        """Forget all but those who wait."""
        for table in ("queues", "messages", "members", "lines"):
            self.execute(f"DELETE FROM {table}")  # noqa: S608 - names from this module
        self.execute(
            "UPDATE totals SET messages_size = 0, members_size = 0, sent = 0, refused = 0, "
            "epoch = lower(hex(randomblob(8)))"
        )
        self._change.clear()

    def statistics(self) -> dict[str, float]:
        """Return what all channels together took and refused since the file was made or cleared."""
        return {"messages_count": self._total("sent"), "channel_full_count": self._total("refused")}

    def queue_statistics(self, queue: str) -> dict[str, float]:
        """Return what ``queue`` took, refused and holds; ages are in seconds."""
        self.purge(queue)
        row = self.execute("SELECT sent, refused, pending FROM queues WHERE name = ?", (queue,)).fetchone()
        head = self._first(queue, 1)
        age = self.now - (head[0][3] - self._limits.expiry) if head else 0
        names = ("messages_count", "channel_full_count", "messages_pending", "messages_max_age")
        return dict(zip(names, (*(row or (0, 0, 0)), max(age, 0)), strict=True))


def _size(message: Taken) -> int:
    return len(message.body) + len(",".join(message.receivers)) + ROW_BYTES
