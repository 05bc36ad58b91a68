"""Workers: take messages from a layer, run their consumers, stop in order."""

import functools
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import Any

from channels import conf, counters, handback, incoming, ordering
from channels.backoff import Backoff
from channels.dispatch import DEFAULT_MESSAGE_RETRIES, act_on_error, dispatch, refuse
from channels.exceptions import LayerUnavailable
from channels.hand import Hand
from channels.handback import Watchdog
from channels.kept import Callback, KeptMessages, OnError
from channels.layers.base import Delivery
from channels.message import pending_message_store
from channels.names import matches_any
from channels.pace import Pace
from channels.signals import worker_ready
from channels.types import Content

logger = logging.getLogger("django.channels")

AT_ONCE_STATUS = 128
"""Exit status of a process that a second signal ends, less the number of the signal."""


class Worker:
    """Takes messages of a layer, one consumer at a time.

    Args:
        channel_layer: Wrapper of a layer, with its ``router``.
        callback: Called with (channel, message) before each consumer.
        message_retries: How often ``ConsumeLater`` may put one message back.
        signal_handlers: Stop on SIGTERM and SIGINT; only in the main thread.
        only_channels: Globs; only channels that match one are consumed.
        exclude_channels: Globs; channels that match one are not consumed.
        after_message: Called after each message, whatever became of it.

    Attributes:
        termed: Whether the worker was told to stop.
        in_job: Whether a consumer is running.
        job: The channel whose message it runs; None while it runs none.
        messages: How many messages it has run.
        turned_at: When it last began to receive or to run a message, by ``time.monotonic``; None before and after.
    """

    def __init__(
        self,
        channel_layer: Any,
        callback: Callback | None = None,
        message_retries: int = DEFAULT_MESSAGE_RETRIES,
        signal_handlers: bool = True,
        only_channels: Iterable[str] | None = None,
        exclude_channels: Iterable[str] | None = None,
        after_message: Callable[[], None] | None = None,
    ) -> None:
        self.channel_layer = channel_layer
        self.callback = callback
        self.message_retries = message_retries
        self.signal_handlers = signal_handlers
        self.only_channels = only_channels
        self.exclude_channels = exclude_channels
        self.after_message = after_message
        self.termed = False
        self.in_job = False
        self.job: str | None = None
        self.messages = 0
        self.turned_at: float | None = None
        self._batch_limit: int = conf.get("CHANNELS_BATCH_LIMIT")
        self._signals = 0
        self._push_soon: Callable[[], None] | None = getattr(channel_layer, "push_soon", None)
        self._pace = Pace()
        self._backoff = Backoff()
        self._kept = KeptMessages(channel_layer)

    @property
    def is_connected(self) -> bool:
        """Whether the layer could be reached when it was last asked for messages."""
        return not self._backoff.failures

    def install_signal_handler(self) -> None:
        """Stop this worker on SIGTERM and SIGINT."""
        signal.signal(signal.SIGTERM, self.sigterm_handler)
        signal.signal(signal.SIGINT, self.sigterm_handler)

    def stop(self) -> None:
        """Tell the worker to stop. It ends what it has begun, and hands back what it took and has not."""
        # Nothing is raised here: a message that is on its way from the server would be lost.
        self.termed = True

    def sigterm_handler(self, signo: int, frame: Any) -> None:
        """Tell the worker to stop; the second signal ends the process at once."""
        self._count_signal(signo)
        self.stop()
        if self.in_job:
            logger.info("Shutdown signal received while busy, waiting for loop termination")
        else:
            logger.info("Shutdown signal received while idle, terminating immediately")

    def _count_signal(self, signo: int) -> None:
        self._signals += 1
        if self._signals > 1:
            logger.warning("Second shutdown signal received, ending at once; what was begun is lost.")
            # Not an exception: consumers may catch any.
            os._exit(AT_ONCE_STATUS + signo)

    def apply_channel_filters(self, channels: Iterable[str]) -> list[str]:
        """Return those of ``channels`` that this worker may consume."""
        only, exclude = self.only_channels or ("*",), self.exclude_channels or ()
        return [name for name in channels if matches_any(name, only) and not matches_any(name, exclude)]

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
        hand = ordering.pick_up(None if set(channels) == self.channel_layer.router.channels else set(channels))
        watchdog = Watchdog(self.channel_layer, hand)
        patience: float = conf.get("CHANNELS_RECEIVE_TIMEOUT")
        # What a consumer sends leaves in one write with the next receive; soon, if another consumer comes before it.
        with pending_message_store.posting_to(self.channel_layer), closing(watchdog):
            while not self.termed:
                self.turned_at = time.monotonic()
                # The receive brings home what ended turns released; who has turns out does not wait for others.
                deliveries = self._receive(channels, 0 if ordering.is_unsettled() else patience)
                hand.extend(self._sound(deliveries))
                if not self.termed:
                    ordering.take_turns_in_hand(self.channel_layer)
                if len(hand) > 1:
                    watchdog.watch()
                self._run_hand(hand)
                self._kept.finish(deliveries)
                ordering.check_overdue(self.channel_layer)
            while ordering.settle(self.channel_layer):
                self._run_hand(hand)
        self.turned_at = None

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

    def _receive(self, channels: Sequence[str], timeout: float) -> list[Delivery]:
        limit = self._pace.batch(self._batch_limit)
        try:
            deliveries: list[Delivery] = self.channel_layer.receive_batch(channels, limit, timeout)
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

    def _sound(self, deliveries: Iterable[Delivery]) -> Iterator[tuple[str, Content]]:
        """Yield the messages that can be run; who waits for one of the others is answered."""
        for channels, content, _ in deliveries:
            for channel in channels:
                problem = incoming.find_problem(channel, content)
                if problem is None:
                    yield channel, content
                else:
                    refuse(self.channel_layer, channel, content, problem)

    def _run_one(self, channel: str, content: Content) -> None:
        if self._push_soon is not None:
            self._push_soon()
        self.in_job, self.job = True, channel
        self.turned_at = started = time.monotonic()
        try:
            if self._kept.has(content):
                self._kept.run(content, functools.partial(self._dispatch, channel, content), self.callback)
            else:
                self._dispatch(channel, content, self.callback, act_on_error)
        except Exception:
            counters.add("message.dropped.dispatch_failed")
            logger.exception("Error dispatching a message on %s", channel)
        finally:
            self.in_job, self.job = False, None
            self.messages += 1
            self._pace.took(time.monotonic() - started)
            if self.after_message is not None:
                self.after_message()

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


