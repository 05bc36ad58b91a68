"""Both ends of an ASGI-3 application: a server with one client in front of it, a consumer on the layer behind it."""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import Any

SECONDS = 30.0
"""How long anything awaited here may take."""


def in_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run an asynchronous test in an event loop of its own."""

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        async def within_limits() -> None:
            await asyncio.wait_for(test(*args, **kwargs), 4 * SECONDS)

        asyncio.run(within_limits())

    return run


class FakeServer:
    """What a server does for one connection: calls the application, carries events.

    Args:
        app: An ASGI-3 application.
        scope: Of the connection; sensible values stand for what is missing.
    """

    def __init__(self, app: Any, **scope: Any) -> None:
        self.scope = {
            "type": "http",
            "method": "GET",
            "path": "/",
            "headers": [],
            "query_string": b"",
            "client": ("192.0.2.1", 1234),
            **scope,
        }
        self.events: list[Any] = []
        self.writable = asyncio.Event()
        self.writable.set()
        self.failure: Exception | None = None
        self._to_app: asyncio.Queue[Any] = asyncio.Queue()
        self._from_app: asyncio.Queue[Any] = asyncio.Queue()
        self.task = asyncio.ensure_future(app(self.scope, self._to_app.get, self._send))

    @property
    def unread(self) -> int:
        """Events that the application has not asked for yet."""
        return self._to_app.qsize()

    def put(self, **event: Any) -> None:
        """Give an event of the client to the application."""
        self._to_app.put_nowait(event)

    async def take(self) -> Any:
        """Wait for the next event of the application."""
        return await asyncio.wait_for(self._from_app.get(), SECONDS)

    async def end(self) -> list[Any]:
        """Wait until the application returns; return the events nobody took."""
        await asyncio.wait_for(self.task, SECONDS)
        return [self._from_app.get_nowait() for _ in range(self._from_app.qsize())]

    async def _send(self, event: Any) -> None:
        if self.failure is not None:
            raise self.failure
        await self.writable.wait()
        self._from_app.put_nowait(event)


class FakeConsumer:
    """What a worker does, message by message.

    Args:
        layer: The layer.
    """

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    async def take(self, channel: str) -> Any:
        """Wait for a message on ``channel`` and return its content."""

        async def receive() -> Any:
            while True:
                for delivery in await self.layer.areceive_batch([channel], limit=1, timeout=SECONDS):
                    return delivery.content

        return await asyncio.wait_for(receive(), SECONDS)

    def is_empty(self, channel: str) -> bool:
        """Return whether nothing waits on ``channel``; takes it if something does."""
        return not self.layer.receive_batch([channel])


async def eventually(condition: Callable[[], bool]) -> None:
    """Wait until ``condition`` holds; give the event loop turns meanwhile.

    Raises:
        asyncio.TimeoutError: It never did.
    """

    async def poll() -> None:
        while not condition():  # noqa: ASYNC110 - counters have no event to wait for
            await asyncio.sleep(0)

    await asyncio.wait_for(poll(), SECONDS)
