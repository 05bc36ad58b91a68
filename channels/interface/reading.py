"""Replies as the bridges want them: read once, however many connections they are for, with what they are to each."""

import dataclasses
import logging
from typing import NamedTuple

from channels import counters, formats
from channels import variants as variant_texts
from channels.formats import HttpReply, WebsocketReply
from channels.interface.effects import ToClient
from channels.interface.states import RequestInput, SocketInput
from channels.types import Content
from channels.variants import Variants

logger = logging.getLogger("django.channels.interface")


class SocketReply(NamedTuple):
    """A reply, read once for all sockets it is for.

    Attributes:
        reply: What the sender asked for.
        handshake: The input it is to a socket that is connecting.
        stream: The input it is to a socket that is open.
        frames: The frame it holds, as effects: none or one.
        variants: What some of the sockets get instead, or None.
        identity: Who the client of the socket is from now on, or None.
    """

    reply: WebsocketReply
    handshake: SocketInput
    stream: SocketInput
    frames: tuple[ToClient, ...]
    variants: Variants | None = None
    identity: str | None = None

    def seen_by(self, channel: str, identity: str | None) -> "SocketReply | None":
        """Return what this is to the socket ``channel`` whose client is ``identity``; None is nothing."""
        if self.variants is None:
            return self
        text = self.variants.pick(self.reply.text, channel, identity)
        if text is None:
            return None
        return self if text is self.reply.text else self._replace(frames=_text_frame(text), variants=None)


def _text_frame(text: str) -> tuple[ToClient, ...]:
    return (ToClient({"type": "websocket.send", "text": text}),)


def _handshake_input(reply: WebsocketReply) -> SocketInput:
    if not reply.decides:
        return SocketInput.UNDECIDED
    accepts = bool(reply.text or reply.data) if reply.accept is None else reply.accept
    return SocketInput.ACCEPT if accepts else SocketInput.REFUSE


def read_websocket(content: Content, channel: str = "a WebSocket's reply channel") -> SocketReply:
    """Return what ``content`` asks of the sockets it was sent to.

    Raises:
        MalformedReply: It does not have the shape of a reply.
    """
    reply = formats.read_websocket_reply(content, channel)
    close = content.get("close")
    if close and close is not True and close != reply.close:
        counters.add("websocket.dropped.close_code")
        logger.warning(
            "%s is closed with 1000: a message asked for the code %.100r, which may not be sent.", channel, close
        )
    if reply.status is not None and not 400 <= reply.status <= 599:
        counters.add("websocket.dropped.status")
        logger.warning(
            "%s: a message asked to refuse the handshake with status %d; it takes one from 400 to 599, and 403 it is.",
            channel,
            reply.status,
        )
        reply = dataclasses.replace(reply, status=None)
    frames: tuple[ToClient, ...] = ()
    if reply.text is not None:
        frames = _text_frame(reply.text)
    elif reply.data is not None:
        frames = (ToClient({"type": "websocket.send", "bytes": reply.data}),)
    stream = SocketInput.DATA if reply.close is None else SocketInput.CLOSE
    variants, identity = variant_texts.read_variants(content), variant_texts.read_identity(content)
    return SocketReply(reply, _handshake_input(reply), stream, frames, variants, identity)


class RequestReply(NamedTuple):
    """A message of an HTTP response, and the input it is."""

    reply: HttpReply
    stream: RequestInput

    def after(self, count: int) -> "RequestReply":
        """Return what this is to a request that got ``count`` messages before: its end, if one is missing."""
        if self.reply.order in (None, count):
            return self
        text = "Message %s of a response came after %d others: what is missing is lost, and the response is broken off."
        logger.warning(text, self.reply.order, count)
        return self._replace(stream=RequestInput.BROKEN)


def read_http(content: Content, channel: str = "an HTTP reply channel") -> RequestReply:
    """Return what ``content`` asks of the requests it was sent to.

    Raises:
        MalformedReply: It does not have the shape of a reply.
    """
    reply = formats.read_http_reply(content, channel)
    if reply.status is None and isinstance(content.get("request"), dict):
        return RequestReply(reply, RequestInput.PUSH)
    if reply.closed:
        return RequestReply(reply, RequestInput.BROKEN)
    if reply.status is None:
        return RequestReply(reply, RequestInput.CHUNK if reply.more_content else RequestInput.LAST)
    return RequestReply(reply, RequestInput.START if reply.more_content else RequestInput.WHOLE)
