"""Where the processes of one machine meet: a directory with one SQLite file. Opening it, and transactions.

Every change is one transaction in write-ahead mode, so a process that is killed at any moment leaves either all
of it or nothing, and its lock goes with it. Nothing is synchronised to a disk: messages need not outlive the machine.
"""

import errno
import os
import random
import sqlite3
import stat
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from channels.exceptions import ChannelsError, LayerUnavailable
from channels.layers.ipc import formats
from channels.layers.ipc.bells import SUFFIX, Bells
from channels.layers.ipc.forks import forks
from channels.layers.ipc.ledger import Ledger
from channels.layers.ipc.space import NoSpace, Space, no_space

T = TypeVar("T")

FILE_NAME = "messages.sqlite3"

LOCK_SECONDS = 10.0
"""How long the lock of another process is waited for. Transactions take less than a millisecond each."""

_LONGEST_SOCKET_PATH = 103
"""What all systems allow; Linux allows a few more."""


class Busy(Exception):
    """Another process is changing the file at this moment. Never leaves this package."""


def pauses(patience: float) -> Iterator[float]:
    """Yield how many seconds to wait before each further attempt, for ``patience`` seconds in all."""
    end = time.monotonic() + patience
    pause = 0.0002
    while time.monotonic() < end:
        yield pause * random.uniform(0.5, 1.5)  # noqa: S311 - jitter, not a secret
        pause = min(pause * 1.5, 0.005)


def default_directory(prefix: str) -> Path:
    """Return the directory in which this user's layers with this prefix meet; in memory where the system has that."""
    base = Path("/dev/shm")  # noqa: S108 - its directory is checked before use
    if not (base.is_dir() and os.access(base, os.W_OK)):
        base = Path(tempfile.gettempdir())
    return base / f"channels-{os.getuid()}-{prefix}"


class Place:
    """One process's access to the directory of a layer; opened when first used, opened anew when the file was removed.

    Args:
        directory: Made if it is not there; only its owner may enter it.
        make_ledger: Makes the ledger for a transaction.

    Raises:
        ValueError: The path is too long for the sockets in it.
    """

    def __init__(self, directory: Path, make_ledger: Callable[[sqlite3.Connection, Space], Ledger]) -> None:
        longest = len(os.fsencode(directory)) + 1 + 12 + len(SUFFIX)
        if longest > _LONGEST_SOCKET_PATH:
            raise ValueError(
                f"The directory of an IPC layer is too long for the names of sockets in it: {directory} "
                f"is {longest - _LONGEST_SOCKET_PATH} characters over."
            )
        self.pid = os.getpid()
        self.directory = directory
        self.bells = Bells(directory)
        self._make_ledger = make_ledger
        self._file = directory / FILE_NAME
        # Reentrant: a coroutine collected as garbage while the lock is held takes it again in its `finally`.
        self._lock = threading.RLock()
        self._is_busy = False
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        forks.watch(self)

    def attempt(self, operation: Callable[[Ledger], T]) -> tuple[T, Ledger]:
        """Do ``operation`` in one transaction and return its result, and the ledger that it left.

        Raises:
            Busy: Another process is changing the file, or this thread is in the middle of that; nothing was done.
            NoSpace: There is no space left for the file.
            LayerUnavailable: The file cannot be used.
        """
        with self._lock:
            if self._is_busy:
                raise Busy
            self._is_busy = True
            try:
                return self._transact(operation)
            except sqlite3.Error as error:
                text = str(error)
                if "locked" in text or "locking" in text:
                    raise Busy from error
                if "full" in text:
                    raise NoSpace(no_space(self.directory)) from error
                self._close()
                raise self.unavailable(f"{text}. If it stays so, stop all processes that use it and remove it") from (
                    error
                )
            except OSError as error:
                self._close()
                raise self.unavailable(str(error)) from error
            except (AttributeError, TypeError, ValueError, OverflowError) as error:
                if isinstance(error, ChannelsError):
                    raise
                # SQLite keeps any value in any column.
                self._close()
                raise self.unavailable(
                    f"its file holds what is not ours ({error}). Stop all processes that use it and remove it"
                ) from error
            finally:
                self._is_busy = False

    def _transact(self, operation: Callable[[Ledger], T]) -> tuple[T, Ledger]:
        connection = self._open()
        connection.execute("BEGIN IMMEDIATE")
        try:
            ledger = self._make_ledger(connection, Space(self.directory, connection))
            result = operation(ledger)
            ledger.settle()
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        return result, ledger

    def unavailable(self, why: str) -> LayerUnavailable:
        """Return the error that says which directory cannot be used, and why; nothing was done in it."""
        error = LayerUnavailable(f"The IPC layer in {self.directory}: {why}.")
        error.was_asked = False
        return error

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            if self._identity == self._look():
                return self._connection
            self._close()
        self._make_directory()
        connection = sqlite3.connect(self._file, timeout=0, isolation_level=None, check_same_thread=False)
        try:
            if formats.is_foreign(connection) and not formats.remake(connection, self.directory):
                raise self.unavailable(
                    "it was made by another version of this package, which still uses it: stop all processes that do, "
                    "or use another 'prefix'"
                )
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = OFF")
            self._prepare(connection)
            self._identity = self._look()
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _look(self) -> tuple[int, int] | None:
        try:
            found = self._file.stat()
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def _make_directory(self) -> None:
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = self.directory.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            # Otherwise others could read messages, or make them.
            raise PermissionError(errno.EPERM, "it must be a directory that only its owner, this user, may enter")

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("BEGIN IMMEDIATE")
        try:
            formats.make_tables(connection)
            for bell in self.bells.remove_dead():
                connection.execute("DELETE FROM waiters WHERE bell = ?", (bell,))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def hold(self) -> None:
        """Close the file, and open it no more until ``let_go``; it is closed while this process is forked."""
        self._lock.acquire()
        self._close()

    def let_go(self) -> None:
        """Let the next use open the file again."""
        self._lock.release()

    def close(self) -> None:
        """Close the file and give up the bells; the next use opens it again."""
        with self._lock:
            self._close()
        self.bells.close()
