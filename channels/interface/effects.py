"""What a bridge asks its driver to do: frozen values, in the order in which they are to happen."""

from collections.abc import Sequence
from typing import NamedTuple

from channels.types import Content, Event


class ToLayer(NamedTuple):
    """Put ``content`` on ``channel``, then tell the bridge ``sent`` or ``refused``."""

    channel: str
    content: Content


class ToClient(NamedTuple):
    """Hand the ASGI-3 ``event`` to the server. Several connections may share one event: it must not be changed."""

    event: Event


Effect = ToLayer | ToClient

Effects = Sequence[Effect]
"""What one input of a bridge leads to."""
