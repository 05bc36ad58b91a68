"""A Redis layer whose servers are found through Sentinels: when a master is lost, connections go to its heir."""

import asyncio
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ReadOnlyError, ResponseError

from channels.layers.base import DEFAULT_EXPIRY, DEFAULT_GROUP_EXPIRY
from channels.layers.redis.health import Health
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.shards import CONNECT_TIMEOUT, FOREIGN_ERRORS, ServerClock, Shard, connection_options
from channels.utils import kinds_of

Address = tuple[str, int]

SENTINEL_TIMEOUT = 1.0
"""Seconds until a Sentinel that does not answer is passed over."""


class Sentinels:
    """The Sentinels of a layer, and what they were asked.

    Args:
        hosts: Their addresses; whichever answered last is asked first.
        options: Keywords for redis-py's connections to them.
    """

    def __init__(self, hosts: Sequence[Address], options: Mapping[str, Any]) -> None:
        self._hosts = list(hosts)
        self._options = {
            "protocol": 2,
            "decode_responses": True,
            "socket_timeout": SENTINEL_TIMEOUT,
            "socket_connect_timeout": SENTINEL_TIMEOUT,
            **options,
        }

    def ask(self, *words: str) -> Any:
        """Return the first answer of a Sentinel to the command ``words``.

        Raises:
            redis.ConnectionError: None answers; the text says what each one did.
        """
        problems = []
        for host in list(self._hosts):
            connection: Any = redis.Connection(host=host[0], port=host[1], **self._options)  # type: ignore[no-untyped-call]
            try:
                connection.connect()
                connection.send_command("SENTINEL", *words)
                answer: Any = connection.read_response()
                if answer is not None:
                    self._prefer(host)
                    return answer
                problems.append(_unknown(host, words))
            except FOREIGN_ERRORS as error:
                problems.append(f"{host[0]}:{host[1]}: {error}")
            finally:
                connection.disconnect()
        raise _nobody(problems)

    async def aask(self, *words: str) -> Any:
        """``ask`` for an event loop."""
        problems = []
        for host in list(self._hosts):
            connection: Any = redis.asyncio.Connection(host=host[0], port=host[1], **self._options)
            try:
                await connection.connect()
                await connection.send_command("SENTINEL", *words)
                answer: Any = await asyncio.wait_for(connection.read_response(), SENTINEL_TIMEOUT)
                if answer is not None:
                    self._prefer(host)
                    return answer
                problems.append(_unknown(host, words))
            except (*FOREIGN_ERRORS, asyncio.TimeoutError) as error:
                problems.append(f"{host[0]}:{host[1]}: {error}")
            finally:
                await connection.disconnect(nowait=True)
        raise _nobody(problems)

    def _prefer(self, host: Address) -> None:
        if self._hosts[0] != host:
            self._hosts = [host, *(other for other in self._hosts if other != host)]

    def services(self) -> list[str]:
        """Return the names of all masters that a Sentinel watches, sorted.

        Raises:
            redis.ConnectionError: No Sentinel answers.
        """
        return sorted(dict(zip(master[::2], master[1::2], strict=True))["name"] for master in self.ask("MASTERS"))


def _unknown(host: Address, words: Sequence[str]) -> str:
    return f"{host[0]}:{host[1]}: it knows nothing of {words[-1]}"


def _nobody(problems: Sequence[str]) -> redis.ConnectionError:
    return redis.ConnectionError(f"Could not get master info from sentinel: {'; '.join(problems)}")


class Master:
    """Where the master of one service is.

    Args:
        sentinels: Whom to ask.
        service: Name of the master.
        refresh_interval: Seconds for which an answer is good; 0 asks for each connection.
    """

    def __init__(self, sentinels: Sentinels, service: str, refresh_interval: float) -> None:
        self._sentinels = sentinels
        self._words = ("GET-MASTER-ADDR-BY-NAME", service)
        self._refresh_interval = refresh_interval
        self._known: tuple[float, Address] | None = None

    def find(self) -> Address:
        """Return host and port of the master."""
        return self._fresh() or self._learn(self._sentinels.ask(*self._words))

    async def afind(self) -> Address:
        """``find`` for an event loop."""
        return self._fresh() or self._learn(await self._sentinels.aask(*self._words))

    def _fresh(self) -> Address | None:
        known = self._known
        return known[1] if known is not None and time.monotonic() < known[0] else None

    def _learn(self, answer: Sequence[str]) -> Address:
        address = (answer[0], int(answer[1]))
        self._known = (time.monotonic() + self._refresh_interval, address)
        return address

    def forget(self) -> None:
        """Ask again for the next connection: the one found cannot be reached, or is the master no more."""
        self._known = None


def _is_read_only(error: ResponseError) -> bool:
    """Return whether a replica refused a write; Redis 6 quotes in an error of its own what it told a script."""
    return isinstance(error, ReadOnlyError) or "-READONLY " in str(error)


class _ThreadConnection(redis.Connection):
    """A connection to whoever is the master when it opens."""

    def __init__(self, *, master: Master, **options: Any) -> None:
        self._master = master
        super().__init__(**options)  # type: ignore[no-untyped-call]

    def connect(self) -> None:
        self.host, self.port = self._master.find()
        try:
            super().connect()  # type: ignore[no-untyped-call]
        except FOREIGN_ERRORS:
            self._master.forget()
            raise

    def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return super().read_response(*args, **options)
        except ResponseError as error:
            if not _is_read_only(error):
                raise
            self._master.forget()
            self.disconnect()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError("the server is not the master any more") from error


