"""The layer that lives in one process: for development, tests and sites that run everything in one process.

``ChannelLayer`` puts one lock around what ``store`` holds, lets receivers wait and wakes them: threads by a
condition, event loops by one call per burst (``waiting``). Nothing polls.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from channels import counters, names
from channels.formats import copy_content
from channels.layers.base import BaseChannelLayer, Delivery, Outgoing
from channels.layers.batches import by_queue, first_of
from channels.layers.local_inspection import LocalInspection
from channels.layers.local_turns import LocalTurns
from channels.layers.local_upkeep import LocalUpkeep
from channels.layers.store import Store, Tally
from channels.layers.waiting import Timer, Waiter, Waiters
from channels.types import Content

logger = logging.getLogger("django.channels.layers")

BLOCK_SECONDS = 5.0
"""How long ``receive`` with ``block=True`` waits before it returns empty-handed."""


class ChannelLayer(BaseChannelLayer):
    """Carries messages inside one process, between any number of threads and event loops.

    A message to a group counts as one towards the capacity of a reply queue, however many of its channels are
    members. Arguments are those of ``BaseChannelLayer``; the default capacity is 10, as in 1.x.
    """

    extensions = ("groups", "flush", "statistics", "async", "ordering", "inspection", "upkeep")
    local_only = True
    default_capacity: ClassVar[int] = 10

    clock: Callable[[], float] = staticmethod(time.monotonic)
    """Seconds, never running backwards; what expires is measured by it. Tests replace it on an instance."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Reentrant: a coroutine collected as garbage while the lock is held takes it again in its `finally`.
        self._lock = threading.RLock()
        self._store = Store(self.expiry, self.group_expiry)
        self._waiters = Waiters()
        self.inspection = LocalInspection(self._lock, lambda: self._store, lambda: self.clock())
        self.upkeep = LocalUpkeep(self._lock, lambda: self._store, lambda: self.clock())
        self.turns = LocalTurns(self.group_expiry, lambda: self.clock())

    # Sending

    def send(self, channel: str, message: Content) -> None:
        names.require_channel_name(channel)
        self._put(channel, copy_content(self.require_message(message)))

    def send_group(self, group: str, message: Content) -> None:
        names.require_group_name(group)
        self._put_to_group(group, copy_content(self.require_message(message)))

    def send_batch(self, batch: Sequence[Outgoing]) -> list[Exception | None]:
        # The caller gave its contents away, so nothing is copied here.
        refused: set[str] = set()
        return [self._outcome(item, refused) for item in batch]

    def _outcome(self, item: Outgoing, refused: set[str]) -> Exception | None:
        try:
            self.require_message(item.content)
            if item.to_group:
                self._put_to_group(names.require_group_name(item.name), item.content)
                return None
            queue = names.non_local_name(names.require_channel_name(item.name))
            if queue in refused:
                return self.channel_full(item.name)
            self._put(item.name, item.content)
        except self.ChannelFull as error:
            refused.add(queue)
            return error
        except (AssertionError, TypeError) as error:
            return error
        return None

    def _put(self, channel: str, content: Content) -> None:
        queue = names.non_local_name(channel)
        with self._lock:
            fits = self._store.put(queue, Delivery((channel,), content), self.get_capacity(queue), self.clock())
            if fits:
                self._waiters.wake(queue)
        self._report()
        if not fits:
            counters.add("message.refused.full")
            raise self.channel_full(channel)

    def _put_to_group(self, group: str, content: Content) -> None:
        dropped = 0
        with self._lock:
            now = self.clock()
            receivers: dict[str, list[str]] = {}
            for channel in self._store.members(group, now):
                receivers.setdefault(names.non_local_name(channel), []).append(channel)
            unused: Content | None = content
            for queue, channels in receivers.items():
                own = copy_content(content) if unused is None else unused
                unused = None
                if self._store.put(queue, Delivery(tuple(channels), own, True), self.get_capacity(queue), now):
                    self._waiters.wake(queue)
                else:
                    dropped += len(channels)
        self._report()
        if dropped:
            counters.add("message.dropped.member_full", dropped)
            logger.warning("Group %s: %d members did not get a message because their channel is full.", group, dropped)

    # Receiving

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        return first_of(self._receive(channels, 1, BLOCK_SECONDS if block else 0, split=True))

    def receive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        return self._receive(channels, limit, timeout)

    def hand_back(self, deliveries: Sequence[Delivery]) -> list[Delivery]:
        with self._lock:
            for queue, part in by_queue(deliveries).items():
                self._store.put_back(queue, part, self.clock())
                for _ in part:
                    self._waiters.wake(queue)
        self._report()
        return []

    def _receive(self, channels: Sequence[str], limit: int, timeout: float, split: bool = False) -> list[Delivery]:
        queues = names.require_channel_names(channels, receive=True)
        with self._lock:
            taken = self._store.take(queues, limit, split, self.clock())
            if not taken and queues and timeout > 0:
                taken = self._wait(queues, limit, timeout, split)
        self._report()
        return taken

    def _wait(self, queues: list[str], limit: int, timeout: float, split: bool) -> list[Delivery]:
        condition = threading.Condition(self._lock)
        waiter = Waiter(queues, condition.notify)
        end = time.monotonic() + timeout
        self._waiters.add(waiter)
        try:
            while (remaining := end - time.monotonic()) > 0:
                condition.wait(remaining)
                if taken := self._store.take(queues, limit, split, self.clock()):
                    return taken
                waiter.woken = False
            return []
        finally:
            self._waiters.discard(waiter, self._store.queues)

    async def areceive(self, channels: Sequence[str]) -> tuple[str | None, Content | None]:
        return first_of(await self._areceive(channels, 1, BLOCK_SECONDS, split=True))

    async def receive_async(self, channels: Sequence[str]) -> tuple[str | None, Content | None]:
        """1.x's name of ``areceive``."""
        return await self.areceive(channels)

    async def areceive_batch(self, channels: Sequence[str], limit: int = 1, timeout: float = 0) -> list[Delivery]:
        """``receive_batch`` for an event loop. Cancelling it loses no message."""
        return await self._areceive(channels, limit, timeout)

    async def _areceive(
        self, channels: Sequence[str], limit: int, timeout: float, split: bool = False
    ) -> list[Delivery]:
        queues = names.require_channel_names(channels, receive=True)
        # Under load a message is always there; without this pause a receive loop would never let others run.
        await asyncio.sleep(0)
        loop, event = asyncio.get_running_loop(), asyncio.Event()
        waiter = Waiter(queues, lambda: loop.call_soon_threadsafe(event.set))
        with self._lock:
            taken = self._store.take(queues, limit, split, self.clock())
            if not taken and queues and timeout > 0:
                self._waiters.add(waiter)
        if not taken and queues and timeout > 0:
            timer = Timer(event, timeout)
            try:
                while not taken and not timer.is_due:
                    await event.wait()
                    event.clear()
                    with self._lock:
                        taken = self._store.take(queues, limit, split, self.clock())
                        waiter.woken = bool(taken)
            finally:
                timer.cancel()
                with self._lock:
                    self._waiters.discard(waiter, self._store.queues)
        self._report()
        return taken

    def _report(self) -> None:
        if not self._store.expired:
            return
        with self._lock:
            expired, self._store.expired = self._store.expired, []
        if expired:
            counters.add("message.dropped.expired", len(expired))
            logger.warning("%d messages expired unread, the first on %s.", len(expired), expired[0])

    # Groups

    def group_add(self, group: str, channel: str) -> None:
        names.require_group_name(group)
        names.require_channel_name(channel)
        with self._lock:
            self._store.groups.setdefault(group, {})[channel] = self.clock() + self.group_expiry

    def group_discard(self, group: str, channel: str) -> None:
        names.require_group_name(group)
        names.require_channel_name(channel)
        with self._lock:
            self._store.groups.get(group, {}).pop(channel, None)
            self._store.members(group, self.clock())

    def group_channels(self, group: str) -> list[str]:
        names.require_group_name(group)
        with self._lock:
            return self._store.members(group, self.clock())

    # Housekeeping and statistics

    def flush(self) -> None:
        with self._lock:
            self._store = Store(self.expiry, self.group_expiry)
        self.turns.clear()

    def global_statistics(self) -> dict[str, float]:
        """Return ``messages_count`` and ``channel_full_count`` since the layer was made or flushed."""
        with self._lock:
            return {"messages_count": self._store.total.sent, "channel_full_count": self._store.total.full}

    def channel_statistics(self, channel: str) -> dict[str, float]:
        """Return what ``channel`` (its queue, if it has a ``!``) took, refused and holds; ages are in seconds."""
        queue = names.non_local_name(names.require_channel_name(channel))
        with self._lock:
            now = self.clock()
            self._store.purge(queue, now)
            entries = self._store.queues.get(queue, ())
            tally = self._store.tallies.get(queue, Tally())
            return {
                "messages_count": tally.sent,
                "channel_full_count": tally.full,
                "messages_pending": len(entries),
                "messages_max_age": now - (entries[0][0] - self.expiry) if entries else 0,
            }

    # The same for an event loop: nothing here waits for long enough to be worth a thread.

    async def asend(self, channel: str, message: Content) -> None:
        self.send(channel, message)

    async def asend_batch(self, batch: Sequence[Outgoing]) -> list[Exception | None]:
        return self.send_batch(batch)

    async def asend_group(self, group: str, message: Content) -> None:
        self.send_group(group, message)

    async def agroup_add(self, group: str, channel: str) -> None:
        self.group_add(group, channel)

    async def agroup_discard(self, group: str, channel: str) -> None:
        self.group_discard(group, channel)

    async def agroup_channels(self, group: str) -> list[str]:
        return self.group_channels(group)
