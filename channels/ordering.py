"""Order: one consumer at a time for each connection, in the order in which its messages were made.

A worker asks for the turn of a message (``take_turn``), runs it, and ends the turn after what the consumer
sent has left, so that replies keep the order too. Early messages are kept where all workers see them and come
back with the end of the turn before them. What decides turns is the layer's (``channels.layers.turns``), or
``SessionTurns`` for layers that cannot. A turn ends however the consumer ends, ``ConsumeLater`` excepted:
then the same message comes again.
"""

import functools
import logging
import threading
import time
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

from django.db import connections

from channels import conf, counters, formats
from channels.exceptions import ChannelFull, ConsumeLater, LayerUnavailable
from channels.layers.turns import LAST_CHANNEL, Early, Turns, Verdict
from channels.message import Message
from channels.names import wait_channel
from channels.pending import pending_message_store
from channels.session_turns import SessionTurns
from channels.types import Content

__all__ = ["LAST_CHANNEL", "check_overdue", "collect_released", "take_turn"]

logger = logging.getLogger("django.channels")

LEAST_KEPT = 100
"""Early messages of a connection that are kept at least, whatever the capacity of its wait channel."""

SWEEP_SECONDS = 1.0
"""How often a process looks for connections that waited too long."""

REQUEUE_SECONDS = 2.0
REQUEUE_INTERVAL = 0.05
"""For how long, and how often, a message whose turn has come is offered to a channel that is full."""

_local = threading.local()
_session_turns: WeakKeyDictionary[Any, SessionTurns] = WeakKeyDictionary()
_sweeps: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
_lock = threading.Lock()


def turns_of(layer: Any) -> Turns:
    """Return what decides turns for ``layer``."""
    turns: Turns | None = getattr(layer, "turns", None)
    if turns is not None:
        return turns
    with _lock:
        return _session_turns.setdefault(layer, SessionTurns(layer))


def _wait() -> float:
    wait: float = conf.get("CHANNELS_ORDERING_TIMEOUT")
    return wait


class TakenTurn:
    """The turn of a message whose consumer may run now.

    Args:
        message: The message.
        early: The same with its channel.
        turns: What gave the turn.
    """

    def __init__(self, message: Message, early: Early, turns: Turns) -> None:
        self._early = early
        self._turns = turns
        self._message = message
        self.connection: str = message.reply_channel.name  # type: ignore[union-attr]
        if turns.needs_renewal:
            _keeper.add(self)

    def end(self, error: BaseException | None) -> None:
        """End the turn once what the consumer sent has left; ``error`` is what it raised."""
        comes_again = isinstance(error, ConsumeLater) and not getattr(self._message, "__doomed__", False)
        pending_message_store.call_after_flush(functools.partial(self._end, not comes_again))

    def _end(self, advance: bool) -> None:
        layer = self._message.channel_layer
        _keeper.discard(self)
        try:
            released = self._turns.end(self.connection, self._early, _wait(), advance)
        except LayerUnavailable as error:
            counters.add("turn.lost.layer")
            logger.error("Could not end the turn of message %d of %s: %s", self._early.order, self.connection, error)
            return
        _release(layer, self.connection, released)

    def renew(self) -> None:
        """Say that the consumer is still running."""
        self._turns.renew(self.connection, self._early, _wait())


def take_turn(message: Message) -> TakenTurn | None:
    """Return the turn of ``message``, or None if it must not run now: it is kept for later, or has had its time.

    Raises:
        ValueError: It has no order or no reply channel.
        LayerUnavailable: The server that decides turns cannot be reached.
    """
    if message.reply_channel is None or message.channel is None:
        raise ValueError(
            "No reply_channel sent to consumer; @enforce_ordering can only be used on messages containing it."
        )
    order = message.content.get(formats.ORDER)
    if order is None:
        raise ValueError("No `order` value in message; @enforce_ordering can only be used on messages containing it.")
    if not isinstance(order, int) or isinstance(order, bool) or order < 0:
        raise ValueError(f"The `order` of a message must be a whole number from 0, not {order!r}.")
    layer, connection = message.channel_layer, message.reply_channel.name
    turns = turns_of(layer)
    early = Early(message.channel.name, message.content)
    verdict, released = turns.take(connection, early, _wait(), _limit(layer, connection))
    if verdict is Verdict.RUN:
        return TakenTurn(message, early, turns)
    counters.add(f"message.{_OUTCOMES[verdict]}.order")
    logger.debug("Message %d of %s is not run now: %s", order, connection, verdict.value)
    if verdict is Verdict.FULL:
        logger.error(
            "Cannot add unordered message to already full __wait__ channel for socket %s: message %d and many more "
            "came before an earlier one had run. The socket is closed.",
            connection,
            order,
        )
        _close(layer, connection)
    _release(layer, connection, released)
    return None