class _LoopConnection(redis.asyncio.Connection):
    """The same for an event loop."""

    def __init__(self, *, master: Master, **options: Any) -> None:
        self._master = master
        super().__init__(**options)

    async def connect(self) -> None:
        self.host, self.port = await self._master.afind()
        try:
            await super().connect()  # type: ignore[no-untyped-call]
        except FOREIGN_ERRORS:
            self._master.forget()
            raise

    async def read_response(self, *args: Any, **options: Any) -> Any:
        try:
            return await super().read_response(*args, **options)
        except ResponseError as error:
            if not _is_read_only(error):
                raise
            self._master.forget()
            await self.disconnect(nowait=True)
            raise redis.ConnectionError("the server is not the master any more") from error


class _ThreadSSLConnection(_ThreadConnection, redis.SSLConnection):
    """The same over TLS."""


class _LoopSSLConnection(_LoopConnection, redis.asyncio.SSLConnection):
    """The same over TLS."""


class SentinelShard(Shard):
    """The master of one service, wherever it is.

    Args:
        sentinels: Whom to ask for it.
        service: Its name.
        refresh_interval: Seconds for which an answer is good.
        options: Keywords for redis-py's connections; ``ssl`` chooses TLS.
    """

    def __init__(self, sentinels: Sentinels, service: str, refresh_interval: float, options: Mapping[str, Any]) -> None:
        self.label = f"sentinel://{service}"
        self.health = Health(self.label, CONNECT_TIMEOUT)
        self.clock = ServerClock()
        options = {**options, "master": Master(sentinels, service, refresh_interval)}
        is_encrypted = bool(options.pop("ssl", False))
        self.socket_timeout, for_threads, for_loops = connection_options(options)
        self._pool = redis.ConnectionPool(
            connection_class=_ThreadSSLConnection if is_encrypted else _ThreadConnection, **for_threads
        )
        self._async_pool = redis.asyncio.ConnectionPool(
            connection_class=_LoopSSLConnection if is_encrypted else _LoopConnection, **for_loops
        )


class RedisSentinelChannelLayer(RedisChannelLayer):
    """Carries messages over the masters that Redis Sentinels watch; survives their failover without a restart.

    While a master is lost its operations raise ``LayerUnavailable``; messages that no replica had are lost with it.

    Args:
        hosts: Sentinels, as pairs of host and port; None is ``localhost:26379``.
        services: Names of masters, each a shard; None takes all that the Sentinels watch.
        sentinel_refresh_interval: Seconds for which the address of a master is kept; 0 asks for each connection.
        sentinel_kwargs: Keywords for redis-py's connections to the Sentinels, such as ``password``.
        connection_kwargs: Keywords for those to the masters, such as ``db``, ``password`` and ``ssl``.
        expiry, prefix, group_expiry, capacity, channel_capacity: As for ``RedisChannelLayer``.
        symmetric_encryption_keys, stats_prefix, kwargs: As for ``RedisChannelLayer``.

    Raises:
        ValueError: One of them makes no sense; the text says which.
        redis.ConnectionError: ``services`` is None and no Sentinel answers.
    """

    def __init__(
        self,
        expiry: float = DEFAULT_EXPIRY,
        hosts: Iterable[Address] | None = None,
        prefix: str = "asgi:",
        group_expiry: float = DEFAULT_GROUP_EXPIRY,
        capacity: int | None = None,
        channel_capacity: Mapping[str | re.Pattern[str], int] | None = None,
        symmetric_encryption_keys: Sequence[str | bytes] | None = None,
        stats_prefix: str = "asgi-meta:",
        connection_kwargs: Mapping[str, Any] | None = None,
        services: Sequence[str] | None = None,
        sentinel_refresh_interval: float = 0,
        sentinel_kwargs: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if services is not None:
            _require_services(services)
        sentinels = Sentinels(_addresses(hosts), sentinel_kwargs or {})
        options = connection_kwargs or {}
        super().__init__(
            expiry=expiry,
            hosts=[
                SentinelShard(sentinels, service, sentinel_refresh_interval, options)
                for service in (sentinels.services() if services is None else services)
            ],
            prefix=prefix,
            group_expiry=group_expiry,
            capacity=capacity,
            channel_capacity=channel_capacity,
            symmetric_encryption_keys=symmetric_encryption_keys,
            stats_prefix=stats_prefix,
            **kwargs,
        )


def _require_services(services: Any) -> None:
    if isinstance(services, str) or not all(isinstance(service, str) for service in services):
        raise ValueError(f"Sentinel service types must be a list of the names of masters, not {services!r}.")


def _addresses(hosts: Any) -> list[Address]:
    if hosts is None:
        return [("localhost", 26379)]
    if isinstance(hosts, str | bytes):
        raise ValueError("ASGI Redis hosts must be specified as an iterable list of hosts.")
    addresses = []
    for host in hosts:
        if isinstance(host, str | bytes):
            raise ValueError("Sentinel Redis host entries must be specified as tuples, not strings.")
        try:
            name, port = host
            addresses.append((str(name), int(port)))
        except (TypeError, ValueError):
            raise ValueError(f"A Sentinel is a pair of host and port, not {kinds_of(host)}.") from None
    if not addresses:
        raise ValueError("ASGI Redis hosts must name at least one host.")
    return addresses
