"""What a Redis server is asked, and in how many round trips: MONITOR beside a proxy that counts them."""

import threading
import time
import uuid
from collections.abc import Callable, Collection
from typing import NamedTuple

import redis

from channels.layers.redis import scripts
from tests.support.proxy import Proxy
from tests.support.redis import RedisServer

SECONDS = 60
"""How long a command may take to be seen on a machine that is busy."""

_SCRIPTS = {
    script.digest.decode(): name.lower() for name, script in vars(scripts).items() if isinstance(script, scripts.Script)
}


class Trace(NamedTuple):
    """What was seen.

    Attributes:
        round_trips: How often somebody waited for the server.
        commands: What clients asked for, in order: names of commands, and of scripts in lower case.
        inside: What the scripts asked for, in order.
    """

    round_trips: int
    commands: list[str]
    inside: list[str]


class _Command(NamedTuple):
    words: list[str]
    is_inside: bool


class Watched:
    """A server that is watched while the context lasts; clients have to come by ``url``.

    Args:
        server: The server.
    """

    def __init__(self, server: RedisServer) -> None:
        self._proxy = Proxy(server.port)
        self.url = f"redis://127.0.0.1:{self._proxy.port}/0"
        # Nobody may ask the server anything for longer than a client's own default.
        self._client = redis.Redis.from_url(server.url, socket_timeout=None)
        self._seen: list[_Command] = []
        self._changed = threading.Condition()
        self._monitor = self._client.monitor()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Watched":
        self._monitor.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._client.echo("end of the watch")
        self._thread.join(SECONDS)
        self._monitor.__exit__(*exc)
        self._client.close()
        self._proxy.close()

    def _watch(self) -> None:
        while True:
            seen = self._monitor.next_command()
            words = seen["command"].split(" ")
            with self._changed:
                self._seen.append(_Command(words, seen["client_type"] == "lua"))
                self._changed.notify_all()
            if seen["command"] == "ECHO end of the watch":
                return

    def during(self, action: Callable[[], object], until: Callable[[list[str]], bool] = bool) -> Trace:
        """Return what ``action`` causes.

        Args:
            action: What is done meanwhile.
            until: Returns whether these commands of clients are all there will be; those who go on working after
                ``action``, in other threads and processes, are waited for that long.
        """
        first, trips = self._mark(), self._proxy.round_trips
        action()
        with self._changed:
            assert self._changed.wait_for(lambda: until(self._commands(first)), SECONDS), self._commands(first)
        last = self._mark()
        inside = [one.words[0] for one in self._seen[first : last - 1] if one.is_inside]
        return Trace(self._proxy.round_trips - trips, self._commands(first, last - 1), inside)

    def _commands(self, first: int, last: int | None = None) -> list[str]:
        return [_name(one.words) for one in self._seen[first:last] if not one.is_inside]

    def _mark(self) -> int:
        """Wait until everything asked so far has been seen; return how much that is."""
        token = uuid.uuid4().hex
        self._client.echo(token)
        deadline = time.monotonic() + SECONDS
        with self._changed:
            while True:
                for number, one in enumerate(self._seen):
                    if one.words == ["ECHO", token]:
                        return number + 1
                assert self._changed.wait(deadline - time.monotonic()), "MONITOR fell silent"


def _name(words: list[str]) -> str:
    return _SCRIPTS[words[1]] if words[0] == "EVALSHA" else words[0]


def without(commands: list[str], others: Collection[str]) -> list[str]:
    """Return ``commands`` but for ``others``, which are done about once a second, whatever else is done."""
    return [command for command in commands if command not in others]
