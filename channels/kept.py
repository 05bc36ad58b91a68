"""Running messages that the layer keeps until it hears that the consumer and its sends succeeded."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from channels.dispatch import act_on_error
from channels.exceptions import ConsumeLater, DenyConnection
from channels.layers.base import Delivery
from channels.layers.twins import DELIVERIES
from channels.message import Message, pending_message_store
from channels.pending import Account
from channels.types import Consumer, Content

Callback: TypeAlias = Callable[[str, Message], None]
OnError: TypeAlias = Callable[[Message, Consumer, BaseException], None]


class KeptMessages:
    """Messages that one worker was given to finish. Success is told to the layer for all messages in hand together.

    Args:
        layer: Wrapper of the layer that keeps them.
    """

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._is_in_hand: Callable[[Content], bool] | None = getattr(layer, "is_in_hand", None)
        self._unsettled: list[tuple[Content, Account]] = []

    def has(self, content: Content) -> bool:
        """Return whether the layer keeps this message until it hears what came of it."""
        return DELIVERIES in content and self._is_in_hand is not None and self._is_in_hand(content)

    def run(self, content: Content, run: Callable[[Callback, OnError], None], callback: Callback | None = None) -> None:
        """Run a message that the layer keeps; if it fails, the layer is told.

        Args:
            content: Its content.
            run: Dispatches it, with what to call before the consumer and on its errors.
            callback: Called before the consumer.
        """
        was_matched, has_failed = False, False

        def before(channel: str, message: Message) -> None:
            nonlocal was_matched
            was_matched = True
            if callback is not None:
                callback(channel, message)

        def on_error(message: Message, consumer: Consumer, error: BaseException) -> None:
            nonlocal has_failed
            has_failed = not isinstance(error, DenyConnection)
            if not isinstance(error, ConsumeLater):  # The layer delivers it again; a copy would make two of it.
                act_on_error(message, consumer, error)

        account, succeeded = Account(), False
        try:
            with pending_message_store.accounting(account):
                run(before, on_error)
            succeeded = was_matched and not has_failed and not account.dropped
            if succeeded and account.posted:
                self._unsettled.append((content, account))
        finally:
            if not succeeded:
                self._layer.finish_deliveries([content], False)

    def finish(self, deliveries: Sequence[Delivery]) -> None:
        """Tell the layer that the work on ``deliveries`` is done, but for those of which it was told that it failed.

        Those that were not run are done with, too: they wait for their turn in the layer now.
        """
        if self._unsettled:
            self._layer.push(wait=True)  # What consumers sent must be known to have been taken.
            unsettled, self._unsettled = self._unsettled, []
            if failed := [content for content, account in unsettled if account.dropped]:
                self._layer.finish_deliveries(failed, False)
        if self._is_in_hand is None:
            return
        if done := [delivery.content for delivery in deliveries if DELIVERIES in delivery.content]:
            self._layer.finish_deliveries(done, True)
