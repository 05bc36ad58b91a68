"""Who is the master of a service, as Sentinels tell."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any

import redis
import redis.asyncio

from channels.layers.redis.shards import FOREIGN_ERRORS

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
