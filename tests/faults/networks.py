"""Faults of the network between clients, interfaces, workers and servers."""

import time
from collections.abc import Callable

from tests.faults.crowd import Crowd
from tests.faults.stage import Stage
from tests.support.proxy import Proxy

SLOW = 2.0
"""Seconds that the network is slow."""


def _to_redis(stage: Stage) -> list[Proxy]:
    return [proxy for proxies in stage.backend.networks.values() for proxy in proxies]


def _to_sites(stage: Stage) -> list[Proxy]:
    return stage.doors


def _reset(proxies: list[Proxy]) -> None:
    for _ in range(4):
        for proxy in proxies:
            proxy.cut()
            proxy.restore()
        time.sleep(0.4)


def _fall_silent(proxies: list[Proxy]) -> None:
    for proxy in proxies:
        proxy.silence()
    time.sleep(0.2)
    for proxy in proxies:
        proxy.restore()


def _slow_down(proxies: list[Proxy], change: Callable[[Proxy], None]) -> None:
    for proxy in proxies:
        change(proxy)
    time.sleep(SLOW)
    for proxy in proxies:
        proxy.slow_down()


def reset_redis(stage: Stage, crowd: Crowd) -> None:
    """Reset all connections to the server, in the middle of whatever they carry, several times."""
    _reset(_to_redis(stage))


def lose_answers(stage: Stage, crowd: Crowd) -> None:
    """Cut connections to the server when it has been asked and the answer is on its way, several times."""
    for _ in range(4):
        for proxy in _to_redis(stage):
            proxy.lose_answers()
        time.sleep(0.1)
        for proxy in _to_redis(stage):
            proxy.cut()
            proxy.restore()
        time.sleep(0.4)


def silence_redis(stage: Stage, crowd: Crowd) -> None:
    """Let all connections to the server fall silent for ever; new ones work."""
    _fall_silent(_to_redis(stage))


def delay_redis(stage: Stage, crowd: Crowd) -> None:
    """Let every byte to and from the server take 50 ms."""
    _slow_down(_to_redis(stage), lambda proxy: proxy.slow_down(delay=0.05))


def throttle_redis(stage: Stage, crowd: Crowd) -> None:
    """Let each connection to the server carry 40 kB a second."""
    _slow_down(_to_redis(stage), lambda proxy: proxy.slow_down(rate=40_000))


def reset_clients(stage: Stage, crowd: Crowd) -> None:
    """Reset all connections of clients, several times."""
    _reset(_to_sites(stage))


def silence_clients(stage: Stage, crowd: Crowd) -> None:
    """Let all connections of clients fall silent for ever; new ones work."""
    _fall_silent(_to_sites(stage))


def delay_clients(stage: Stage, crowd: Crowd) -> None:
    """Let every byte to and from clients take 100 ms."""
    _slow_down(_to_sites(stage), lambda proxy: proxy.slow_down(delay=0.1))