class WorkerGroup(Worker):
    """Several workers in one process: this one in the calling thread, the others in threads of their own.

    Args:
        n_threads: How many workers, this one included; None is one per core.
        stop_gracefully: End what has begun before stopping; else leave at once.
        grace: Seconds that the threads may take to end what they have begun; None is ``CHANNELS_STOP_GRACE``.
        args, kwargs: As for ``Worker``.
    """

    def __init__(
        self,
        *args: Any,
        n_threads: int | None = None,
        stop_gracefully: bool = True,
        grace: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.stop_gracefully = stop_gracefully
        self.grace = grace
        count = (n_threads or multiprocessing.cpu_count()) - 1
        self.sub_workers = [Worker(*args, **{**kwargs, "signal_handlers": False}) for _ in range(count)]
        self.threads: list[threading.Thread] = []

    def stop(self) -> None:
        """Tell all workers to stop."""
        for worker in (self, *self.sub_workers):
            worker.termed = True

    def sigterm_handler(self, signo: int, frame: Any) -> None:
        """Tell all workers to stop; the second signal ends the process at once."""
        self._count_signal(signo)
        self.stop()
        if not self.stop_gracefully:
            logger.info("Shutdown signal received by WorkerGroup, terminating immediately.")
            sys.exit(0)
        logger.info("Shutdown signal received by WorkerGroup, waiting for sub-workers.")

    def ready(self) -> None:
        """Send ``worker_ready`` for this worker and each of the others."""
        super().ready()
        for worker in self.sub_workers:
            worker.ready()

    def run(self) -> None:
        """Consume messages in all threads until told to stop."""
        self.threads = [
            threading.Thread(target=self._run_sub_worker, args=[worker], name=f"channels-worker-{number}", daemon=True)
            for number, worker in enumerate(self.sub_workers, start=2)
        ]
        for thread in self.threads:
            thread.start()
        try:
            super().run()
        finally:
            self.stop()
            grace = conf.get("CHANNELS_STOP_GRACE") if self.grace is None else self.grace
            deadline = time.monotonic() + grace
            for thread in self.threads if self.stop_gracefully else ():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run_sub_worker(self, worker: Worker) -> None:
        """Run a worker of another thread; an error that ends it, unlike one of a consumer, ends it for a moment."""
        backoff = Backoff()
        while not worker.termed:
            try:
                worker.run()
                return
            except Exception:
                counters.add("worker.restarted.error")
                logger.exception("A worker thread failed; it starts again")
                time.sleep(backoff.failed())
