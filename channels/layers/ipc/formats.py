"""The format of the file of a layer between processes: its tables, and what happens to a file of another format."""

import logging
import sqlite3
from pathlib import Path

from channels import counters

logger = logging.getLogger("django.channels.layers")

VERSION = 4
"""Of the tables below; kept in the file, so that another version of this package does not misread them."""

SCHEMA = """
CREATE TABLE queues (name TEXT PRIMARY KEY, pending INT, sent INT, refused INT, used REAL) WITHOUT ROWID;
CREATE TABLE messages (id INTEGER PRIMARY KEY, queue TEXT, expires REAL, size INT, via_group INT, receivers TEXT,
    body BLOB);
CREATE INDEX messages_of_queue ON messages (queue);
CREATE TABLE members (name TEXT, channel TEXT, until REAL, PRIMARY KEY (name, channel)) WITHOUT ROWID;
CREATE INDEX members_by_channel ON members (channel);
CREATE TABLE waiters (id INTEGER PRIMARY KEY, queue TEXT, bell TEXT, UNIQUE (queue, bell));
CREATE INDEX waiters_by_bell ON waiters (bell);
CREATE TABLE announced (name TEXT PRIMARY KEY, at REAL, until REAL, body BLOB) WITHOUT ROWID;
CREATE TABLE lines (connection TEXT PRIMARY KEY, until REAL, is_waiting INT, due REAL, body BLOB) WITHOUT ROWID;
CREATE INDEX waiting_lines ON lines (due) WHERE is_waiting;
CREATE TABLE totals (messages_size INT, members_size INT, sent INT, refused INT, next_sweep REAL, epoch TEXT);
INSERT INTO totals VALUES (0, 0, 0, 0, 0, lower(hex(randomblob(8))));
"""


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def is_foreign(connection: sqlite3.Connection) -> bool:
    """Return whether another version of this package made the file, with tables that are not ours."""
    return _version(connection) not in (0, VERSION)


def make_tables(connection: sqlite3.Connection) -> None:
    """Make what is missing in a new file, in the transaction that is under way."""
    if _version(connection) == 0:
        for statement in SCHEMA.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")


def remake(connection: sqlite3.Connection, directory: Path) -> bool:
    """Empty a file that another version made, if no process has it open; return whether it is of our format now.

    Messages in it are lost, which is logged and counted. The bells stay: they are dead, and removed as such.
    """
    try:
        # SQLite leaves write-ahead mode only for the last connection to a file, whoever has the others.
        connection.execute("PRAGMA journal_mode = DELETE")
        connection.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        return False
    try:
        if is_foreign(connection):  # Else another process was quicker.
            _drop_all(connection, directory)
            make_tables(connection)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return True


def _drop_all(connection: sqlite3.Connection, directory: Path) -> None:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    lost = 0
    if "messages" in tables:
        (lost,) = connection.execute("SELECT COUNT(*) FROM messages").fetchone()
        counters.add("message.dropped.old_format", lost)
    logger.warning(
        "%s was made by another version of this package and is made anew; %d messages in it are lost.", directory, lost
    )
    for name in tables:
        connection.execute(f'DROP TABLE "{name}"')
    connection.execute("PRAGMA user_version = 0")
