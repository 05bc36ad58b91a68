"""The turn of a message whose consumer runs, and how it ends. Who gets turns is decided in ``channels.ordering``."""

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

from channels import conf, counters
from channels.exceptions import ConsumeLater, LayerUnavailable
from channels.hand import Hand, current
from channels.layers.turns import Early, Ended, NextStep, Turns
from channels.message import Message
from channels.pending import pending_message_store
from channels.turn_keeper import TurnKeeper

logger = logging.getLogger("django.channels")

keeper = TurnKeeper(lambda: float(conf.get("CHANNELS_ORDERING_TIMEOUT")))
"""Keeps the turns alive that this process has."""


class TakenTurn:
    """The turn of a message whose consumer may run now; it goes on to the next message if that is in hand.

    Args:
        layer: The layer of the message.
        connection: The reply channel of the message.
        early: The message and its channel.
        turns: What gave the turn.
        wait: Returns how many seconds a connection waits for a missing message.
        release: Called with layer, connection and the messages whose turn comes with the end of this one.
    """

    def __init__(
        self,
        layer: Any,
        connection: str,
        early: Early,
        turns: Turns,
        wait: Callable[[], float],
        release: Callable[[Any, str, Sequence[Early]], None],
    ) -> None:
        self.connection = connection
        self._layer = layer
        self._first = self._last = early
        self._turns = turns
        self._wait = wait
        self._release = release
        if turns.needs_renewal:
            keeper.add(self)

    def end(self, message: Message, error: BaseException | None) -> None:
        """End the turn once what the consumer of ``message`` sent has left; ``error`` is what it raised."""
        comes_again = isinstance(error, ConsumeLater) and not message.__doomed__
        pending_message_store.call_after_flush(functools.partial(self._end, comes_again))

    def _end(self, comes_again: bool) -> None:
        hand = current()
        if hand is not None and not comes_again and not self._last.is_last:
            with hand.lock:  # Once it has its turn, it is not handed back to others any more.
                following = hand.find(self.connection, self._last.order + 1)
                if following is not None:
                    # Nobody else can have it, so nobody need be told before it has run.
                    self._last = Early(*following)
                    hand.turns[self.connection, self._last.order] = self
                    return
        self.let_go(comes_again)

    def let_go(self, comes_again: bool = False) -> None:
        """End the turn now, or with the next write of a thread that has a hand."""
        keeper.discard(self)
        hand, post = current(), getattr(self._turns, "post_end", None)
        next_step = NextStep.AGAIN if comes_again else NextStep.LET_GO if hand is None else NextStep.RUN_RELEASED
        arguments = (self.connection, self._last, self._wait(), next_step, self._first.order)
        if hand is not None and post is not None:
            hand.unsettled += 1
            post(*arguments, functools.partial(self._settle, hand))
            return
        try:
            ended = self._turns.end(*arguments)
        except LayerUnavailable as error:
            self._report(error)
        else:
            self._follow(ended)

    def _settle(self, hand: Hand, result: Ended | LayerUnavailable) -> None:
        hand.unsettled -= 1
        if isinstance(result, LayerUnavailable):
            self._report(result)
        else:
            self._follow(result)

    def _report(self, error: LayerUnavailable) -> None:
        counters.add("turn.lost.layer")
        logger.error("Could not end the turn of message %d of %s: %s", self._last.order, self.connection, error)

    def _follow(self, ended: Ended) -> None:
        released, is_passed_on = ended
        hand, goes_back = current(), None
        if is_passed_on and hand is not None:
            turn = TakenTurn(self._layer, self.connection, released[0], self._turns, self._wait, self._release)
            if hand.takes(released[0].channel):
                hand.turns[self.connection, released[0].order] = turn
            else:
                goes_back = turn
        self._release(self._layer, self.connection, released)
        if goes_back is not None:
            # Now that its message is on its channel again: until then the layer keeps it, should this process die.
            goes_back.let_go(comes_again=True)

    def renew(self) -> None:
        """Say that the consumer is still running."""
        self._turns.renew(self.connection, self._first, self._wait())
