"""Who may come in: limits for each client address and for the process, and no new socket while it is being drained.

What is refused here costs no message and no consumer. Addresses are those that the server reports: behind a proxy
the server must be told to trust its headers, or all clients are one.
"""

import functools
import ipaddress
import logging
import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus
from typing import NamedTuple

from channels import counters
from channels.interface.limits import Limits
from channels.interface.rates import Bucket
from channels.types import Scope
from channels.utils import printable

logger = logging.getLogger("django.channels.interface")

NETWORK_BITS = 64
"""Clients with IPv6 have at least so many leading bits to themselves; within them they may use any address."""

SWEEP_SECONDS = 60.0
"""How often addresses that were quiet are forgotten."""

LOG_SECONDS = 5.0
"""One log line about refusals of a kind in so many seconds: who floods the site must not flood its log."""


class Refusal(NamedTuple):
    """Why a client may not come in.

    Attributes:
        status: HTTP status.
        text: For the client.
        reason: Last part of the counter.
    """

    status: int
    text: str
    reason: str


_DRAINING = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The server is being restarted.", "drain")
_FULL = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The site has as many open connections as it can hold.", "sockets")
_BUSY = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "The site is too busy to open a connection.", "handshakes")
_MANY = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "You have too many open connections.", "client_sockets")
_OFTEN = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "You connect too often.", "client_rate")
_REQUESTS = Refusal(HTTPStatus.TOO_MANY_REQUESTS, "You make too many requests.", "client_rate")


def client_name(scope: Scope) -> str | None:
    """Return the client's address as action loggers see it, or None where there is none."""
    client = scope.get("client")
    return f"{client[0]}:{client[1]}" if client else None


def client_network(scope: Scope) -> str | None:
    """Return what stands for the client of ``scope``: its address, or its network for IPv6; None: not known."""
    client = scope.get("client")
    address: str | None = client[0] if client else None
    return address if address is None or ":" not in address else _network(address)


@functools.lru_cache(maxsize=1024)
def _network(address: str) -> str:
    """Return what stands for an IPv6 address. Each socket asks several times."""
    try:
        parsed = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> NETWORK_BITS << NETWORK_BITS, NETWORK_BITS)))


class Rate:
    """How often each client may do something.

    Args:
        per_minute: How often; None: any number of times. All of them may come at once.
        clock: Seconds, never running backwards.
    """

    def __init__(self, per_minute: int | None, clock: Callable[[], float]) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}
        self._next_sweep = 0.0

    def take(self, scope: Scope) -> bool:
        """Return whether the client of ``scope`` may do it once more."""
        if self._per_minute is None or (client := client_network(scope)) is None:
            return True
        now = self._clock()
        if now >= self._next_sweep:
            self._next_sweep = now + SWEEP_SECONDS
            self._buckets = {name: bucket for name, bucket in self._buckets.items() if not bucket.is_full(now)}
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = Bucket(self._per_minute, self._per_minute / 60, now)
        return bucket.take(now)


class Door:
    """Lets connections in, or says why not.

    Args:
        limits: How many, and how often.
        clock: Seconds, never running backwards.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.is_draining = False
        self._limits = limits
        self._clock = clock
        self._requests = Rate(limits.client_requests_per_minute, clock)
        self._handshakes = Rate(limits.client_handshakes_per_minute, clock)
        self._of_client: Counter[str | None] = Counter()
        self._sockets = 0
        self._undecided = 0
        self._quiet_until: dict[str, float] = {}

    def request(self, scope: Scope) -> Refusal | None:
        """Return why the request of ``scope`` is not served; None: it is."""
        return None if self._requests.take(scope) else self._refuse("http", _REQUESTS, scope)

    def socket(self, scope: Scope) -> Refusal | None:
        """Return why the socket of ``scope`` is refused; None: it may begin its handshake, and must ``leave``."""
        refusal = self._why_not(scope)
        if refusal is not None:
            return self._refuse("websocket", refusal, scope)
        self._of_client[client_network(scope)] += 1
        self._undecided += 1
        self._sockets += 1
        return None

    def decided(self) -> None:
        """The handshake of a socket that was let in is over."""
        self._undecided -= 1

    def leave(self, scope: Scope) -> None:
        """A socket that was let in has ended."""
        self._sockets -= 1
        client = client_network(scope)
        self._of_client[client] -= 1
        if not self._of_client[client]:
            del self._of_client[client]

    def _why_not(self, scope: Scope) -> Refusal | None:
        limits = self._limits
        if self.is_draining:
            return _DRAINING
        if limits.max_sockets is not None and self._sockets >= limits.max_sockets:
            return _FULL
        if limits.max_handshakes is not None and self._undecided >= limits.max_handshakes:
            return _BUSY
        client = client_network(scope)
        most = limits.client_sockets
        if most is not None and client is not None and self._of_client[client] >= most:
            return _MANY
        return None if self._handshakes.take(scope) else _OFTEN

    def _refuse(self, protocol: str, refusal: Refusal, scope: Scope) -> Refusal:
        counters.add(f"{protocol}.refused.{refusal.reason}")
        now = self._clock()
        if now >= self._quiet_until.get(refusal.reason, 0.0):
            self._quiet_until[refusal.reason] = now + LOG_SECONDS
            logger.warning("%s of %s is refused: %s", printable(scope["path"]), client_network(scope), refusal.text)
        return refusal
