"""Running messages that the layer keeps until it hears that the consumer and its sends succeeded."""

from collections.abc import Callable
from typing import Any, TypeAlias

from channels.dispatch import act_on_error
from channels.exceptions import ConsumeLater, DenyConnection
from channels.layers.twins import DELIVERIES
from channels.message import Message, pending_message_store
from channels.types import Consumer, Content

Callback: TypeAlias = Callable[[str, Message], None]
OnError: TypeAlias = Callable[[Message, Consumer, BaseException], None]


def is_kept(layer: Any, content: Content) -> bool:
    """Return whether ``layer`` keeps this message until it hears what came of it."""
    is_in_hand = getattr(layer, "is_in_hand", None) if DELIVERIES in content else None
    return is_in_hand is not None and is_in_hand(content)


def run_kept(
    layer: Any, content: Content, run: Callable[[Callback, OnError], None], callback: Callback | None = None
) -> None:
    """Run a message that ``layer`` keeps, and tell the layer if it failed.

    Success is told to the layer by the worker, for all messages in hand together, once they were run.

    Args:
        layer: Wrapper of the layer that keeps it.
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

    succeeded = False
    try:
        layer.push(wait=True)  # What others sent is not to be counted here.
        dropped, posted = pending_message_store.dropped, pending_message_store.posted
        run(before, on_error)
        if pending_message_store.posted != posted:  # Else there is nothing to wait for.
            layer.push(wait=True)
        succeeded = was_matched and not has_failed and pending_message_store.dropped == dropped
    finally:
        if not succeeded:
            layer.finish_deliveries([content], False)