_OUTCOMES = {Verdict.HELD: "held", Verdict.DROPPED: "dropped", Verdict.FULL: "dropped"}


def _limit(layer: Any, connection: str) -> int:
    capacity = layer.get_capacity(wait_channel(connection)) if hasattr(layer, "get_capacity") else 0
    return max(LEAST_KEPT, capacity)


# Messages whose turn has come


def collect_released() -> deque[tuple[str, Content]]:
    """Return where messages whose turn has come are put for the calling thread, which promises to run them next.

    Without this they go back to the channel they came from. A worker calls this once and runs what it finds
    after each message.
    """
    released: deque[tuple[str, Content]] = deque()
    # Weakly: when the caller has gone, messages go back to their channels.
    _local.released = weakref.ref(released)
    return released


def _release(layer: Any, connection: str, released: Sequence[Early]) -> None:
    here = _local.released() if hasattr(_local, "released") else None
    for number, message in enumerate(released):
        if here is not None:
            here.append((message.channel, message.content))
        elif not _requeue(layer, message):
            counters.add("message.dropped.requeue_full", len(released) - number)
            logger.error(
                "Cannot requeue pending __wait__ channel message back on to already full channel %s; "
                "the socket %s is closed.",
                message.channel,
                connection,
            )
            _close(layer, connection)
            return


def _requeue(layer: Any, message: Early) -> bool:
    deadline = time.monotonic() + REQUEUE_SECONDS
    while True:
        try:
            layer.send(message.channel, message.content)
            return True
        except LayerUnavailable as error:
            logger.error("Cannot put a message back on %s: %s", message.channel, error)
            return False
        except ChannelFull:
            if time.monotonic() >= deadline:
                return False
        time.sleep(REQUEUE_INTERVAL)


# Connections that wait in vain


def check_overdue(layer: Any) -> None:
    """Close the connections of ``layer`` that waited too long for a missing message; cheap if called often.

    Workers call it once per pass. Messages that may still run are put back on their channels.
    """
    now = time.monotonic()
    if now < _sweeps.get(layer, 0):
        return
    _sweeps[layer] = now + SWEEP_SECONDS
    try:
        stalled = turns_of(layer).stalled(_wait())
    except LayerUnavailable as error:
        logger.debug("Could not look for connections that wait in vain: %s", error)
        return
    for connection, missing, released, dropped in stalled:
        if missing is not None:
            counters.add("connection.closed.gap")
            logger.warning(
                "Message %d of %s did not come within %s seconds (CHANNELS_ORDERING_TIMEOUT), or its worker died; "
                "%d later messages are dropped and the socket is closed.",
                missing,
                connection,
                _wait(),
                dropped,
            )
            _close(layer, connection)
        counters.add("message.dropped.gap", dropped)
        _release(layer, connection, released)


def _close(layer: Any, connection: str) -> None:
    try:
        layer.send(connection, formats.websocket_send(close=formats.TRY_AGAIN_LATER))
    except (ChannelFull, LayerUnavailable) as error:
        counters.add("message.dropped.close")
        logger.error("Could not close %s: %s", connection, error)


# Consumers that take long


class _Keeper:
    """Renews the turns that are running in this process, from a thread of its own that sleeps while there are none."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._turns: dict[TakenTurn, float] = {}
        self._thread: threading.Thread | None = None

    def add(self, turn: TakenTurn) -> None:
        """Renew ``turn`` from now on."""
        with self._changed:
            self._turns[turn] = time.monotonic()
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="channels-turns", daemon=True)
                self._thread.start()
            elif len(self._turns) == 1:
                self._changed.notify()

    def discard(self, turn: TakenTurn) -> None:
        """Renew ``turn`` no more."""
        with self._changed:
            self._turns.pop(turn, None)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._turns)
            # Four tries within the time after which a turn counts as that of a dead worker.
            pause = max(0.05, _wait() / 4)
            time.sleep(pause)
            with self._changed:
                long = [turn for turn, since in self._turns.items() if time.monotonic() - since >= pause]
            for turn in long:
                try:
                    turn.renew()
                except Exception as error:
                    logger.warning("Could not renew the turn of a consumer of %s: %s", turn.connection, error)
            if long:
                connections.close_all()


_keeper = _Keeper()
