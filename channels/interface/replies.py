"""From the layer to connections: one receive loop per event loop, and a dict.

What arrives is read once and handed to each connection it is for by a direct call. Nothing here knows what a
reply means; ``reading`` and the bridges do.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import Any, Protocol

from channels import counters, names, probes, tracing
from channels.backoff import Backoff
from channels.exceptions import LayerUnavailable, MalformedReply
from channels.interface.effects import Effects
from channels.interface.reading import read_http, read_websocket
from channels.layers.base import Delivery
from channels.types import Content

logger = logging.getLogger("django.channels.interface")

BATCH = 256
"""Most messages taken at once. One take is one turn of the event loop, and none of them may last long."""

WAIT_SECONDS = 5.0
"""How long one take waits for the first message."""

READERS: dict[str, Callable[[Content, str], Any]] = {"http.response": read_http, "websocket.send": read_websocket}
"""What the reply channels of each protocol begin with, and who reads what arrives there."""


class Recipient(Protocol):
    """What the router hands replies to."""

    @property
    def stays(self) -> bool:
        """Whether it lasts until somebody ends it: a socket, or a response that has begun."""

    def deliver(self, reply: Any, via_group: bool) -> None:
        """Take ``reply``, as read by the reader of the protocol; other connections may get the same object."""

    def malformed(self, error: MalformedReply) -> None:
        """A message arrived that is no reply; it has been logged and counted."""

    def last_words(self) -> Effects:
        """Return what is to be done if nothing more will happen to this connection."""

    def dismiss(self, reason: str) -> None:
        """Ask the client to come back, if this is a connection that would stay."""

    def abandon(self) -> None:
        """End the connection: its client or its server is gone."""

    def look(self) -> None:
        """End the connection if its client has taken nothing for too long."""


class ReplyRouter:
    """Takes the replies of all connections of one event loop from the layer.

    Args:
        layer: The layer.
        on_unknown: Called with the channel and what was read of a message for a connection that is not here.
        on_probe: Called with the channel and the content of a probe.
    """

    def __init__(
        self,
        layer: Any,
        on_unknown: Callable[[str, Any], None] | None = None,
        on_probe: Callable[[str, Content], None] | None = None,
    ) -> None:
        self._layer = layer
        self._on_unknown = on_unknown
        self._on_probe = on_probe
        self._prefixes = {protocol: names.make_reply_prefix(protocol) for protocol in READERS}
        self._readers = {self._prefixes[protocol]: reader for protocol, reader in READERS.items()}
        self._connections: dict[str, Recipient] = {}
        self._task: asyncio.Task[None] | None = None
        self._emptied: asyncio.Event | None = None

    def new_channel(self, protocol: str) -> str:
        """Return a new reply channel of ``protocol``, which no connection has yet."""
        return names.make_reply_channel(self._prefixes[protocol])

    def open(self, channel: str, connection: Recipient) -> None:
        """Hand what arrives on ``channel`` to ``connection`` from now on."""
        self._connections[channel] = connection
        self.start()

    @property
    def prefixes(self) -> list[str]:
        """The queues that are received from."""
        return list(self._prefixes.values())

    def start(self) -> None:
        """Begin to receive."""
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="channels-replies")

    def close(self, channel: str) -> None:
        """Drop what arrives on ``channel`` from now on."""
        self._connections.pop(channel, None)
        if self._emptied is not None and not self._connections:
            self._emptied.set()

    def channels(self) -> list[str]:
        """Return the reply channels of the connections that are open."""
        return list(self._connections)

    def connections(self) -> list[Recipient]:
        """Return the connections that are open."""
        return list(self._connections.values())

    def sockets(self) -> dict[str, Recipient]:
        """Return the WebSockets that are open, by their reply channels."""
        prefix = self._prefixes["websocket.send"]
        return {channel: each for channel, each in self._connections.items() if channel.startswith(prefix)}

    async def wait_until_empty(self, seconds: float) -> bool:
        """Wait up to ``seconds`` until no connection is open; return whether that came about."""
        if not self._connections:
            return True
        self._emptied = asyncio.Event()
        try:
            await asyncio.wait_for(self._emptied.wait(), seconds)
        except asyncio.TimeoutError:
            return False
        finally:
            self._emptied = None
        return True

    async def stop(self) -> None:
        """End the receive loop."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        prefixes = self.prefixes
        backoff = Backoff()
        while True:
            try:
                deliveries = await self._layer.areceive_batch(prefixes, limit=BATCH, timeout=WAIT_SECONDS)
            except Exception as error:
                await self._pause(backoff, error)
                continue
            if backoff.recovered():
                counters.add("interface.receive.recovered")
                logger.info("Replies arrive again.")
            for delivery in deliveries:
                try:
                    self._hand_over(delivery)
                except Exception:
                    # One message must not end the replies of all connections.
                    counters.add("interface.dropped.error")
                    logger.exception("A message for %s could not be read.", delivery.channels[0])
            # A busy layer may never make this coroutine wait; connections need their turn.
            await asyncio.sleep(0)

    async def _pause(self, backoff: Backoff, error: Exception) -> None:
        counters.add("interface.receive.failed")
        if backoff.failures == 0:
            logger.error(
                "No replies can be received until the channel layer is back: %s",
                error,
                exc_info=None if isinstance(error, LayerUnavailable) else error,
            )
        await asyncio.sleep(backoff.failed())

    def _hand_over(self, delivery: Delivery) -> None:
        channels, content, via_group = delivery
        if probes.PROBE in content:
            if self._on_probe is not None:
                self._on_probe(channels[0], content)
            return
        try:
            reply = self._readers[names.non_local_name(channels[0])](content, channels[0])
        except MalformedReply as error:
            self._report(channels, error)
            return
        if tracing.active is None or tracing.TRACE not in content:
            self._deliver(channels, reply, via_group)
        else:
            with tracing.active.delivering(channels[0], content, len(channels)):
                self._deliver(channels, reply, via_group)

    def _deliver(self, channels: tuple[str, ...], reply: Any, via_group: bool) -> None:
        connections = self._connections
        for channel in channels:
            connection = connections.get(channel)
            if connection is None:
                counters.add("interface.dropped.unknown")
                logger.debug("A message for %s, which is no longer connected here, is dropped.", channel)
                if self._on_unknown is not None:
                    self._on_unknown(channel, reply)
                continue
            try:
                connection.deliver(reply, via_group)
            except Exception:
                # One connection must not end the replies of all others.
                counters.add("interface.dropped.error")
                logger.exception("A message for %s could not be delivered.", channel)

    def _report(self, channels: tuple[str, ...], error: MalformedReply) -> None:
        protocol = channels[0].partition(".")[0]
        counters.add(f"{protocol}.dropped.malformed", len(channels))
        logger.warning("A message was dropped: %s", error)
        for channel in channels:
            connection = self._connections.get(channel)
            if connection is not None:
                connection.malformed(error)
