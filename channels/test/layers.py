"""The layers that tests use instead of the project's: in this process, empty, with the project's routing."""

import copy
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.core.signals import setting_changed

from channels.layers.base import DEFAULT_REPLY_CAPACITY
from channels.layers.inmemory import ChannelLayer
from channels.registry import ChannelLayerWrapper, channel_layers

CLIENT_LETTERS = 5
"""How many random letters follow the alias in the name of a test client's reply channel."""


def make_test_layer(alias: str, routing: Any) -> ChannelLayerWrapper:
    """Return an empty in-memory layer for ``alias``.

    Channels hold 10 messages, as by default; those of test clients as many as the replies of an interface.
    """
    replies = re.compile(rf"{re.escape(alias)}[a-zA-Z]{{{CLIENT_LETTERS}}}$")
    layer = ChannelLayer(channel_capacity={replies: DEFAULT_REPLY_CAPACITY})
    return ChannelLayerWrapper(layer, alias, copy.copy(routing))


@contextmanager
def fresh_layers(aliases: Iterable[str], *, may_be_missing: bool = False) -> Iterator[None]:
    """Put empty in-memory layers in the place of ``aliases`` for the length of a ``with`` block.

    Where CHANNEL_LAYERS is overridden inside the block, the routings are those of the new value.

    Args:
        aliases: The layers to replace.
        may_be_missing: An alias may be one that CHANNEL_LAYERS is still to get.

    Raises:
        KeyError: CHANNEL_LAYERS has no such alias.
    """
    wanted = list(aliases)
    old = {alias: channel_layers[alias] for alias in wanted if alias in channel_layers or not may_be_missing}

    def replace(**kwargs: Any) -> None:
        if kwargs.get("setting", "CHANNEL_LAYERS") == "CHANNEL_LAYERS":
            for alias in wanted:
                if alias in channel_layers:
                    channel_layers.set(alias, make_test_layer(alias, channel_layers[alias].routing))

    replace()
    # Connected later than the registry's own receiver, and so called after it.
    setting_changed.connect(replace, weak=False)
    try:
        yield
    finally:
        setting_changed.disconnect(replace)
        for alias in wanted:
            channel_layers.set(alias, old.get(alias))
