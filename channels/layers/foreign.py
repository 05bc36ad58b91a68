"""Layers of others, written for Channels 1.x: they know neither event loops nor this package's errors."""

import functools
from collections.abc import Sequence
from typing import Any

from channels.exceptions import ChannelFull, MessageTooLarge
from channels.layers.base import DEFAULT_GROUP_EXPIRY, BaseChannelLayer
from channels.layers.twins import ThreadedTwins
from channels.layers.upkeep import EXTENSION as UPKEEP
from channels.layers.upkeep import upkeep_of
from channels.types import Content

_OURS: dict[str, type[Exception]] = {"ChannelFull": ChannelFull, "MessageTooLarge": MessageTooLarge}


SENDING = frozenset({"send", "send_group"})
RECEIVING = frozenset({"receive"})
"""What others override in subclasses of layers: 1.x had nothing beside them that does the same."""


def overrides(layer: Any, methods: frozenset[str], companion: str) -> bool:
    """Return whether a subclass has one of ``methods`` of its own, and inherits a ``companion`` that goes past it."""
    layer_class: Any = type(layer)
    return _overrides(layer_class, methods, companion)


@functools.cache
def _overrides(layer_class: Any, methods: frozenset[str], companion: str) -> bool:
    has_own = False
    for each in layer_class.__mro__:
        if companion in vars(each):
            # Those of the base are made of the methods themselves.
            return has_own and each not in (BaseChannelLayer, ThreadedTwins)
        has_own = has_own or bool(methods & vars(each).keys())
    return False


def _translate(layer: Any, error: Exception) -> type[Exception] | None:
    """Return our class of what is an error of the layer's own; None for all others."""
    for name, ours in _OURS.items():
        theirs = getattr(layer, name, None)
        if isinstance(theirs, type) and isinstance(error, theirs) and not isinstance(error, ours):
            return ours
    return None


@functools.cache
def _both(theirs: type[Exception], ours: type[Exception]) -> type[Exception]:
    """Return the class of an error that projects catch as the layer's, and this package as its own."""
    return type(theirs.__name__, (ours, theirs), {"__module__": theirs.__module__, "__doc__": theirs.__doc__})


def send_through(layer: Any, channel: str, message: Content) -> None:
    """``layer.send``; the ``ChannelFull`` and ``MessageTooLarge`` of the layer are this package's as well.

    Raises:
        ChannelFull: The channel is full.
        MessageTooLarge: The layer cannot carry a message of this size.
    """
    try:
        layer.send(channel, message)
    except Exception as error:
        ours = _translate(layer, error)
        if ours is None:
            raise
        raise _both(type(error), ours)(*error.args) from error  # type: ignore[arg-type]


class ForeignLayer(BaseChannelLayer):
    """Gives such a layer what the interface needs, in threads and one message at a time.

    Args:
        layer: Has ``send``, ``receive`` and ``ChannelFull``, as layers of 1.x have.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(group_expiry=getattr(layer, "group_expiry", DEFAULT_GROUP_EXPIRY))
        self._layer = layer
        if (kept := upkeep_of(layer)) is not None:
            self.extensions, self.upkeep = (UPKEEP,), kept

    def send(self, channel: str, message: Content) -> None:
        """Send through the layer; its own ``ChannelFull`` and ``MessageTooLarge`` become ours."""
        try:
            self._layer.send(channel, message)
        except Exception as error:
            ours = _translate(self._layer, error)
            if ours is None:
                raise
            raise ours(f"A message on {channel} was refused: {error!r}") from error

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        """Receive through the layer."""
        taken: tuple[str | None, Content | None] = self._layer.receive(list(channels), block=block)
        return taken


def make_asynchronous(layer: Any) -> Any:
    """Return ``layer`` if event loops can use it, else something that lets them.

    A subclass of one of our layers that overrides what is called in threads is used in threads: what it does there to
    messages may be meant for both ways.
    """
    is_ours = hasattr(layer, "areceive_batch")
    if is_ours and not overrides(layer, SENDING, "asend") and not overrides(layer, RECEIVING, "areceive_batch"):
        return layer
    return ForeignLayer(layer)
