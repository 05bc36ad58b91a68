"""One WebSocket as the consumers see it: its messages in order, dispatched on a layer of its own."""

from typing import Any

from channels import dispatch, ordering, route
from channels.layers.inmemory import ChannelLayer
from channels.message import Message
from channels.names import make_reply_channel, make_reply_prefix
from channels.registry import ChannelLayerWrapper


def make_layer(routing: Any = (), **config: Any) -> ChannelLayerWrapper:
    """Return a fresh in-memory layer with ``routing``."""
    return ChannelLayerWrapper(ChannelLayer(**{"capacity": 1000, **config}), "default", list(routing))


class Connection:
    """Makes the messages of one socket and runs their consumers at once, as a worker would.

    Args:
        routing: What the messages are routed by.
        layer: A layer to share with other connections; its own routing is used then.
        headers, query_string, path: Of the handshake.
    """

    def __init__(self, routing: Any = (), layer: Any = None, **handshake: Any) -> None:
        self.layer = layer or make_layer(routing)
        self.prefix = make_reply_prefix("websocket.send")
        self.reply_channel = make_reply_channel(self.prefix)
        self.path = handshake.pop("path", "/")
        self.handshake = handshake
        self.order = 0

    def content(self, **content: Any) -> dict[str, Any]:
        """Return content with what all messages of this socket carry, and the next order."""
        made = {"reply_channel": self.reply_channel, "path": self.path, "order": self.order, **content}
        self.order += 1
        return made

    def message(self, channel: str = "websocket.receive", **content: Any) -> Message:
        """Return a message that is not dispatched."""
        return Message(self.content(**content), channel, self.layer)

    def put(self, channel: str, **content: Any) -> None:
        """Put a message on the layer for a worker to take."""
        self.layer.send(channel, self.content(**content))

    def run(self, channel: str, **content: Any) -> list[dict[str, Any]]:
        """Dispatch a message and return the replies."""
        self.dispatch(channel, self.content(**content))
        return self.replies()

    def dispatch(self, channel: str, content: dict[str, Any]) -> None:
        """Run the consumer of a content."""
        dispatch.dispatch(self.layer, channel, content, sender=Connection)

    def connect(self) -> list[dict[str, Any]]:
        """Run the connect consumer and return the replies."""
        return self.run("websocket.connect", **{"headers": [], "query_string": b"", "method": "GET", **self.handshake})

    def receive(self, text: str | None = None, data: bytes | None = None) -> list[dict[str, Any]]:
        """Run the consumer of one frame and return the replies."""
        return self.run("websocket.receive", **({"bytes": data} if text is None else {"text": text}))

    def disconnect(self, code: int = 1000) -> list[dict[str, Any]]:
        """Run the disconnect consumer and return the replies."""
        return self.run("websocket.disconnect", code=code)

    def replies(self) -> list[dict[str, Any]]:
        """Return what was sent to the socket since the last look."""
        contents = []
        while True:
            name, content = self.layer.receive([self.prefix])
            if name is None:
                return contents
            contents.append(content)

    def work(self) -> int:
        """Run what waits on the layer until nothing does; return how many messages that were."""
        done = 0
        while True:
            name, content = self.layer.receive(sorted(self.layer.router.channels))
            if name is None:
                return done
            self.dispatch(name, content)
            done += 1

    def look_for_overdue(self) -> None:
        """Let the layer's ordering look for gaps now, however recently it did."""
        ordering._sweeps.pop(self.layer, None)
        ordering.check_overdue(self.layer)


def routes(connect: Any = None, receive: Any = None, disconnect: Any = None) -> list[Any]:
    """Return a routing of up to three consumers of WebSocket messages."""
    consumers = {
        "websocket.connect": connect,
        "websocket.receive": receive,
        "websocket.disconnect": disconnect,
    }
    return [route(channel, consumer) for channel, consumer in consumers.items() if consumer is not None]
