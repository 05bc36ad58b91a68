"""What one socket hears: messages of groups that came during its handshake, and its own part of those with variants."""

import logging

from channels import counters
from channels.interface.reading import SocketReply

logger = logging.getLogger("django.channels.interface")


class Hearing:
    """The ears of one socket.

    Args:
        channel: Its reply channel.
        limit: How many messages may wait for the end of its handshake.

    Attributes:
        identity: Who its client is, as a consumer said; None if none did.
    """

    def __init__(self, channel: str, limit: int) -> None:
        self.identity: str | None = None
        self._channel = channel
        self._limit = limit
        self._held: list[SocketReply] = []

    def own(self, read: SocketReply) -> SocketReply | None:
        """Return what ``read`` is to this socket; None is nothing."""
        return read.seen_by(self._channel, self.identity)

    def hold(self, read: SocketReply) -> None:
        """Keep ``read`` until the handshake is decided."""
        if len(self._held) < self._limit:
            self._held.append(read)
        else:
            counters.add("websocket.dropped.handshake")
            logger.debug("%s: too many messages of groups during its handshake; one is dropped.", self._channel)

    def release(self) -> list[SocketReply]:
        """Return what was kept, and keep it no more."""
        held, self._held = self._held, []
        return held

    def drop(self) -> None:
        """Forget what was kept: nobody will hear it."""
        if self._held:
            counters.add("websocket.dropped.handshake", len(self._held))
            self._held.clear()
