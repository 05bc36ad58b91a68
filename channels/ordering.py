"""Order: one consumer at a time for each connection, in the order in which its messages were made.

A worker asks for the turn of a message (``take_turn``), runs it, and ends the turn after what the consumer
sent has left, so that replies keep the order too. Early messages are kept where all workers see them and come
back with the end of the turn before them. What decides turns is the layer's (``channels.layers.turns``), or
``SessionTurns`` for layers that cannot. A turn ends however the consumer ends, ``ConsumeLater`` excepted:
then the same message comes again.
"""

import logging
import threading
import time
from collections.abc import Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from channels import conf, counters, formats
from channels.exceptions import ChannelFull, LayerUnavailable, UnusableMessage
from channels.hand import current, pick_up
from channels.layers.turns import LAST_CHANNEL, Early, Taken, Turns, Verdict
from channels.message import Message
from channels.names import wait_channel
from channels.session_turns import SessionTurns
from channels.taken_turn import TakenTurn
from channels.types import Consumer

__all__ = [
    "LAST_CHANNEL",
    "check_overdue",
    "is_unsettled",
    "mark_as_ordered",
    "pick_up",
    "settle",
    "take_turn",
    "take_turns_in_hand",
    "takes_turn",
]

logger = logging.getLogger("django.channels")

C = TypeVar("C", bound=Consumer)

LEAST_KEPT = 100
"""Early messages of a connection that are kept at least, whatever the capacity of its wait channel."""

SWEEP_SECONDS = 1.0
"""How often a process looks for connections that waited too long."""

FAILED_SWEEP_SECONDS = 10.0
"""How long it leaves that after it failed."""

REQUEUE_SECONDS = 2.0
REQUEUE_INTERVAL = 0.05
"""For how long, and how often, a message whose turn has come is offered to a channel that is full."""

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


def wait_seconds() -> float:
    """Return how long a connection waits for a missing message."""
    wait: float = conf.get("CHANNELS_ORDERING_TIMEOUT")
    return wait


def mark_as_ordered(consumer: C) -> C:
    """Return ``consumer``, marked as one that asks for its turn before anything else; decorators keep the mark."""
    consumer.is_ordered = True  # type: ignore[attr-defined]
    return consumer


def takes_turn(consumer: Consumer) -> bool:
    """Return whether ``consumer``, a function or class, is known to ask for its turn before anything else."""
    return bool(getattr(consumer, "is_ordered", False) or getattr(consumer, "strict_ordering", False))


def take_turn(message: Message) -> TakenTurn | None:
    """Return the turn of ``message``, or None if it must not run now: it is kept for later, or has had its time.

    Raises:
        ValueError: It has no order or no reply channel.
        LayerUnavailable: The server that decides turns cannot be reached.
    """
    if message.reply_channel is None or message.channel is None:
        raise UnusableMessage(
            "No reply_channel sent to consumer; @enforce_ordering can only be used on messages containing it."
        )
    order = message.content.get(formats.ORDER)
    if order is None:
        raise UnusableMessage(
            "No `order` value in message; @enforce_ordering can only be used on messages containing it."
        )
    if not _is_order(order):
        raise UnusableMessage(f"The `order` of a message must be a whole number from 0, not {order!r}.")
    layer, connection, hand = message.channel_layer, message.reply_channel.name, current()
    if hand is not None:
        hand.is_used = True
        turn: TakenTurn | None = hand.turns.pop((connection, order), None)
        if turn is not None:
            return turn
    turns = turns_of(layer)
    early = Early(message.channel.name, message.content)
    taken = turns.take(connection, early, wait_seconds(), _limit(layer, connection))
    return _make_turn(layer, connection, early, turns, taken)


def _is_order(order: object) -> bool:
    return isinstance(order, int) and not isinstance(order, bool) and order >= 0


def _make_turn(layer: Any, connection: str, early: Early, turns: Turns, taken: Taken) -> TakenTurn | None:
    verdict, released = taken
    if verdict is Verdict.RUN:
        return TakenTurn(layer, connection, early, turns, wait_seconds, release)
    counters.add(f"message.{'held' if verdict is Verdict.HELD else 'dropped'}.order")
    logger.debug("Message %d of %s is not run now: %s", early.order, connection, verdict.value)
    if verdict is Verdict.FULL:
        logger.error(
            "Cannot add unordered message to already full __wait__ channel for socket %s: message %d and many more "
            "came before an earlier one had run. The socket is closed.",
            connection,
            early.order,
        )
        _close(layer, connection)
    release(layer, connection, released)
    return None


