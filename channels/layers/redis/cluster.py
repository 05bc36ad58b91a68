"""A layer on a Redis Cluster: whatever one script touches has one hash tag, and slots are followed when they move."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from redis.exceptions import ResponseError

from channels.exceptions import LayerUnavailable
from channels.layers.base import DEFAULT_EXPIRY
from channels.layers.redis.cluster_map import REDIRECTIONS, Address, ClusterRoutes, SlotRing
from channels.layers.redis.encryption import Veil
from channels.layers.redis.keys import Keys
from channels.layers.redis.layer import RedisChannelLayer
from channels.layers.redis.ring import Ring
from channels.layers.redis.routes import Routes
from channels.layers.redis.shards import Shard
from channels.layers.redis.urls import host_urls, public_url


class ClusterNode(Shard):
    """One node of a cluster.

    Args:
        url: As redis-py understands it.
        options: Keywords for redis-py's connections.
    """

    def __init__(self, url: str, options: Mapping[str, Any]) -> None:
        super().__init__(url, options)
        self.health.has_peers = True

    def check(self, replies: Iterable[Any]) -> None:
        # Whoever sent the commands follows the slots.
        found = [reply for reply in replies if not isinstance(reply, REDIRECTIONS)]
        try:
            super().check(found)
        except LayerUnavailable as error:
            # None of them may be sent again if one of them was carried out.
            error.was_asked = error.was_asked or not all(isinstance(reply, ResponseError) for reply in found)
            raise

    def unlink(self, client: Any, keys: Sequence[bytes]) -> None:
        # One command could not remove keys of several slots.
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.unlink(key)
        pipeline.execute(raise_on_error=False)


class RedisClusterChannelLayer(RedisChannelLayer):
    """Carries messages over a Redis Cluster; survives moves of slots and failovers without a restart.

    Each channel and each group is in the slot of its name. While a master is lost, what concerns its slots raises
    ``LayerUnavailable``; messages that no replica had are lost with it.

    Args:
        hosts: Nodes to ask first, as URLs or pairs of host and port; None is ``localhost:6379``. User, password,
            scheme and options of the first one's URL are used for all nodes.
        connection_kwargs: Keywords for redis-py's connections to the nodes.
        kwargs: As for ``RedisChannelLayer``.

    Raises:
        ValueError: One of them makes no sense; the text says which.
    """

    def __init__(
        self,
        expiry: float = DEFAULT_EXPIRY,
        hosts: Iterable[str | Address] | None = None,
        prefix: str = "asgi:",
        **kwargs: Any,
    ) -> None:
        super().__init__(expiry, hosts, prefix, **kwargs)

    def _make_places(
        self,
        hosts: Iterable[Any] | None,
        connection_kwargs: Mapping[str, Any] | None,
        durable: Sequence[re.Pattern[str]],
        veil: Veil | None,
    ) -> tuple[list[Shard], Ring, Keys, Routes]:
        urls = host_urls(hosts, Shard)
        seeds = [_address(url) for url in urls]
        options = connection_kwargs or {}
        shards: list[Shard] = []
        routes = self._map = ClusterRoutes(lambda address: ClusterNode(_at(urls[0], address), options), shards, seeds)
        keys = Keys(self.prefix, self.stats_prefix, veil, is_tagged=True)
        return shards, SlotRing(keys, durable), keys, routes

    def _holders(self) -> list[Shard]:
        self._mine.links.carry_out(self._map.find_out())
        return [self.shards[number] for number in self._map.holders()]


def _address(url: str) -> Address:
    try:
        parts = urlsplit(url)
        port = parts.port or 6379
    except ValueError:  # Its text may hold a part of the password.
        port, parts = 0, urlsplit("")
    if parts.scheme not in ("redis", "rediss") or parts.path.strip("/") not in ("", "0") or not parts.hostname:
        raise ValueError(
            "A node of a cluster is redis://host:port or rediss://host:port, without a database, "
            f"not {public_url(url)!r}."
        )
    return parts.hostname, port


def _at(url: str, address: Address) -> str:
    """Return ``url`` with another address."""
    parts = urlsplit(url)
    host, port = address
    user, mark, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{user}{mark}{f'[{host}]' if ':' in host else host}:{port}"))
