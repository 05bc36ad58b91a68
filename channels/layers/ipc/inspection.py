"""Inspection of the layer between processes."""

from channels import names
from channels.layers import encoding
from channels.layers.inspection import MOST_NAMES, Announcement, Unread
from channels.layers.ipc.ledger import Ledger
from channels.layers.ipc.steps import Runner
from channels.types import Content


class LedgerInspection:
    """See ``channels.layers.inspection.Inspection``. Each call is one transaction.

    Args:
        runner: Carries out changes.
        expiry: Seconds that messages live.
    """

    def __init__(self, runner: Runner, expiry: float) -> None:
        self._runner = runner
        self._expiry = expiry

    def now(self) -> float:
        """Return the time."""
        now: float = self._runner.change(lambda ledger: ledger.now)
        return now

    def announce(self, name: str, content: Content, lifetime: float) -> None:
        """Show ``content`` under ``name``."""
        body = encoding.encode(content)
        self._runner.change(
            lambda ledger: ledger.execute(
                "INSERT OR REPLACE INTO announced VALUES (?, ?, ?, ?)", (name, ledger.now, ledger.now + lifetime, body)
            )
        )

    def withdraw(self, name: str) -> None:
        """Show nothing under ``name`` any more."""
        self._runner.change(lambda ledger: ledger.execute("DELETE FROM announced WHERE name = ?", (name,)))

    def announced(self) -> list[Announcement]:
        """Return what is announced, by name."""

        def read(ledger: Ledger) -> list[tuple[str, bytes, float]]:
            ledger.execute("DELETE FROM announced WHERE until <= ?", (ledger.now,))
            return ledger.execute("SELECT name, body, at FROM announced ORDER BY name").fetchall()

        return [Announcement(name, _decode(body), at) for name, body, at in self._runner.change(read)]

    def channels(self) -> list[str]:
        """Return the queues that hold messages or did lately."""
        rows = self._runner.change(
            lambda ledger: ledger.execute("SELECT name FROM queues ORDER BY name LIMIT ?", (MOST_NAMES,)).fetchall()
        )
        return [name for (name,) in rows]

    def groups(self) -> dict[str, int]:
        """Return the groups and how many members each has."""
        question = "SELECT name, COUNT(*) FROM members WHERE until > ? GROUP BY name ORDER BY name LIMIT ?"
        return dict(self._runner.change(lambda ledger: ledger.execute(question, (ledger.now, MOST_NAMES)).fetchall()))

    def peek(self, channel: str, limit: int = 10) -> list[Unread]:
        """Return the oldest messages of a queue."""
        queue = names.non_local_name(names.require_channel_name(channel))

        def read(ledger: Ledger) -> list[tuple[float, str, bytes]]:
            ledger.purge(queue)
            question = "SELECT ? - expires, receivers, body FROM messages WHERE queue = ? ORDER BY id LIMIT ?"
            return ledger.execute(question, (ledger.now + self._expiry, queue, limit)).fetchall()

        rows = self._runner.change(read)
        return [Unread(tuple(channels.split(",")), _decode(body), age) for age, channels, body in rows]

    def discard(self, channel: str) -> int:
        """Remove all messages of a queue."""
        queue = names.non_local_name(names.require_channel_name(channel))

        def remove(ledger: Ledger) -> int:
            ledger.purge(queue)
            rows = ledger.execute("SELECT id, size FROM messages WHERE queue = ? ORDER BY id", (queue,)).fetchall()
            if rows:
                ledger.drop(queue, rows)
            return len(rows)

        count: int = self._runner.change(remove)
        return count


def _decode(body: bytes) -> Content:
    try:
        return encoding.decode(body)
    except ValueError as error:
        return {"unreadable": str(error)}
