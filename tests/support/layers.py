"""Layers that are closed when their test ends."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

from channels.layers.base import BaseChannelLayer

L = TypeVar("L", bound=BaseChannelLayer)


@contextmanager
def making(kind: type[L], **common: Any) -> Iterator[Callable[..., L]]:
    """Give a function that makes layers of one kind, with these options unless it is given others."""
    with ExitStack() as stack:

        def make(**config: Any) -> L:
            layer = kind(**{**common, **config})
            stack.callback(layer.close)
            return layer

        yield make
