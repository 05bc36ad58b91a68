"""How to reach the Redis servers of a layer: one factory for threads, event loops and plain clients.

Also what is said when a connection opens, and how errors of the client library become ours.
"""

import itertools
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    BusyLoadingError,
    MasterDownError,
    NoScriptError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.retry import Retry

from channels import counters
from channels.exceptions import LayerUnavailable, UnsupportedRedis
from channels.layers.redis import scripts
from channels.layers.redis.health import Health
from channels.layers.redis.urls import host_urls, public_url

BLOCK_SECONDS = 5.0
"""Longest that the server is asked to wait in one command."""

SOCKET_TIMEOUT = 20.0
"""Default seconds until a silent server counts as lost. Redis clients' own default may be shorter than a wait."""

CONNECT_TIMEOUT = 5.0

ATTEMPT_SECONDS = 1.0
"""How long an attempt to reach a lost server takes, unless ``socket_connect_timeout`` says so: who makes it has others
to serve."""

OLDEST_REDIS = (6, 2)

FOREIGN_ERRORS = (RedisError, OSError, EOFError)
"""What a connection of redis-py raises when the server is lost or confused."""

REFUSALS = (OutOfMemoryError, ReadOnlyError, MasterDownError, BusyLoadingError)
"""What a server answers that did nothing: a script is refused as a whole, at its first write."""

OTHER_REFUSALS = re.compile("(^|-)(BUSY|MISCONF|NOREPLICAS|OOM|READONLY) ")
"""The same where the client library knows no class for it, as for those of scripts on Redis 6."""

TIME = scripts.command(b"TIME")

HANDSHAKE = [
    TIME,
    scripts.command(b"CLIENT", b"ID"),
    scripts.command(b"INFO", b"server"),
    *scripts.LOAD_ALL,
]
"""What every connection sends first."""


class Moment(NamedTuple):
    """A time in milliseconds, by two clocks of this machine: one that can be set, and one that cannot."""

    wall_ms: float
    steady_ms: float

    @classmethod
    def now(cls) -> "Moment":
        """Return this moment."""
        return cls(time.time() * 1000, time.monotonic() * 1000)


class ServerClock:
    """What time it is on a server, as far as connections to it have learned."""

    def __init__(self) -> None:
        self._known = (0.0, Moment(0.0, 0.0))

    def learn(self, reply: Sequence[bytes], then: Moment) -> None:
        """Remember what the server answered to TIME, and when the answer had come."""
        seconds, microseconds = reply
        self._known = (int(seconds) * 1000 + int(microseconds) / 1000, then)

    def now_ms(self) -> float:
        """Return the server's time, in milliseconds since the epoch; rather too early than too late.

        Where our clock was set meanwhile, alone or together with the server's, one of the two ways to tell is right.
        Where the server's alone was set back this is too late: it must be asked before anything counts as expired.
        """
        server_ms, then = self._known
        now = Moment.now()
        return server_ms + min(now.wall_ms - then.wall_ms, now.steady_ms - then.steady_ms)


class Facts(NamedTuple):
    """What is known of a server when a connection to it has opened."""

    clock: ServerClock
    client_id: int
    has_blmpop: bool


def read_handshake(replies: Sequence[Any], then: Moment, clock: ServerClock) -> Facts:
    """Return what the answers to ``HANDSHAKE`` say.

    Args:
        replies: One for each command.
        then: When they had come.
        clock: Learns the server's time.

    Raises:
        UnsupportedRedis: The server is too old, or refuses a command.
        ResponseError: It refuses them for now: a script has been running for long.
    """
    for reply in replies:
        if isinstance(reply, ResponseError):
            if OTHER_REFUSALS.search(str(reply)):
                raise reply
            raise UnsupportedRedis(f"The server refused a command that the layer needs: {reply}") from reply
    time_now, client_id, info = replies[:3]
    found = re.search(rb"redis_version:(\d+)\.(\d+)", info)
    version = (int(found[1]), int(found[2])) if found else OLDEST_REDIS
    if version < OLDEST_REDIS:
        raise UnsupportedRedis(f"Redis {version[0]}.{version[1]} is too old: use 6.2 or later.")
    clock.learn(time_now, then)
    return Facts(clock, int(client_id), version >= (7, 0))


