"""The once extension: sends that may be tried again, also by another process, without the message arriving twice.

A layer that lists ``once`` among its extensions has an attribute ``once`` with these methods. Who sends remembers
elsewhere, in a database for one, that a message is still to be sent, and forgets it after the send. If it dies in
between, another one cannot know whether the message left; the layer can, for each message is marked there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from channels.layers.base import Outgoing
from channels.types import Content

EXTENSION = "once"


class Marked(NamedTuple):
    """A message to a channel, and a text that no other message has."""

    outgoing: Outgoing
    mark: str


class Once(Protocol):
    """What can be asked of such a layer."""

    def send(self, batch: Sequence[Marked], seconds: float) -> list[Exception | None]:
        """Send those of ``batch`` whose mark the layer does not know, and return what each came to.

        Args:
            batch: Messages to channels, not to groups.
            seconds: How long the layer knows the marks of those that were sent.

        Returns:
            None for each that was sent now or before; else why it was not, and then its mark is not known either. The
            exception is ``LayerUnavailable``: such a message may have been sent and marked, and is to be tried again.
        """

    def keep(self, batch: Sequence[Marked], seconds: float) -> None:
        """Let the layer know the marks of ``batch`` for ``seconds`` from now: nobody will try them much longer.

        What is out of reach is left as it is.
        """

    def identify(self, content: Content) -> str | None:
        """Return a mark of a message in hand that is delivered at least once, the same at each delivery.

        Returns:
            None if the message is not of that kind.
        """


def once_of(layer: Any) -> Once | None:
    """Return what ``layer`` offers of this, or None."""
    once: Once | None = layer.once if EXTENSION in getattr(layer, "extensions", ()) else None
    return once
