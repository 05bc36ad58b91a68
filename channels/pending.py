"""What consumers send, kept until they end: messages leave together, after the consumer and its decorators.

The store keeps a stack per context, so a consumer that runs another one (a test client does) flushes only
what was sent inside it, and threads and tasks do not see each other's sends. What is sent in a context whose
consumer has already ended goes out at once.
"""

import contextlib
import functools
import itertools
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import Any, NamedTuple, Protocol

from channels import conf, counters, timings
from channels.exceptions import ChannelFull, ChannelsError, LayerUnavailable
from channels.layers.base import Outgoing
from channels.layers.batches import send_all
from channels.signals import consumer_finished, consumer_started
from channels.types import Content

logger = logging.getLogger("django.channels")


class Sender(Protocol):
    """A Channel or a Group."""

    name: str
    channel_layer: Any
    is_group: bool


class PendingSend(NamedTuple):
    """One message on its way: who sends it, and a content that nobody else holds."""

    sender: Sender
    content: Content


_DECIDING = ("accept", "close", "text", "bytes", "status", "more_content")
"""Keys by which a message to a connection decides what becomes of a handshake or request."""


class _Frame:
    """The sends of one running consumer."""

    def __init__(self) -> None:
        self.sends: list[PendingSend] = []
        self.sent_at_once: dict[str, Content] = {}
        self.afterwards: list[Callable[[], None]] = []
        self.is_open = True


class Account:
    """What became of the sends of one consumer.

    Attributes:
        posted: Batches that were posted, so that what becomes of them is known only later.
        dropped: Messages that could not be sent, as far as that is known.
    """

    def __init__(self) -> None:
        self.posted = 0
        self.dropped = 0


class _Thread(threading.local):
    """What is said for the consumers of one thread.

    Attributes:
        posting_to: The layer that sends are posted to; None: each waits until it has left.
        account: Where to note what becomes of them.
    """

    posting_to: Any = None
    account: Account | None = None