class Shard:
    """One Redis server.

    Args:
        url: As redis-py understands it: ``redis://``, ``rediss://`` or ``unix://``.
        options: Keywords for redis-py's connections.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        self.label = public_url(url)
        self.health = Health(self.label, options.get("socket_connect_timeout") or ATTEMPT_SECONDS)
        self.clock = ServerClock()
        self.socket_timeout, for_threads, for_loops = connection_options(options)
        try:
            self._pool = redis.ConnectionPool.from_url(url, **for_threads)
            self._async_pool = redis.asyncio.ConnectionPool.from_url(url, **for_loops)
        except ValueError:
            # Its text may hold a part of the password.
            raise ValueError(
                f"The URL of the Redis host {self.label} cannot be read. Its scheme must be redis://, rediss:// or "
                "unix://; in a password percent-encode all but letters and digits."
            ) from None

    @property
    def block_seconds(self) -> float:
        """Longest wait in one command that leaves the answer time to arrive."""
        return min(BLOCK_SECONDS, self.socket_timeout * 0.8)

    def begin_attempt(self) -> float | None:
        """Say that a connection is about to be opened.

        Returns:
            Within how many seconds the server must answer if it is lost; else None.

        Raises:
            LayerUnavailable: The server is lost, it has peers, and it is too early to try again.
        """
        patience = self.health.attempt_seconds if self.health.is_lost else None
        if not self.health.begin_attempt():
            error = LayerUnavailable(f"Redis at {self.label} is lost; it is tried again within seconds.")
            error.was_asked = False
            raise error
        return patience

    def open(self, patience: float | None = None) -> Any:
        """Return a new connection for a thread, not connected yet; with ``patience`` it waits no longer than that."""
        limits = {} if patience is None else {"socket_timeout": patience, "socket_connect_timeout": patience}
        # Not by the pool's own method: it counts what it made, and refuses after so many connections were lost.
        return self._pool.connection_class(**{**self._pool.connection_kwargs, **limits})

    def open_async(self) -> Any:
        """Return a new connection for an event loop, not connected yet."""
        return self._async_pool.connection_class(**self._async_pool.connection_kwargs)

    def client(self) -> "redis.Redis":
        """Return a client of redis-py for this server."""
        return redis.Redis(connection_pool=self._pool)

    def keys_from(self, prefix: str, kind: str | None = None) -> Iterator[bytes]:
        """Yield all keys that begin with ``prefix``; with ``kind``, one of Redis's types, only those that hold it.

        Raises:
            LayerUnavailable: The server failed.
        """
        try:
            yield from self.client().scan_iter(literally(prefix) + "*", count=1000, _type=kind)
        except FOREIGN_ERRORS as error:
            raise self.unavailable(error) from error

    def forget(self, prefixes: Iterable[str]) -> None:
        """Remove all keys that begin with one of ``prefixes``.

        Raises:
            LayerUnavailable: The server failed.
        """
        client = self.client()
        try:
            for prefix in prefixes:
                keys = self.keys_from(prefix)
                while chunk := list(itertools.islice(keys, 1000)):
                    self.unlink(client, chunk)
        except FOREIGN_ERRORS as error:
            raise self.unavailable(error) from error

    def unlink(self, client: Any, keys: Sequence[bytes]) -> None:
        """Remove ``keys``, some of which may be gone."""
        client.unlink(*keys)

    def close(self) -> None:
        """Close the connections that clients made here left open."""
        self._pool.disconnect()

    def unavailable(self, error: BaseException, was_open: bool = True) -> LayerUnavailable:
        """Count a failure; return the error that says which server failed, how, and what to look at."""
        counters.add("layer.failed.connection")
        if not isinstance(error, ResponseError):
            self.health.failed(error)
        unavailable = LayerUnavailable(
            f"Redis at {self.label} cannot be used: {error or type(error).__name__} "
            f"(is it running, and is 'hosts' in CONFIG of the layer right?)"
        )
        is_refusal = isinstance(error, REFUSALS) or OTHER_REFUSALS.search(str(error)) is not None
        unavailable.was_asked = was_open and not is_refusal
        return unavailable

    def check(self, replies: Iterable[Any]) -> None:
        """Raise the first error among ``replies``, if there is one.

        Raises:
            LayerUnavailable: The server did not do what it was asked.
            UnsupportedRedis: It does not know the command.
        """
        for reply in replies:
            if isinstance(reply, ResponseError):
                if "unknown command" in str(reply).lower():
                    raise UnsupportedRedis(f"Redis at {self.label}: {reply}") from reply
                raise self.unavailable(reply) from reply


def literally(text: str) -> str:
    """Return the pattern of keys that matches ``text`` only."""
    return re.sub(r"([\\*?\[\]])", r"\\\1", text)


def connection_options(options: Mapping[str, Any]) -> tuple[float, dict[str, Any], dict[str, Any]]:
    """Return the socket timeout in seconds, and the keywords for connections of threads and of event loops.

    Raises:
        ValueError: The socket timeout is shorter than a wait.
    """
    common = {"protocol": 2, "socket_connect_timeout": CONNECT_TIMEOUT, **options}
    timeout: float | None = common.pop("socket_timeout", None)
    if timeout is not None and timeout < BLOCK_SECONDS:
        raise ValueError("The socket timeout must be at least 5 seconds")
    timeout = timeout or SOCKET_TIMEOUT
    # Reconnecting is ours: a command that was sent twice could be a message delivered twice.
    for_threads = {"retry": Retry(NoBackoff(), 0), "socket_timeout": timeout, **common}
    return timeout, for_threads, {"retry": AsyncRetry(NoBackoff(), 0), "socket_timeout": None, **common}


def forgotten(replies: Sequence[Any]) -> list[int]:
    """Return the positions of the commands whose script the server has forgotten."""
    return [position for position, reply in enumerate(replies) if isinstance(reply, NoScriptError)]


def make_shards(hosts: Any, connection_kwargs: Mapping[str, Any] | None) -> list[Shard]:
    """Return a shard for each of ``hosts``.

    Args:
        hosts: URLs, pairs of host and port, or shards; None is one server on this machine.
        connection_kwargs: Keywords for redis-py's connections.

    Raises:
        ValueError: ``hosts`` is not a list of hosts, or the socket timeout is too short.
    """
    options = connection_kwargs or {}
    shards = [host if isinstance(host, Shard) else Shard(host, options) for host in host_urls(hosts, Shard)]
    for shard in shards:
        shard.health.has_peers = len(shards) > 1
    return shards
