"""Workers: take messages from a layer, run their consumers, stop in order."""

import fnmatch
import logging
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from typing import Any

from channels import counters, handback, ordering
from channels.backoff import Backoff
from channels.dispatch import DEFAULT_MESSAGE_RETRIES, act_on_error, dispatch
from channels.exceptions import ConsumeLater, DenyConnection, LayerUnavailable
from channels.hand import Hand
from channels.handback import Watchdog
from channels.layers.base import Delivery
from channels.layers.twins import DELIVERIES
from channels.message import Message, pending_message_store
from channels.signals import worker_ready
from channels.types import Consumer, Content

logger = logging.getLogger("django.channels")

Callback = Callable[[str, Message], None]
OnError = Callable[[Message, Consumer, BaseException], None]

RECEIVE_SECONDS = 1.0
"""How long a worker waits for a message before it looks whether it shall stop."""

BATCH_SECONDS = 0.002
"""How long the messages taken together may take to run, by what messages took so far."""

BATCH_LIMIT = 32
"""Most messages a worker takes together."""

_MEMORY = 0.2
"""Weight of the newest message in the average time of a message."""

_OUTLIER = 4.0
"""How many times the average one message counts at most."""

JOIN_SECONDS = 60.0
"""How long a group waits for its threads to finish what they are doing."""


class Worker:
    """Takes messages of a layer, one consumer at a time.

    Args:
        channel_layer: Wrapper of a layer, with its ``router``.
        callback: Called with (channel, message) before each consumer.
        message_retries: How often ``ConsumeLater`` may put one message back.
        signal_handlers: Stop on SIGTERM and SIGINT; only in the main thread.
        only_channels: Globs; only channels that match one are consumed.
        exclude_channels: Globs; channels that match one are not consumed.

    Attributes:
        termed: Whether the worker was told to stop.
        in_job: Whether a consumer is running.
    """

    def __init__(
        self,
        channel_layer: Any,
        callback: Callable[[str, Message], None] | None = None,
        message_retries: int = DEFAULT_MESSAGE_RETRIES,
        signal_handlers: bool = True,
        only_channels: Iterable[str] | None = None,
        exclude_channels: Iterable[str] | None = None,
    ) -> None:
        self.channel_layer = channel_layer
        self.callback = callback
        self.message_retries = message_retries
        self.signal_handlers = signal_handlers
        self.only_channels = only_channels
        self.exclude_channels = exclude_channels
        self.termed = False
        self.in_job = False
        self._average = BATCH_SECONDS
        self._backoff = Backoff()

    def install_signal_handler(self) -> None:
        """Stop this worker on SIGTERM and SIGINT."""
        signal.signal(signal.SIGTERM, self.sigterm_handler)
        signal.signal(signal.SIGINT, self.sigterm_handler)

    def sigterm_handler(self, signo: int, frame: Any) -> None:
        """Tell the worker to stop. It ends what it has begun, and hands back what it took and has not."""
        # Nothing is raised here: a message that is on its way from the server would be lost.
        self.termed = True
        if self.in_job:
            logger.info("Shutdown signal received while busy, waiting for loop termination")
        else:
            logger.info("Shutdown signal received while idle, terminating immediately")

    def apply_channel_filters(self, channels: Iterable[str]) -> list[str]:
        """Return those of ``channels`` that this worker may consume."""

        def matches(name: str, globs: Iterable[str]) -> bool:
            return any(fnmatch.fnmatchcase(name, pattern) for pattern in globs)

        kept = list(channels)
        if self.only_channels:
            kept = [name for name in kept if matches(name, self.only_channels)]
        if self.exclude_channels:
            kept = [name for name in kept if not matches(name, self.exclude_channels)]
        return kept

    def ready(self) -> None:
        """Send ``worker_ready``."""
        worker_ready.send(sender=self)

    def run(self) -> None:
        """Consume messages until the worker is told to stop. No error of a consumer or of the layer ends it."""
        if self.signal_handlers:
            self.install_signal_handler()
        channels = self.apply_channel_filters(self.channel_layer.router.channels)
        if not channels:
            logger.error("There is no channel to consume: check the routing and the channel filters of this worker.")
            return
        logger.info("Listening on channels %s", ", ".join(sorted(channels)))
        # What was received, and ordered messages whose turn came with the end of the one before.
        hand = ordering.pick_up()
        watchdog = Watchdog(self.channel_layer, hand)
        # What a consumer sends leaves in one write with the next receive, if that comes soon.
        with pending_message_store.posting_to(self.channel_layer), closing(watchdog):
            while not self.termed:
                # The receive brings home what ended turns released; who has turns out does not wait for others.
                deliveries = self._receive(channels, 0 if ordering.is_unsettled() else RECEIVE_SECONDS)
                for delivery in deliveries:
                    hand.extend((channel, delivery.content) for channel in delivery.channels)
                if not self.termed:
                    ordering.take_turns_in_hand(self.channel_layer)
                if len(hand) > 1:
                    watchdog.watch()
                self._run_hand(hand)
                # Those that succeeded, and those that were not run: these wait for their turn in the layer now.
                done = [delivery.content for delivery in deliveries if self._is_kept(delivery.content)]
                if done:
                    self.channel_layer.finish_deliveries(done, True)
                ordering.check_overdue(self.channel_layer)
            while ordering.settle(self.channel_layer):
                self._run_hand(hand)

    def _run_hand(self, hand: Hand) -> None:
        """Run what is in hand; once the worker is told to stop, only what has to be run here."""
        while entry := hand.begin(with_turn=self.termed):
            try:
                self._run_one(*entry)
            finally:
                hand.end()
        if self.termed:
            handback.hand_back(self.channel_layer, hand, "stop")
            while entry := hand.begin():
                self._run_one(*entry)

    def _batch_limit(self) -> int:
        """Return how many messages may be taken now: one where consumers are slow, so that others get the rest."""
        return max(1, min(BATCH_LIMIT, int(BATCH_SECONDS / self._average)))

    def _receive(self, channels: Sequence[str], timeout: float) -> list[Delivery]:
        try:
            deliveries: list[Delivery] = self.channel_layer.receive_batch(channels, self._batch_limit(), timeout)
        except LayerUnavailable as error:
            if not self._backoff.failures:
                counters.add("layer.lost.receive")
                logger.error("The channel layer cannot be reached; trying again until it can: %s", error)
            time.sleep(self._backoff.failed())
            return []
        except Exception:
            logger.exception("Error receiving from the channel layer; trying again")
            time.sleep(self._backoff.failed())
            return []
        if self._backoff.recovered():
            counters.add("layer.regained.receive")
            logger.warning("The channel layer can be reached again")
        return deliveries

    def _run_one(self, channel: str, content: Content) -> None:
        self.in_job = True
        started = time.perf_counter()
        try:
            if self._is_kept(content):
                self._run_kept(channel, content)
            else:
                self._dispatch(channel, content, self.callback, act_on_error)
        except Exception:
            counters.add("message.dropped.dispatch_failed")
            logger.exception("Error dispatching a message on %s", channel)
        finally:
            self.in_job = False
            # One message that took far longer, because the processor was taken away, says little of the others.
            took = min(time.perf_counter() - started, _OUTLIER * self._average)
            self._average += _MEMORY * (took - self._average)

    def _dispatch(self, channel: str, content: Content, callback: Callback | None, on_error: OnError) -> None:
        dispatch(
            self.channel_layer,
            channel,
            content,
            sender=type(self),
            callback=callback,
            message_retries=self.message_retries,
            on_error=on_error,
        )

    def _is_kept(self, content: Content) -> bool:
        """Return whether the layer keeps this message until it hears what came of it."""
        is_in_hand = getattr(self.channel_layer, "is_in_hand", None) if DELIVERIES in content else None
        return is_in_hand is not None and is_in_hand(content)

    def _run_kept(self, channel: str, content: Content) -> None:
        """Run a message that the layer keeps until it hears that the consumer and its sends succeeded.

        Success is told to the layer for all messages in hand together, once they were run.
        """
        was_matched, has_failed = False, False

        def callback(channel: str, message: Message) -> None:
            nonlocal was_matched
            was_matched = True
            if self.callback is not None:
                self.callback(channel, message)

        def on_error(message: Message, consumer: Consumer, error: BaseException) -> None:
            nonlocal has_failed
            has_failed = not isinstance(error, DenyConnection)
            if not isinstance(error, ConsumeLater):  # The layer delivers it again; a copy would make two of it.
                act_on_error(message, consumer, error)

        succeeded = False
        try:
            self.channel_layer.push(wait=True)  # What others sent is not to be counted here.
            dropped = pending_message_store.dropped
            self._dispatch(channel, content, callback, on_error)
            self.channel_layer.push(wait=True)
            succeeded = was_matched and not has_failed and pending_message_store.dropped == dropped
        finally:
            if not succeeded:
                self.channel_layer.finish_deliveries([content], False)