class PendingMessageStore:
    """Keeps sends from ``prepare`` to ``send_and_flush``. There is one, ``pending_message_store``."""

    retry_time: float | None = None
    """Seconds for which a message to a full channel is tried again; None is ``CHANNELS_FLUSH_RETRY_TIME``."""

    retry_interval = 0.2
    """Seconds between two tries."""

    def __init__(self) -> None:
        self._thread = _Thread()
        self._frames: ContextVar[tuple[_Frame, ...]] = ContextVar("channels_pending_frames", default=())

    @contextlib.contextmanager
    def accounting(self, account: Account) -> Iterator[None]:
        """Note in ``account`` what becomes of the sends of consumers that run meanwhile in the calling thread."""
        self._thread.account = account
        try:
            yield
        finally:
            self._thread.account = None

    @property
    def active(self) -> bool:
        """Whether a consumer is running in this context, so that sends are kept."""
        frames = self._frames.get()
        return bool(frames) and frames[-1].is_open

    @property
    def sends(self) -> Sequence[PendingSend]:
        """What the consumer that is running in this context has sent so far."""
        return tuple(self._frames.get()[-1].sends) if self.active else ()

    def sent_to(self, channel: str) -> list[Content]:
        """Return what the running consumer has sent to ``channel`` so far, groups apart; see ``note_sent``."""
        if not self.active:
            return []
        frame = self._frames.get()[-1]
        at_once = [frame.sent_at_once[channel]] if channel in frame.sent_at_once else []
        return at_once + [
            send.content for send in frame.sends if not send.sender.is_group and send.sender.name == channel
        ]

    def note_sent(self, channel: str, content: Content) -> None:
        """Remember what the running consumer sent to ``channel`` past this store: the first that decides something.

        No more than that, and of frames no more than how they begin: consumers stream through here.
        """
        if self.active and (kept := {key: content[key] for key in _DECIDING if content.get(key) is not None}):
            begun = {key: value[:1] if isinstance(value, str | bytes) else value for key, value in kept.items()}
            self._frames.get()[-1].sent_at_once.setdefault(channel, begun)

    def append(self, sender: Sender, message: Content) -> None:
        """Keep ``message``, a content that nobody else holds, until the running consumer ends."""
        self._frames.get()[-1].sends.append(PendingSend(sender, message))

    def put_first(self, sender: Sender, message: Content) -> None:
        """Keep ``message`` like ``append``, but let it leave before all others."""
        self._frames.get()[-1].sends.insert(0, PendingSend(sender, message))

    def call_after_flush(self, action: Callable[[], None]) -> None:
        """Call ``action`` when what the running consumer sends has left; at once if none is running.

        Where sends are posted, what ``action`` asks of the layer comes after them in the same write.
        """
        if self.active:
            self._frames.get()[-1].afterwards.append(action)
        else:
            action()

    def prepare(self, **kwargs: Any) -> None:
        """Begin to keep sends; receiver of ``consumer_started``."""
        self._frames.set((*self._frames.get(), _Frame()))

    def send_and_flush(self, **kwargs: Any) -> None:
        """Send what was kept since the last ``prepare``; receiver of ``consumer_finished``. Never raises."""
        frames = self._frames.get()
        if not frames:
            return
        frame = frames[-1]
        self._frames.set(frames[:-1])
        frame.is_open = False
        if not (frame.sends or frame.afterwards):
            return
        began = time.perf_counter()
        self._send_all(frame)
        timings.add(timings.FLUSH, "", time.perf_counter() - began)

    def _send_all(self, frame: _Frame) -> None:
        posting_to, account = self._thread.posting_to, self._thread.account
        for _, run in itertools.groupby(frame.sends, key=lambda send: id(send.sender.channel_layer)):
            sends = list(run)
            layer = sends[0].sender.channel_layer
            batch = [Outgoing(send.sender.name, send.content, send.sender.is_group) for send in sends]
            try:
                if posting_to is not None and layer is posting_to:
                    if account is not None:
                        account.posted += 1
                    posting_to.post_batch(batch, functools.partial(self._settle, layer, account, batch))
                else:
                    self._settle(layer, account, batch, send_all(layer, batch))
            except Exception as error:
                self._settle(layer, account, batch, [error] * len(batch))
        for action in frame.afterwards:
            try:
                action()
            except Exception:
                logger.exception("Error after the sends of a consumer")

    @contextlib.contextmanager
    def posting_to(self, layer: Any) -> Iterator[None]:
        """In the calling thread, let what consumers send on ``layer`` leave with the thread's next call of it."""
        self._thread.posting_to = layer
        try:
            yield
        finally:
            self._thread.posting_to = None
            layer.push(wait=True)

    def _settle(
        self, layer: Any, account: Account | None, batch: Sequence[Outgoing], outcomes: Sequence[Exception | None]
    ) -> None:
        """Act on what each item came to.

        What was certainly not sent is tried again for a while, because the channel was full or the server away; the
        rest is reported.
        """
        left = self._report(account, batch, outcomes)
        if not left:
            return
        retry_time: float = conf.get("CHANNELS_FLUSH_RETRY_TIME") if self.retry_time is None else self.retry_time
        deadline = time.monotonic() + retry_time
        while left and time.monotonic() < deadline:
            time.sleep(self.retry_interval)
            batch = [item for item, _ in left]
            try:
                outcomes = send_all(layer, batch)
            except Exception as error:
                outcomes = [error] * len(batch)
            left = self._report(account, batch, outcomes)
        for item, failure in left:
            if isinstance(failure, ChannelFull):
                _drop_late(account, item, retry_time)
            else:
                _drop(account, item, failure)

    def _report(
        self, account: Account | None, batch: Sequence[Outgoing], outcomes: Sequence[Exception | None]
    ) -> list[tuple[Outgoing, Exception]]:
        """Return what may be tried again, and why it was not sent; count and log what failed otherwise."""
        left: list[tuple[Outgoing, Exception]] = []
        for item, error in zip(batch, outcomes, strict=True):
            if isinstance(error, ChannelFull) or (isinstance(error, LayerUnavailable) and not error.was_asked):
                left.append((item, error))
            elif error is not None:
                _drop(account, item, error)
        return left


def _drop_late(account: Account | None, item: Outgoing, retry_time: float) -> None:
    if account is not None:
        account.dropped += 1
    counters.add("message.dropped.channel_full")
    logger.error(
        "Failed to send queued message to %s after retrying for %.2fs; it is dropped. You need to increase "
        "the consumption rate on this channel, its capacity, or handle the ChannelFull exception yourself "
        "after adding immediately=True to send().",
        item.name,
        retry_time,
    )


def _drop(account: Account | None, item: Outgoing, error: Exception) -> None:
    if account is not None:
        account.dropped += 1
    counters.add("message.dropped.refused")
    expected = isinstance(error, ChannelsError | TypeError | AssertionError)
    logger.error("Could not send a message to %s: %s", item.name, error, exc_info=None if expected else error)


pending_message_store = PendingMessageStore()
"""The store that ``Channel.send`` and ``Group.send`` use."""

consumer_started.connect(pending_message_store.prepare, dispatch_uid="channels.pending.prepare")
consumer_finished.connect(pending_message_store.send_and_flush, dispatch_uid="channels.pending.flush")