def _limit(layer: Any, connection: str) -> int:
    capacity = layer.get_capacity(wait_channel(connection)) if hasattr(layer, "get_capacity") else 0
    return max(LEAST_KEPT, capacity)


# Messages in hand


def take_turns_in_hand(layer: Any) -> None:
    """Ask at once for the turns of all ordered messages that the calling thread has in hand.

    Those whose turn it is not are taken out of the hand. Does nothing where that would not be cheaper than to
    ask when they are run.
    """
    hand, turns = current(), turns_of(layer)
    if hand is None or not hand.is_used or len(hand) < 2 or not hasattr(turns, "take_many"):
        return
    while asked := _first_in_hand(layer):
        try:
            answers = turns.take_many([(at, early) for at, early in asked], wait_seconds(), _limit(layer, asked[0][0]))
        except LayerUnavailable:
            return
        except Exception:
            logger.exception("Could not ask for several turns at once; each is asked for when its message is run")
            return
        put_off = 0
        for (connection, early), taken in zip(asked, answers, strict=True):
            turn = _make_turn(layer, connection, early, turns, taken)
            if turn is None:
                hand.remove((early.channel, early.content))
                put_off += 1
            else:
                hand.turns[connection, early.order] = turn
        if not put_off:
            return


def _first_in_hand(layer: Any) -> list[tuple[str, Early]]:
    """Return the first message of each connection in hand that has no turn and whose consumer is ordered."""
    hand = current()
    found: dict[str, Early] = {}
    have_turns = {connection for connection, _ in hand.turns} if hand is not None else set()
    for channel, content in hand or ():
        connection, early = content.get(formats.REPLY_CHANNEL), Early(channel, content)
        if not connection or not isinstance(connection, str) or not _is_order(content.get(formats.ORDER)):
            continue
        if connection in have_turns:
            continue
        if connection in found and found[connection].order <= early.order:
            continue
        try:
            match = layer.router.match(Message(content, channel, layer))
        except Exception as error:  # An entry of the project; who runs the message tells of it.
            logger.debug("Cannot tell whether a message on %s is ordered: %r", channel, error)
            continue
        if match is not None and takes_turn(match[0]):
            found[connection] = early
    return list(found.items())


def is_unsettled() -> bool:
    """Return whether the calling thread ended turns and has not heard yet what that brought."""
    hand = current()
    return hand is not None and hand.unsettled > 0


def settle(layer: Any) -> bool:
    """Hear what the turns brought that the calling thread ended; return whether it has messages in hand."""
    if is_unsettled():
        layer.push(wait=True)
    return bool(current())


def release(layer: Any, connection: str, released: Sequence[Early]) -> None:
    """Put messages whose turn has come into the hand of the calling thread, or back on their channels."""
    hand = current()
    if hand is not None:
        hand.put_first([(message.channel, message.content) for message in released if hand.takes(message.channel)])
        released = [message for message in released if not hand.takes(message.channel)]
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
        _close_overdue(layer)
    except LayerUnavailable as error:
        logger.debug("Could not look for connections that wait in vain: %s", error)
    except Exception:  # Of a session engine, or a layer of others: no reason to end a worker.
        _sweeps[layer] = now + FAILED_SWEEP_SECONDS
        logger.exception("Error looking for connections that wait in vain; it is tried again")


def _close_overdue(layer: Any) -> None:
    for connection, missing, released, dropped in turns_of(layer).stalled(wait_seconds()):
        if missing is not None:
            counters.add("connection.closed.gap")
            logger.warning(
                "Message %d of %s did not come within %s seconds (CHANNELS_ORDERING_TIMEOUT), or its worker died; "
                "%d later messages are dropped and the socket is closed.",
                missing,
                connection,
                wait_seconds(),
                dropped,
            )
            _close(layer, connection)
        counters.add("message.dropped.gap", dropped)
        release(layer, connection, released)


def _let_go_unused() -> None:
    """End turns that were taken for messages whose consumers turned out not to be ordered."""
    hand = current()
    while hand is not None and not hand and hand.turns:
        _, turn = hand.turns.popitem()
        turn.let_go()


def _close(layer: Any, connection: str) -> None:
    try:
        layer.send(connection, formats.websocket_send(close=formats.TRY_AGAIN_LATER))
    except (ChannelFull, LayerUnavailable) as error:
        counters.add("message.dropped.close")
        logger.error("Could not close %s: %s", connection, error)