class WorkerGroup(Worker):
    """Several workers in one process: this one in the calling thread, the others in threads of their own.

    Args:
        n_threads: How many workers, this one included; None is one per core.
        stop_gracefully: End what has begun before stopping; else leave at once.
        args, kwargs: As for ``Worker``.
    """

    def __init__(self, *args: Any, n_threads: int | None = None, stop_gracefully: bool = True, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.stop_gracefully = stop_gracefully
        count = (n_threads or multiprocessing.cpu_count()) - 1
        self.sub_workers = [Worker(*args, **{**kwargs, "signal_handlers": False}) for _ in range(count)]
        self.threads: list[threading.Thread] = []

    def sigterm_handler(self, signo: int, frame: Any) -> None:
        """Tell all workers to stop."""
        if not self.stop_gracefully:
            logger.info("Shutdown signal received by WorkerGroup, terminating immediately.")
            sys.exit(0)
        logger.info("Shutdown signal received by WorkerGroup, waiting for sub-workers.")
        for worker in (self, *self.sub_workers):
            worker.termed = True

    def ready(self) -> None:
        """Send ``worker_ready`` for this worker and each of the others."""
        super().ready()
        for worker in self.sub_workers:
            worker.ready()

    def run(self) -> None:
        """Consume messages in all threads until told to stop."""
        self.threads = [
            threading.Thread(target=worker.run, name=f"channels-worker-{number}", daemon=True)
            for number, worker in enumerate(self.sub_workers, start=2)
        ]
        for thread in self.threads:
            thread.start()
        super().run()
        for worker in self.sub_workers:
            worker.termed = True
        for thread in self.threads:
            thread.join(JOIN_SECONDS)
