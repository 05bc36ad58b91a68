"""Conformance: how the tests get layers, and how time passes for them."""

import asyncio
import functools
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from unittest import TestCase as Base
else:
    Base = object

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long a test waits for what must happen at once, on a machine that is busy."""

SLACK = 0.2
"""By how many times ``expiry`` a test may take longer than the time that it lets pass, and still mean something."""

MOST_TRIES = 5

CONTENT = {"text": "hello", "bytes": b"hello", "order": 1}


def lasting(expiries: float) -> Callable[[Callable[[Any], None]], Callable[[Any], None]]:
    """Decorate a test that lets this many times ``expiry`` pass.

    Where it fails because the machine took longer, what should have lived on may have expired: it is tried again, with
    twice as much time.
    """

    def decorate(test: Callable[[Any], None]) -> Callable[[Any], None]:
        @functools.wraps(test)
        def run(self: Any) -> None:
            for _ in range(MOST_TRIES - 1):
                began = time.monotonic()
                try:
                    return test(self)
                except AssertionError:
                    if time.monotonic() - began < (expiries + SLACK) * self.expiry:
                        raise
                self.expiry *= 2
            return test(self)

        return run

    return decorate


class LayerTests(Base):
    """What all tests of a layer need; the class that says which layer it is."""

    expiry: float = 1.0
    """Seconds after which messages and memberships expire in the tests of expiry."""

    bounded_channels: Sequence[str] = ("test.channel", "test.single?reader")
    """Channels that hold exactly as many messages as their capacity; a layer on several servers may name fewer."""

    def make_layer(self, **config: Any) -> Any:
        """Return a new, empty layer. ``config`` holds keywords of ``BaseChannelLayer``."""
        raise NotImplementedError("Define make_layer(**config): it returns an empty layer made with config.")

    def pass_time(self, seconds: float) -> None:
        """Let ``seconds`` go by for all layers of this test. Override it where a clock can be set."""
        time.sleep(seconds)

    def release_layer(self, layer: Any) -> None:
        """Release what ``layer`` holds; called at the end of each test for each layer."""
        layer.close()

    def new_layer(self, **config: Any) -> Any:
        """Return an empty layer that is released at the end of the test."""
        layer = self.make_layer(**config)
        self.addCleanup(self.release_layer, layer)
        return layer

    def run_async(self, layer: Any, main: Callable[[], Awaitable[T]]) -> T:
        """Return what ``main`` returns in an event loop of its own."""

        async def run() -> T:
            try:
                return await asyncio.wait_for(main(), PATIENCE_SECONDS)
            finally:
                await layer.aclose()

        return asyncio.run(run())

    def take_all(self, layer: Any, channels: Sequence[str]) -> list[tuple[str, Any]]:
        """Return everything that can be received from ``channels`` now, one at a time."""
        taken = []
        while (got := layer.receive(channels))[0] is not None:
            taken.append(got)
        return taken
