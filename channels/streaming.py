"""Responses in pieces: asynchronous producers for synchronous code, and how far a response may run ahead of its client.

Encoding lives in ``channels.handler``; what the messages look like in ``channels.formats``.
"""

import asyncio
import time
from collections.abc import AsyncIterable, Generator
from typing import Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.db import connections

from channels import formats, names
from channels.types import Content

__all__ = ["CLIENT_GONE", "CLIENT_SLOW", "ResponseWindow", "iterate_async"]

CLIENT_GONE = "client_gone"
CLIENT_SLOW = "client_slow"

LOOK_SECONDS = 1.0
"""How often a response that need not wait looks whether its client is still there."""

FORGET_SECONDS = 30.0
"""After such a pause between two messages, reports about the earlier ones may have expired unread: half the expiry of a
layer unless the project sets one. They are then taken as given."""


async def _run(parts: AsyncIterable[bytes], ready: list[bytes]) -> None:
    loop = asyncio.get_running_loop()
    async with ThreadSensitiveContext():
        try:
            async for part in parts:
                ready.append(part)
                loop.stop()
                await asyncio.sleep(0)
        finally:
            # Synchronous code that the stream awaited ran in a thread that ends with this context.
            await sync_to_async(connections.close_all)()


def _close(loop: asyncio.AbstractEventLoop, task: "asyncio.Task[None]") -> None:
    while not task.done():
        task.cancel()
        loop.run_forever()
    left = asyncio.all_tasks(loop)
    for other in left:
        other.cancel()
    if left:
        loop.run_until_complete(asyncio.wait(left))
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()


def iterate_async(parts: AsyncIterable[bytes]) -> Generator[bytes, None, None]:
    """Yield what an asynchronous iterable yields, each part as soon as it is there.

    It runs as one task on an event loop of its own, which stands still between parts: a slow reader slows the
    producer. Closing the generator closes the iterable and cancels what it waits for or has left running. Not for
    a thread that already runs an event loop.
    """
    ready: list[bytes] = []
    loop = asyncio.new_event_loop()
    task = loop.create_task(_run(parts, ready))
    task.add_done_callback(lambda done: loop.stop())
    try:
        while not task.done():
            loop.run_forever()
            yield from ready
            ready.clear()
        task.result()
    finally:
        _close(loop, task)


class ResponseWindow:
    """Keeps a response from running ahead of its client, and learns that the client has gone.

    An interface that reports says in the request how many messages it takes ahead of the client, and tells on the
    flow channel of the request how many the client has been given. Others are sent everything at once, as in 1.x.

    Args:
        message: The ``http.request`` message.
        patience: Seconds to wait for a client that takes nothing.
    """

    def __init__(self, message: Any, patience: float) -> None:
        self._size = message.get("response_window")
        self._patience = patience
        self._layer = message.channel_layer
        self._channel = names.flow_channel(message.reply_channel.name)
        self._sent = 0
        self._taken = 0
        self._latest_send = self._latest_look = time.monotonic()

    def mark(self, content: Content) -> Content:
        """Return ``content``, which was waited for, as it is to be sent to an interface that reports.

        It is counted, so that the interface notices when one is lost; with more to come it asks for reports.
        """
        if self._size is None:
            return content
        counted = {**content, formats.ORDER: self._sent - 1}
        return {**counted, formats.PACED: True} if content["more_content"] else counted

    def wait(self) -> str | None:
        """Wait until one more message may be sent, and count it; return why none may be sent any more, or None."""
        if self._size is None:
            return None
        now = time.monotonic()
        reason = self._look(0) if now - self._latest_look >= LOOK_SECONDS else None
        if now - self._latest_send >= FORGET_SECONDS:
            self._taken = self._sent
        reason = reason or self._wait_for_room()
        self._sent += 1
        self._latest_send = time.monotonic()
        return reason

    def _wait_for_room(self) -> str | None:
        deadline = time.monotonic() + self._patience
        while self._sent - self._taken >= self._size:
            left = deadline - time.monotonic()
            reason = self._look(left)
            if reason is not None:
                return reason
            if left <= 0 and self._sent - self._taken >= self._size:
                return CLIENT_SLOW
        return None

    def _look(self, timeout: float) -> str | None:
        """Read what has been reported, waiting up to ``timeout`` seconds; return CLIENT_GONE or None."""
        self._latest_look = time.monotonic()
        for delivery in self._layer.receive_batch([self._channel], limit=self._size, timeout=max(timeout, 0)):
            if delivery.content.get("closed"):
                return CLIENT_GONE
            self._taken = max(self._taken, delivery.content.get("taken", 0))
        return None
