"""Every exception of the package: one tree, one sentence each.

Two branches: ``ChannelsError`` is for what went wrong; ``ConsumerSignal`` is for what a consumer or
view raises on purpose to tell the worker what to do next.
"""

from typing import Any

from channels.close_codes import is_sendable_close_code


class ChannelsError(Exception):
    """Base of every error this package raises itself. Do not raise directly."""


class InvalidChannelLayerError(ChannelsError, ValueError):
    """An entry of ``CHANNEL_LAYERS`` cannot be turned into a layer."""


class ChannelFull(ChannelsError):
    """A channel holds as many unread messages as its capacity allows; the message was not sent."""


class MessageTooLarge(ChannelsError):
    """A message is larger than the layer can carry; it was not sent."""


class LayerUnavailable(ChannelsError):
    """The server behind a layer cannot be reached; what was asked of it may not have happened."""

    was_asked = True
    """Whether the server may have been asked; if not, certainly nothing has happened."""


class UnsupportedRedis(ChannelsError):
    """The Redis server is too old or lacks a command that the layer needs."""


class MalformedReply(ChannelsError, ValueError):
    """A message on a reply channel does not have the shape its protocol asks for."""


class UnusableMessage(ChannelsError, ValueError):
    """A message lacks what its consumer cannot do without, or a value in it is of the wrong type."""


class RequestTimeout(ChannelsError):
    """The body of an HTTP request did not arrive within the time allowed."""


class RequestAborted(ChannelsError):
    """The client of an HTTP request went away before its body was complete."""


class RequestBroken(ChannelsError):
    """A piece of the body of an HTTP request was lost on its way."""


class SendNotAvailableOnDemultiplexer(ChannelsError):
    """``send`` was called on a consumer whose frames must name a stream."""


class ConsumerSignal(Exception):
    """Base of what consumers and views raise to direct the worker. Do not raise directly."""


class ConsumeLater(ConsumerSignal):
    """Put the current message back at the end of its channel and try again later."""


class ResponseLater(ConsumerSignal):
    """Send no response from this view; another consumer answers on the reply channel."""


class DenyConnection(ConsumerSignal):
    """Refuse the WebSocket handshake that this ``websocket.connect`` message began.

    Args:
        status: HTTP status of the refusal, 400 to 599; servers that cannot send one use 403.
        reason: Text of the refusal's body.

    Raises:
        ValueError: ``status`` is not an HTTP error status.
    """

    def __init__(self, *args: Any, status: int | None = None, reason: str = "") -> None:
        if status is not None and (isinstance(status, bool) or not 400 <= status <= 599):
            raise ValueError(f"A refused handshake needs an HTTP status from 400 to 599, not {status!r}.")
        super().__init__(*args)
        self.status = status
        self.reason = reason


class ChannelSocketException(ConsumerSignal):
    """An exception that acts on the connection of the message during which it was raised."""

    def run(self, message: Any) -> None:
        """Act on the connection of ``message`` (a ``channels.message.Message``).

        Raises:
            NotImplementedError: The subclass does not say what to do.
        """
        raise NotImplementedError(f"{type(self).__name__} must define run(message).")


class WebsocketCloseException(ChannelSocketException):
    """Close the WebSocket of the current message.

    Args:
        code: Close code: 1000 to 1003, 1007 to 1014 or 3000 to 4999; None closes with 1000.

    Raises:
        ValueError: The code may not be sent.
    """

    def __init__(self, code: int | None = None) -> None:
        if code is not None and not is_sendable_close_code(code):
            raise ValueError(
                f"invalid close code {code} (must be 1000 or from [3000, 4999], or 1001 to 1003, or 1007 to 1014)"
            )
        super().__init__(code)
        self.code = code

    def run(self, message: Any) -> None:
        """Send the close on the reply channel of ``message``.

        Raises:
            ValueError: ``message`` did not come from a WebSocket.
        """
        if message.reply_channel is None or not message.channel.name.startswith("websocket."):
            raise ValueError("You cannot raise CloseWebsocketError from a non-websocket handler.")
        message.reply_channel.send({"close": self.code or True})
