"""Several streams on one WebSocket: the shape of their frames, what sends them, and what splits them.

A frame is a JSON object with the keys ``stream`` (text) and ``payload`` (an object). A frame that cannot be
read is answered with ``{"stream": <its stream or null>, "error": {"code": ..., "detail": ...}}``.
"""

import copy
import json
import logging
from collections.abc import Container, Mapping, Sequence
from typing import Any, ClassVar

from django.core.exceptions import ImproperlyConfigured
from django.core.serializers.json import DjangoJSONEncoder

from channels import counters, formats
from channels.channel import Channel, Group
from channels.exceptions import SendNotAvailableOnDemultiplexer
from channels.generic.connections import JsonWebsocketConsumer
from channels.message import Message
from channels.routing import require_synchronous
from channels.sessions import Opener, hold_open, open_ordering
from channels.types import Consumer, Content
from channels.utils import printable

logger = logging.getLogger("django.channels")


class BadFrame(ValueError):
    """A frame that no stream can take.

    Args:
        code: ``invalid_json``, ``invalid_frame``, ``unknown_stream`` or ``invalid_payload``.
        detail: A sentence for who wrote the client.
        stream: The stream it named, if it named one.
    """

    def __init__(self, code: str, detail: str, stream: str | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.stream = stream


def read_frame(content: Any, streams: Container[str]) -> tuple[str, dict[str, Any]]:
    """Return stream and payload of a decoded frame.

    Raises:
        BadFrame: It lacks a key, names none of ``streams``, or its payload is not an object.
    """
    if not isinstance(content, dict) or "stream" not in content or "payload" not in content:
        raise BadFrame("invalid_frame", "Invalid multiplexed frame received (no stream/payload key)")
    stream, payload = content["stream"], content["payload"]
    if not isinstance(stream, str):
        raise BadFrame("invalid_frame", "Invalid multiplexed frame received (stream is not a text)")
    if stream not in streams:
        raise BadFrame("unknown_stream", "Invalid multiplexed frame received (stream not mapped)", stream)
    if not isinstance(payload, dict):
        raise BadFrame("invalid_payload", "Multiplexed frame payload is not a dict", stream)
    return stream, payload


class WebsocketMultiplexer:
    """Sends to one stream of a WebSocket; the consumers of the stream get it as the argument ``multiplexer``.

    Args:
        stream: Name of the stream.
        reply_channel: Channel of the socket.

    Attributes:
        demultiplexer: The consumer that splits the socket into streams.
    """

    demultiplexer: Any = None

    def __init__(self, stream: str, reply_channel: Channel) -> None:
        self.stream = stream
        self.reply_channel = reply_channel

    def send(self, payload: Any) -> None:
        """Send ``payload`` to the client, on this stream."""
        self.reply_channel.send(self.encode(self.stream, payload))

    @classmethod
    def encode_json(cls, content: Any) -> str:
        """Return ``content`` as JSON. Override for another encoder."""
        return json.dumps(content, cls=DjangoJSONEncoder)

    @classmethod
    def encode(cls, stream: str, payload: Any) -> Content:
        """Return the message that carries ``payload`` on ``stream``."""
        return formats.websocket_send(text=cls.encode_json({"stream": stream, "payload": payload}))

    @classmethod
    def encode_error(cls, error: BadFrame) -> Content:
        """Return the message that answers a frame which could not be read."""
        answer = {"stream": error.stream, "error": {"code": error.code, "detail": error.detail}}
        return formats.websocket_send(text=cls.encode_json(answer))

    @classmethod
    def group_send(
        cls, name: str, stream: str, payload: Any, close: bool | int = False, channel_layer: Any = None
    ) -> None:
        """Send ``payload`` on ``stream`` to every member of a group.

        Args:
            name: Name of the group.
            stream: Name of the stream.
            payload: What to send.
            close: Close the sockets afterwards; True, or a close code.
            channel_layer: The layer of the group; None is the default layer.
        """
        content = cls.encode(stream, payload)
        if close:
            content.update(formats.websocket_send(close=close))
        Group(name, channel_layer=channel_layer).send(content)


class WebsocketDemultiplexer(JsonWebsocketConsumer):
    """A WebSocket that carries several streams, each with a consumer of its own.

    Consumers of streams get the argument ``multiplexer``, which sends on their stream. All of them see connect
    and disconnect; the socket is accepted before the first one does.
    """

    consumers: ClassVar[Mapping[str, Consumer]] = {}
    """Name of a stream to its consumer: a class, a function or a bound method."""

    multiplexer_class: ClassVar[type[WebsocketMultiplexer]] = WebsocketMultiplexer
    """What the consumers send with."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if vars(cls).get("mapping") and not cls.consumers:
            raise ImproperlyConfigured(
                f"{cls.__qualname__} has a mapping of streams to channels, as Channels 1.0 knew it. Name the consumers "
                f"themselves: consumers = {{stream: consumer}}."
            )
        for consumer in cls.consumers.values() if isinstance(cls.consumers, Mapping) else ():
            require_synchronous(consumer)

    def get_openers(self) -> Sequence[Opener]:
        """Return what is open around all streams, outermost first."""
        # What several streams open is opened, saved and closed once, and all of them wait for their turn together.
        # A bound method is a consumer of its class, as those of bindings are.
        owners = (getattr(consumer, "__self__", consumer) for consumer in self.consumers.values())
        is_ordered = any(getattr(owner, "strict_ordering", False) for owner in owners)
        openers = tuple(super().get_openers())
        return (*((open_ordering,) if is_ordered and open_ordering not in openers else ()), *openers, hold_open)

    def connect(self, message: Message, **kwargs: Any) -> None:
        """Accept the socket and connect every stream."""
        self._reply(formats.websocket_accept())
        self._call_all(message, **kwargs)

    def receive(self, content: Any, **kwargs: Any) -> None:
        """Hand the payload of a frame to the consumer of its stream; answer a frame that names none."""
        try:
            stream, payload = read_frame(content, self.consumers)
        except BadFrame as error:
            self._refuse(error)
            return
        # A copy, so that self.message stays the frame as it came; what is open on the message is shared.
        message = copy.copy(self.message)
        message.content = {**message.content, "text": self.encode_json(payload)}
        self._call(stream, message, **kwargs)

    def receive_invalid(self, frame: str | bytes | None, error: Exception, **kwargs: Any) -> None:
        """Answer a frame that is not JSON; the socket stays open."""
        self._refuse(BadFrame("invalid_json", f"The frame is not JSON: {error}"))

    def disconnect(self, message: Message, **kwargs: Any) -> None:
        """Disconnect every stream."""
        self._call_all(message, **kwargs)

    def _call_all(self, message: Message, **kwargs: Any) -> None:
        for stream in self.consumers:
            self._call(stream, message, **kwargs)

    def _call(self, stream: str, message: Message, **kwargs: Any) -> None:
        multiplexer = self.multiplexer_class(stream, self.message.reply_channel)  # type: ignore[arg-type]
        # Set, not passed: subclasses of 1.x projects take two arguments.
        multiplexer.demultiplexer = self
        self.consumers[stream](message, multiplexer=multiplexer, **kwargs)

    def _refuse(self, error: BadFrame) -> None:
        counters.add(f"message.dropped.{error.code}")
        logger.info("Bad frame on a multiplexed socket on %s: %s", printable(self.path), error)
        self._reply(self.multiplexer_class.encode_error(error))

    @classmethod
    def encode(cls, stream: str, payload: Any) -> Content:
        """Return the message that carries ``payload`` on ``stream``."""
        return cls.multiplexer_class.encode(stream, payload)

    def send(self, *args: Any, **kwargs: Any) -> None:
        """Refuse: a frame must name its stream.

        Raises:
            SendNotAvailableOnDemultiplexer: Always.
        """
        raise SendNotAvailableOnDemultiplexer("Use multiplexer.send of the multiplexer kwarg.")

    @classmethod
    def group_send(cls, *args: Any, **kwargs: Any) -> None:
        """Refuse: a frame must name its stream.

        Raises:
            SendNotAvailableOnDemultiplexer: Always.
        """
        raise SendNotAvailableOnDemultiplexer("Use WebsocketMultiplexer.group_send")
