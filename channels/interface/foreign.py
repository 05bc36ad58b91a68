"""Layers that know nothing of event loops: those of others, written for Channels 1.x."""

import time
from collections.abc import Sequence
from typing import Any

from channels.exceptions import ChannelFull
from channels.layers.base import DEFAULT_GROUP_EXPIRY, BaseChannelLayer
from channels.types import Content

POLL_SECONDS = 0.05
"""How long to wait after a ``receive`` that should have waited and did not."""


class ForeignLayer(BaseChannelLayer):
    """Gives such a layer what the interface needs, in threads and one message at a time.

    Args:
        layer: Has ``send``, ``receive`` and ``ChannelFull``, as layers of 1.x have.
    """

    def __init__(self, layer: Any) -> None:
        super().__init__(group_expiry=getattr(layer, "group_expiry", DEFAULT_GROUP_EXPIRY))
        self._layer = layer

    def send(self, channel: str, message: Content) -> None:
        """Send through the layer; its own ``ChannelFull`` becomes ours."""
        try:
            self._layer.send(channel, message)
        except self._layer.ChannelFull as error:
            raise ChannelFull(f"Channel {channel} is full.") from error

    def receive(self, channels: Sequence[str], block: bool = False) -> tuple[str | None, Content | None]:
        """Receive through the layer."""
        began = time.monotonic()
        channel, content = self._layer.receive(list(channels), block=block)
        if channel is None and block and time.monotonic() - began < POLL_SECONDS:
            time.sleep(POLL_SECONDS)
        return channel, content


def make_asynchronous(layer: Any) -> Any:
    """Return ``layer`` if event loops can use it, else something that lets them."""
    return layer if hasattr(layer, "areceive_batch") else ForeignLayer(layer)
