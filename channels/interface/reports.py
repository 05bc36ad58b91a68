"""What the makers of long responses are told: how much of them the client was given, and that nobody wants the rest."""

from typing import Any

from channels import formats, names, probes
from channels.interface.connections import Services
from channels.interface.effects import ToLayer
from channels.interface.farewells import Farewells
from channels.interface.http import HttpBridge
from channels.interface.reading import RequestReply
from channels.types import Content, Event, Send

REPORT_BYTES = 64 * 1024
"""A part of a response at least as large is reported by itself, smaller ones by half a window."""


def tell_unwanted(farewells: Farewells, channel: str, reply: Any) -> None:
    """Tell who goes on with the response on ``channel`` that nobody wants it: an earlier report may have expired."""
    if isinstance(reply, RequestReply) and reply.reply.paced:
        farewells.add_once(ToLayer(names.flow_channel(channel), formats.http_response_report(closed=True)))


def answer_probe(farewells: Farewells, channel: str, content: Content) -> None:
    """Tell whoever sent the probe ``content`` on ``channel`` that it arrived."""
    answer = probes.answer_to(channel, content)
    if answer is not None:
        farewells.add_once(ToLayer(*answer))


class Reporter:
    """Reports to whoever makes a response how much of it the client was given, if they asked for it.

    Args:
        send: The server's callable.
        bridge: Of the request.
        services: Shared with other connections.
    """

    def __init__(self, send: Send, bridge: HttpBridge, services: Services) -> None:
        self._send = send
        self._bridge = bridge
        self._services = services
        self._given = self._reported = 0

    async def give(self, event: Event) -> None:
        """Hand ``event`` to the server."""
        await self._send(event)
        if not (self._bridge.is_paced and event.get("more_body")):
            return
        self._given += 1
        half = max(1, self._services.limits.response_window // 2)
        if self._given - self._reported >= half or len(event["body"]) >= REPORT_BYTES:
            self._reported = self._given
            channel = names.flow_channel(self._bridge.reply_channel)
            self._services.farewells.add(ToLayer(channel, formats.http_response_report(self._given)))
