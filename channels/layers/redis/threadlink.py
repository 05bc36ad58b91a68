"""One thread's connection to one shard: commands out, answers in, in order. What they mean is not known here."""

import os
import threading
import time
from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from channels.exceptions import LayerUnavailable
from channels.layers.redis import scripts
from channels.layers.redis.merging import MergedSends
from channels.layers.redis.shards import FOREIGN_ERRORS, HANDSHAKE, Facts, Moment, Shard, forgotten, read_handshake

IDLE_SECONDS = 1.0
"""A connection unused for longer is looked at before it is used: the server may have gone meanwhile."""


class Link:
    """One thread's connection to one shard.

    Any error closes it, because an answer may still be under way; the next use opens it again.
    """

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self._connection: Any = None
        self._facts: Facts | None = None
        self._last_used = 0.0
        self._unsent: list[bytes | MergedSends] = []
        self._posted_at = 0.0
        self._awaited = 0
        self._lost = 0  # Answers that will not come, and that are still to be asked for: before those that are awaited.
        self._writing = threading.Lock()  # Another thread may write what was posted, and find that the server is lost.
        self._pid = os.getpid()

    def facts(self) -> Facts:
        """Return what is known of the server; opens the connection.

        Raises:
            LayerUnavailable: The server cannot be reached.
            UnsupportedRedis: The server cannot be used.
        """
        with self._writing:
            return self._ensure()

    def _ensure(self) -> Facts:
        if self._connection and not self._awaited and time.monotonic() - self._last_used > IDLE_SECONDS:
            self._close_if_stale()
        if self._connection is None or self._facts is None:
            self._open()
        assert self._facts is not None
        return self._facts

    def exchange(self, commands: Sequence[bytes]) -> list[Any]:
        """Send ``commands`` in one write and return their answers.

        Raises:
            LayerUnavailable: The server was lost, or failed at one of them.
        """
        self.write(commands)
        return self.read(commands)

    def post(self, commands: Sequence[bytes | MergedSends]) -> None:
        """Keep ``commands`` for the next write; their answers come before those of later ones."""
        with self._writing:
            self._ensure()
            if not self._unsent:
                self._posted_at = time.monotonic()
            self._unsent += commands

    def write(self, commands: Sequence[bytes] = ()) -> None:
        """Send what was posted, and ``commands``; the answers are then to be read."""
        with self._writing:
            if commands or self._unsent:
                self._ensure()
                self._send(commands)

    def write_late(self, wait: float) -> bool:
        """Send what was posted more than ``wait`` seconds ago; return whether something younger is left.

        For another thread than the link's own: it opens no connection.
        """
        if not self._unsent:
            return False
        with self._writing:
            if self._connection is None or not self._unsent:
                return False
            if time.monotonic() - self._posted_at < wait:
                return True
            self._send()
        return False

    def _send(self, more: Sequence[bytes] = ()) -> None:
        """Send what was posted, and ``more``, whose answers nobody asks for if that fails."""
        commands = [*self._posted(), *more]
        try:
            self._connection.send_packed_command((b"".join(commands),), check_health=False)
        except BaseException as error:
            self._fail(error)
            raise
        self._unsent = []
        self._awaited += len(commands)

    def _posted(self) -> list[bytes]:
        return [command for one in self._unsent for command in ([one] if isinstance(one, bytes) else one.commands)]

    def read(self, commands: Sequence[bytes]) -> list[Any]:
        """Return the answers to ``commands``, which were written before."""
        return self.mend(commands, self.read_as_is(len(commands)))

    def read_as_is(self, count: int) -> list[Any]:
        """Return the next ``count`` answers; a script that the server has forgotten is still to be mended.

        Raises:
            LayerUnavailable: The connection was lost since the commands were written.
        """
        connection, is_lost = self._connection, self._lost > 0
        self._lost -= min(count, self._lost)
        if is_lost or connection is None or self._awaited < count:
            raise self.shard.unavailable(ConnectionError("the connection was lost before the answer came"))
        self._awaited -= count
        try:
            replies = [_read_one(connection) for _ in range(count)]
        except BaseException as error:
            self._fail(error)
            raise
        self._last_used = time.monotonic()
        self.shard.health.recovered()
        return replies

    def mend(self, commands: Sequence[bytes], replies: list[Any]) -> list[Any]:
        """Return ``replies`` with those of forgotten scripts replaced; no other answers may be under way."""
        if not any(isinstance(reply, ResponseError) for reply in replies):
            return replies
        if lost := forgotten(replies):
            again = [*scripts.LOAD_ALL, *(commands[position] for position in lost)]
            self.write(again)
            fresh = self.read_as_is(len(again))[len(scripts.LOAD_ALL) :]
            for position, reply in zip(lost, fresh, strict=True):
                replies[position] = reply
        self.shard.check(replies)
        return replies

    def fileno(self) -> int:
        """Return the file descriptor of the open connection, to wait for its answer."""
        number: int = self._connection._sock.fileno()
        return number

    def abandon(self) -> None:
        """Close the connection; nobody will ask for the answers to what was posted or written."""
        self.close()
        self._unsent, self._lost = [], 0

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection, self._facts = self._connection, None, None
        self._lost, self._awaited = self._lost + self._awaited, 0
        if connection is not None:
            connection.disconnect()

    def _open(self) -> None:
        self.close()
        try:
            patience = self.shard.begin_attempt()
        except LayerUnavailable:
            self._lose_posted()
            raise
        if patience is not None:
            self._connect(patience)  # A try: the patience of a connection cannot be changed.
        self._connect(None)

    def _connect(self, patience: float | None) -> None:
        self.close()
        connection = self._connection = self.shard.open(patience)
        try:
            connection.connect()
            connection.send_packed_command((b"".join(HANDSHAKE),), check_health=False)
            replies = [_read_one(connection) for _ in HANDSHAKE]
            self._facts = read_handshake(replies, Moment.now(), self.shard.clock)
        except BaseException as error:
            self._fail(error, was_open=False)
            raise
        self._last_used = time.monotonic()
        self.shard.health.recovered()

    def _close_if_stale(self) -> None:
        try:
            is_stale = self._connection.can_read(0)  # Nothing was asked, so what can be read is the end.
        except FOREIGN_ERRORS:
            is_stale = True
        if is_stale:
            self.close()

    def _fail(self, error: BaseException, was_open: bool = True) -> None:
        self.close()
        self._lose_posted()
        if isinstance(error, FOREIGN_ERRORS):
            raise self.shard.unavailable(error, was_open) from error

    def _lose_posted(self) -> None:
        self._lost += len(self._posted())
        self._unsent = []

    def __del__(self) -> None:
        if self._pid == os.getpid():
            self.close()


def _read_one(connection: Any) -> Any:
    try:
        return connection.read_response(disable_decoding=True)
    except ResponseError as error:
        return error
