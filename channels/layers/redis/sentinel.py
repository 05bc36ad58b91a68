"""A Redis layer whose servers are found through Sentinels: when a master is lost, connections go to its heir."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import redis
import redis.asyncio
from redis.exceptions import ReadOnlyError, ResponseError

from channels.layers.base import DEFAULT_EXPIRY, DEFAULT_GROUP_EXPIRY
from channels.layers.redis.health import Health
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.masters import Address, Master, Sentinels
from channels.layers.redis.shards import CONNECT_TIMEOUT, FOREIGN_ERRORS, ServerClock, Shard, connection_options
from channels.utils import kinds_of


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
