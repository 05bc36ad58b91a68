"""Conformance: how the tests get layers, and how time passes for them."""

import asyncio
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

CONTENT = {"text": "hello", "bytes": b"hello", "order": 1}


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
