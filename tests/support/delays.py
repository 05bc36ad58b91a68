"""Delay servers in processes of their own, what they keep in their database, and what they send."""

import datetime
import json
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from channels.layers.base import Outgoing
from channels.layers.redis import RedisChannelLayer
from tests.support.postgres import PostgresServer
from tests.support.processes import Processes, wait_for

SETTINGS = """
SECRET_KEY = "not a secret: tests only"
USE_TZ = True
INSTALLED_APPS = ["channels", "channels.delay"]
CHANNEL_LAYERS = {{
    "default": {{"BACKEND": "channels.layers.redis.RedisChannelLayer", "CONFIG": {config!r}, "ROUTING": []}}
}}
DATABASES = {{"default": {database!r}}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""

SECONDS = 120
"""How long a thing may take that takes a few seconds on a machine with nothing else to do."""

QUERY = 'SELECT content, due_date FROM "channels.delay_delayedmessage"'

Rows = list[tuple[str, Any]]


def on_sqlite(directory: Path) -> tuple[dict[str, Any], Callable[[], Rows]]:
    """Return settings of a database in a file of ``directory``, and a function that returns the messages in it."""
    file = directory / "delays.sqlite3"

    def read() -> Rows:
        connection = sqlite3.connect(file, timeout=SECONDS)
        try:
            return connection.execute(QUERY).fetchall()
        finally:
            connection.close()

    return {"ENGINE": "django.db.backends.sqlite3", "NAME": str(file), "OPTIONS": {"timeout": 30}}, read


def on_postgres(server: PostgresServer) -> tuple[dict[str, Any], Callable[[], Rows]]:
    """Do the same for the database of ``server``."""
    options: dict[str, Any] = {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": server.user}

    def read() -> Rows:
        import psycopg

        with psycopg.connect(host=str(server.directory), user=server.user, dbname="postgres") as connection:
            return connection.execute(QUERY).fetchall()

    return {**options, "HOST": str(server.directory)}, read


def _timestamp(due_date: str | datetime.datetime) -> float:
    if isinstance(due_date, str):
        due_date = datetime.datetime.fromisoformat(due_date).replace(tzinfo=datetime.timezone.utc)
    return due_date.timestamp()


class Delays:
    """A site of delay servers.

    Args:
        directory: Where settings and log go.
        redis_url: The server of its layer.
        database: The settings of its database.
        read: Returns what waits in it.

    Attributes:
        due: When each message that was seen waiting is due, by number.
        came: When each message came, by number, as often as it came.
    """

    def __init__(self, directory: Path, redis_url: str, database: dict[str, Any], read: Callable[[], Rows]) -> None:
        config: dict[str, Any] = {
            "hosts": [redis_url],
            "capacity": 100_000,
            "delivery": {"asgi.delay": "at-least-once"},
            "redelivery_after": 2,
        }
        (directory / "delay_settings.py").write_text(SETTINGS.format(config=config, database=database))
        self.processes = Processes(directory, {"DJANGO_SETTINGS_MODULE": "delay_settings"})
        self.processes.environment["PYTHONPATH"] += f":{directory}"
        self.layer = RedisChannelLayer(**config)
        self._read = read
        self.due: dict[int, float] = {}
        self.came: dict[int, list[float]] = {}
        assert self.processes.start(["-m", "django", "migrate", "-v", "0"]).wait(SECONDS) == 0, self.processes.log()

    def start(self) -> "subprocess.Popen[bytes]":
        """Start a delay server and wait until it listens."""
        before = self.processes.log().count("Listening on")
        server = self.processes.start(["-m", "django", "rundelay"])
        wait_for(lambda: self.processes.log().count("Listening on") > before, "A delay server listens", SECONDS)
        return server

    def ask(self, count: int, first: float, span: float) -> None:
        """Ask for messages, numbered from 0, that are due at any time within ``span`` seconds after ``first``."""
        delays = [round((first + random.random() * span) * 1000) for _ in range(count)]
        for begin in range(0, count, 1000):
            batch = [
                Outgoing("asgi.delay", {"channel": "out", "content": {"n": number}, "delay": delays[number]})
                for number in range(begin, min(begin + 1000, count))
            ]
            assert set(self.layer.send_batch(batch)) == {None}

    def collect(self, count: int, during: Callable[[], None] = lambda: None) -> None:
        """Take what is sent until ``count`` messages came and nothing waits; call ``during`` again and again."""
        deadline = time.monotonic() + SECONDS
        look = 0.0
        while len(self.came) < count or self._read():
            assert time.monotonic() < deadline, f"{len(self.came)} of {count} came\n{self.processes.log()}"
            during()
            for delivery in self.layer.receive_batch(["out"], 1000, 0.2):
                self.came.setdefault(delivery.content["n"], []).append(time.time())
            if len(self.due) < count and time.monotonic() > look:
                look = time.monotonic() + 0.5
                self.due.update((json.loads(content)["n"], _timestamp(due_date)) for content, due_date in self._read())
        for delivery in self.layer.receive_batch(["out"], 1000, 1):
            self.came.setdefault(delivery.content["n"], []).append(time.time())

    def times_delivered(self) -> Counter[int]:
        """Return how many messages came how often."""
        return Counter(len(moments) for moments in self.came.values())

    def lateness(self) -> str:
        """Return how late messages were, in words."""
        late = sorted(self.came[number][0] - due for number, due in self.due.items())
        parts = [(name, late[min(len(late) - 1, int(len(late) * part))]) for name, part in PERCENTILES.items()]
        return ", ".join(f"{name} {1000 * seconds:.0f} ms" for name, seconds in parts)

    def kill(self, server: "subprocess.Popen[bytes]") -> None:
        """Kill a server, which must be running."""
        assert server.poll() is None, self.processes.log()
        server.send_signal(signal.SIGKILL)
        server.wait()

    def close(self) -> None:
        """Stop everything."""
        self.processes.stop()
        self.layer.close()


PERCENTILES = {"half": 0.5, "90 %": 0.9, "99 %": 0.99, "99.9 %": 0.999, "most": 1.0}
