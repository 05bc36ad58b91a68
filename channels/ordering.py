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
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from channels import conf, counters, formats
from channels.exceptions import ChannelFull, ConsumeLater, LayerUnavailable
from channels.layers.turns import LAST_CHANNEL, Early, Ended, NextStep, Turns, Verdict
from channels.message import Message
from channels.names import wait_channel
from channels.pending import pending_message_store
from channels.session_turns import SessionTurns
from channels.turn_keeper import TurnKeeper
from channels.types import Consumer, Content

__all__ = [
    "LAST_CHANNEL",
    "check_overdue",
    "collect_released",
    "is_unsettled",
    "mark_as_ordered",
    "settle",
    "take_turn",
    "takes_turn",
]

logger = logging.getLogger("django.channels")

C = TypeVar("C", bound=Consumer)

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


_keeper = TurnKeeper(_wait)


def mark_as_ordered(consumer: C) -> C:
    """Return ``consumer``, marked as one that asks for its turn before anything else; decorators keep the mark."""
    consumer.is_ordered = True  # type: ignore[attr-defined]
    return consumer


def takes_turn(consumer: Consumer) -> bool:
    """Return whether ``consumer``, a function or class, is known to ask for its turn before anything else."""
    return bool(getattr(consumer, "is_ordered", False) or getattr(consumer, "strict_ordering", False))


class TakenTurn:
    """The turn of a message whose consumer may run now.

    Args:
        layer: The layer of the message.
        connection: The reply channel of the message.
        early: The message and its channel.
        turns: What gave the turn.
    """

    def __init__(self, layer: Any, connection: str, early: Early, turns: Turns) -> None:
        self.connection = connection
        self._layer = layer
        self._early = early
        self._turns = turns
        if turns.needs_renewal:
            _keeper.add(self)

    def end(self, message: Message, error: BaseException | None) -> None:
        """End the turn once what the consumer of ``message`` sent has left; ``error`` is what it raised."""
        comes_again = isinstance(error, ConsumeLater) and not getattr(message, "__doomed__", False)
        pending_message_store.call_after_flush(functools.partial(self.let_go, comes_again))

    def let_go(self, comes_again: bool = False) -> None:
        """End the turn now, or with the next write of a thread that promised to ``settle``."""
        _keeper.discard(self)
        hand, post = _hand(), getattr(self._turns, "post_end", None)
        if hand is not None and post is not None:
            # A message in hand asks for its turn in the same write, so nothing is passed on to it.
            step = NextStep.AGAIN if comes_again else NextStep.RUN_RELEASED
            hand.unsettled += 1
            post(self.connection, self._early, _wait(), step, functools.partial(self._settle, hand))
            return
        try:
            ended = self._turns.end(self.connection, self._early, _wait(), self._next_step(comes_again))
        except LayerUnavailable as error:
            self._report(error)
        else:
            self._follow(ended)

    def _settle(self, hand: "Hand", result: Ended | LayerUnavailable) -> None:
        hand.unsettled -= 1
        if isinstance(result, LayerUnavailable):
            self._report(result)
        else:
            self._follow(result)

    def _report(self, error: LayerUnavailable) -> None:
        counters.add("turn.lost.layer")
        logger.error("Could not end the turn of message %d of %s: %s", self._early.order, self.connection, error)

    def _follow(self, ended: Ended) -> None:
        released, is_passed_on = ended
        hand = _hand()
        if is_passed_on and hand is not None:
            following = released[0] if released else Early(*hand[0])
            turn = TakenTurn(self._layer, self.connection, following, self._turns)
            hand.turns[self.connection, following.order] = turn
        _release(self._layer, self.connection, released)

    def _next_step(self, comes_again: bool) -> NextStep:
        if comes_again:
            return NextStep.AGAIN
        hand = _hand()
        if hand is None:
            return NextStep.LET_GO
        if hand:
            following = hand[0][1]
            if following.get(formats.REPLY_CHANNEL) == self.connection and (
                following.get(formats.ORDER) == self._early.order + 1
            ):
                return NextStep.RUN_IN_HAND
        return NextStep.RUN_RELEASED

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
    hand = _hand()
    passed_on = hand.turns.pop((connection, order), None) if hand is not None else None
    if passed_on is not None:
        return passed_on
    turns = turns_of(layer)
    early = Early(message.channel.name, message.content)
    verdict, released = turns.take(connection, early, _wait(), _limit(layer, connection))
    if verdict is Verdict.RUN:
        return TakenTurn(layer, connection, early, turns)
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


class Hand(deque[tuple[str, Content]]):
    """Messages that a thread runs before anything else.

    Attributes:
        turns: The turns that some of them have already, by connection and order.
        unsettled: How many turns of this thread were ended without hearing yet what that brought.
    """

    def __init__(self) -> None:
        super().__init__()
        self.unsettled = 0
        self.turns: dict[tuple[str, int], TakenTurn] = {}


def collect_released() -> deque[tuple[str, Content]]:
    """Return where messages whose turn has come are put for the calling thread, which promises to run them next.

    Without this they go back to the channel they came from. A worker calls this once and runs what it finds after
    each message. It waits for nothing while it ``is_unsettled``; any call of the layer brings the news.
    """
    hand = Hand()
    # Weakly: when the caller has gone, messages go back to their channels.
    _local.hand = weakref.ref(hand)
    return hand


def is_unsettled() -> bool:
    """Return whether the calling thread ended turns and has not heard yet what that brought."""
    hand = _hand()
    return hand is not None and hand.unsettled > 0


def settle(layer: Any) -> bool:
    """Hear what the turns brought that the calling thread ended; return whether there are messages to run."""
    if is_unsettled():
        layer.push(wait=True)
    return bool(_hand())


def _hand() -> Hand | None:
    hand: Hand | None = _local.hand() if hasattr(_local, "hand") else None
    return hand


def _release(layer: Any, connection: str, released: Sequence[Early]) -> None:
    hand = _hand()
    if hand is not None:
        hand.extendleft(reversed(released))
        return
    for number, message in enumerate(released):
        if not _requeue(layer, message):
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
    _let_go_unused()
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


def _let_go_unused() -> None:
    """End turns that were passed on to messages whose consumers turned out not to be ordered."""
    hand = _hand()
    while hand is not None and not hand and hand.turns:
        _, turn = hand.turns.popitem()
        turn.let_go()


def _close(layer: Any, connection: str) -> None:
    try:
        layer.send(connection, formats.websocket_send(close=formats.TRY_AGAIN_LATER))
    except (ChannelFull, LayerUnavailable) as error:
        counters.add("message.dropped.close")
        logger.error("Could not close %s: %s", connection, error)
