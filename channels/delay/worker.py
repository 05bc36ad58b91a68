"""The delay server: takes messages from ``asgi.delay`` into the database, and sends those that are due."""

import itertools
import logging
import signal
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import Error, connections
from django.db.models import Min
from django.utils import timezone

from channels import counters
from channels.backoff import Backoff
from channels.delay.models import DelayedMessage, database
from channels.delay.receiving import CHANNEL, InvalidDelay, make_request, read_request
from channels.delay.sending import BATCH, send_messages
from channels.exceptions import ChannelsError, LayerUnavailable
from channels.layers.base import Delivery
from channels.layers.once import once_of
from channels.layers.twins import DELIVERIES
from channels.types import Content

logger = logging.getLogger("django.channels")

RECEIVE_LIMIT = 256
"""Most messages taken into the database at once; what a server holds when it is killed."""

MOST_CHARACTERS = 1_000_000
"""Of the contents that are stored in one statement, unless one alone has more: MySQL takes none above a limit."""

LONGEST_WAIT = 1.0
"""How long one receive waits at most, in seconds: a server that is told to stop sees it when that is over."""

LATE_SECONDS = 0.3
"""How much longer than asked a layer may wait: Redis looks at its clock ten times a second only."""

NEAR_SECONDS = 0.02
"""How long to sleep between looks at the layer when a message is due within ``LATE_SECONDS``."""


class Worker:
    """Delays messages until told to stop. Several may run at once, on one database.

    Args:
        channel_layer: The layer to take from and send to.
        signal_handlers: Stop on SIGTERM and SIGINT; only in the main thread.
        database_sleep_duration: Seconds after which the database is looked at for messages that came another way:
            from a server that died, or from a transaction of the project. Its own messages a server knows.

    Attributes:
        termed: Whether the server was told to stop.
        in_job: Whether it is about to store or send messages.
    """

    def __init__(self, channel_layer: Any, signal_handlers: bool = True, database_sleep_duration: float = 1) -> None:
        self.channel_layer = channel_layer
        self.signal_handlers = signal_handlers
        self.database_sleep_duration = database_sleep_duration
        self.termed = False
        self.in_job = False
        self._backoff = Backoff()
        self._received: list[tuple[Content, DelayedMessage]] = []
        self._next_due: datetime | None = None
        self._next_look = 0.0

    def install_signal_handler(self) -> None:
        """Stop on SIGTERM and SIGINT."""
        signal.signal(signal.SIGTERM, self.sigterm_handler)
        signal.signal(signal.SIGINT, self.sigterm_handler)

    def sigterm_handler(self, signo: int, frame: Any) -> None:
        """Tell the server to stop; it ends what it has begun."""
        self.termed = True
        logger.info("Shutdown signal received while %s", "busy" if self.in_job else "idle")

    def run(self) -> None:
        """Delay messages until told to stop. No bad message and no lost server ends it."""
        if self.signal_handlers:
            self.install_signal_handler()
        logger.info("Listening on %s", CHANNEL)
        while not self.termed:
            try:
                self._take(self._receive())
                self.in_job = True
                self._store()
                self._send()
            except LayerUnavailable as error:
                self._wait_for("channel layer", error)
            except Error as error:
                connections[database()].close()
                self._wait_for("database", error)
            except Exception:
                logger.exception("Error in the delay server; it goes on")
                time.sleep(self._backoff.failed())
            else:
                if self._backoff.recovered():
                    logger.warning("The delay server works again")
            finally:
                self.in_job = False
        self._return_received()

    def _wait_for(self, what: str, error: Exception) -> None:
        if not self._backoff.failures:
            logger.error("The %s cannot be used; trying again until it can: %s", what, error)
        time.sleep(self._backoff.failed())

    # From the layer to the database

    def _receive(self) -> list[Delivery]:
        """Return what came on the layer, at the latest when something else is to be done."""
        if self._received:
            return []  # The database did not take them yet; let others have what follows.
        until_look = max(0.0, self._next_look - time.monotonic())
        until_due = until_look + LATE_SECONDS if self._next_due is None else self._seconds_until(self._next_due)
        wait = min(until_look, until_due - LATE_SECONDS, LONGEST_WAIT)
        deliveries: list[Delivery] = self.channel_layer.receive_batch([CHANNEL], RECEIVE_LIMIT, max(0.0, wait))
        if wait <= 0 and not deliveries:
            time.sleep(max(0.0, min(NEAR_SECONDS, until_look, until_due)))
        return deliveries

    def _seconds_until(self, moment: datetime) -> float:
        return (moment - timezone.now()).total_seconds()

    def _take(self, deliveries: Sequence[Delivery]) -> None:
        once = once_of(self.channel_layer)
        for _, content, _ in deliveries:
            try:
                message = read_request(content, None if once is None else once.identify(content))
            except InvalidDelay as error:
                counters.add("message.dropped.delay_invalid")
                logger.error("A message on %s is skipped: %s.", CHANNEL, error)
                self._finish([content])
            else:
                self._received.append((content, message))

    def _store(self) -> None:
        while self._received:
            part = self._first_part()
            messages = [message for _, message in part]
            # What is there already was delivered again by the layer, because a server died before it could say thanks.
            DelayedMessage.objects.using(database()).bulk_create(messages, ignore_conflicts=True)
            del self._received[: len(part)]
            first = min(message.due_date for message in messages)
            self._next_due = first if self._next_due is None else min(first, self._next_due)
            self._finish([content for content, _ in part])

    def _first_part(self) -> list[tuple[Content, DelayedMessage]]:
        """Return as many of the received messages, the first ones, as one statement may hold."""
        sizes = itertools.accumulate(len(message.content) for _, message in self._received)
        return self._received[: max(1, sum(size <= MOST_CHARACTERS for size in sizes))]

    def _finish(self, contents: Sequence[Content]) -> None:
        """Tell a layer that delivers at least once that these need not come again."""
        kept = [content for content in contents if DELIVERIES in content]
        if kept:
            self.channel_layer.finish_deliveries(kept, True)
            self.channel_layer.push(wait=True)

    def _return_received(self) -> None:
        """Put back on the layer what the database did not take."""
        for content, message in self._received:
            if DELIVERIES in content:
                continue  # The layer has it still.
            try:
                self.channel_layer.send(CHANNEL, make_request(message))
            except ChannelsError as error:
                counters.add("message.dropped.delay_unstored")
                logger.error("A message to be delayed for %s is lost: %s", message.channel_name, error)

    # From the database to the layer

    def _send(self) -> None:
        messages = DelayedMessage.objects.using(database())
        if not self._is_due():
            if time.monotonic() < self._next_look:
                return
            self._look(messages)
            if not self._is_due():
                return
        sent = send_messages(self.channel_layer, messages.is_due(), BATCH)
        self._look(messages)
        if not sent and self._next_due is not None:
            # What is due is being sent by another server: it is about to go.
            self._next_due = max(self._next_due, timezone.now() + timedelta(seconds=NEAR_SECONDS))

    def _is_due(self) -> bool:
        return self._next_due is not None and self._next_due <= timezone.now()

    def _look(self, messages: Any) -> None:
        self._next_due = messages.aggregate(first=Min("due_date"))["first"]
        self._next_look = time.monotonic() + self.database_sleep_duration
