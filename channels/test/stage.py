"""Where sessions without sockets take place: one event loop for all that are open in a thread, and a worker.

Everything happens in the calling thread, so that consumers see the database as the test does: while a test waits, the
applications in the loop and the consumers run by turns.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from channels.dispatch import act_on_error, dispatch
from channels.exceptions import ConsumerSignal
from channels.message import Message
from channels.registry import ChannelLayerWrapper
from channels.test.commits import settle_commits
from channels.types import Consumer, Event

SHUTDOWN_SECONDS = 2.0
"""How long an application may take when it is told that its event loop ends."""


class Stage:
    """The event loop of the sessions of one thread."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._applications: list[Any] = []

    @classmethod
    def enter(cls, application: Any) -> "Stage":
        """Return the stage of the calling thread, where ``application`` is used from now on.

        Raises:
            RuntimeError: An event loop is running in this thread.
        """
        if is_in_event_loop():
            raise RuntimeError(
                "A session without sockets runs an event loop of its own, and cannot be used in an async test: make "
                "the test a plain function, or let it call one by sync_to_async."
            )
        stage: Stage | None = getattr(_local, "stage", None)
        if stage is None:
            stage = _local.stage = cls()
        stage._applications.append(application)
        return stage

    def leave(self, application: Any) -> None:
        """End one use of ``application``; what nobody uses any more is shut down."""
        self._applications.remove(application)
        try:
            if application not in self._applications:
                self.loop.run_until_complete(_shut_down(application))
        finally:
            if not self._applications:
                _local.stage = None
                self.loop.close()


_local = threading.local()


def is_in_event_loop() -> bool:
    """Return whether an event loop is running in the calling thread."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


async def _shut_down(application: Any) -> None:
    """Tell ``application``, as servers do, that its event loop ends."""
    events: asyncio.Queue[Event] = asyncio.Queue()
    for kind in ("startup", "shutdown"):
        events.put_nowait({"type": f"lifespan.{kind}"})

    async def ignore(event: Event) -> None:
        """Take what nobody needs."""

    # An application that raises has no use for these events.
    with suppress(Exception):
        await asyncio.wait_for(application({"type": "lifespan", "state": {}}, events.get, ignore), SHUTDOWN_SECONDS)


class StageWorker:
    """Runs the consumers of a layer in the calling thread, as a worker does.

    Args:
        layer: Wrapper of the layer.
        loop: The event loop that runs while there is nothing to consume.
    """

    keeps_connections = True
    """Consumers leave the database connections alone: a test's transaction is open in them."""

    def __init__(self, layer: ChannelLayerWrapper, loop: asyncio.AbstractEventLoop) -> None:
        # With the default consumers that every worker has, and the layer of the test as it was.
        self._layer = ChannelLayerWrapper(layer.channel_layer, layer.alias, list(layer.router.root.routing))
        self._layer.router.check_default()
        self._loop = loop
        self.woken = asyncio.Event()
        self.failures: list[BaseException] = []

    def run_until(self, is_done: Callable[[], bool], seconds: float) -> None:
        """Run everything until ``is_done``, or until nothing has happened for ``seconds``."""
        end = time.monotonic() + seconds
        settle_commits()
        while not is_done() and (left := end - time.monotonic()) > 0:
            for delivery in self._loop.run_until_complete(self._await_something(left)):
                for channel in delivery.channels:
                    dispatch(self._layer, channel, delivery.content, sender=type(self), on_error=self._on_error)
                    settle_commits()
                end = time.monotonic() + seconds

    async def _await_something(self, seconds: float) -> Any:
        """Return messages of the layer, or nothing when ``woken`` was set or the time is over."""
        layer, channels = self._layer.channel_layer, sorted(self._layer.router.channels)
        receiving = asyncio.ensure_future(layer.areceive_batch(channels, 1, seconds))
        waiting = asyncio.ensure_future(self.woken.wait())
        await asyncio.wait({receiving, waiting}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        self.woken.clear()
        for task in (receiving, waiting):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        return [] if receiving.cancelled() else receiving.result()

    def _on_error(self, message: Message, consumer: Consumer, error: BaseException) -> None:
        act_on_error(message, consumer, error)
        if not isinstance(error, ConsumerSignal):
            self.failures.append(error)
