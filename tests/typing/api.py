"""The public names used as a project uses them. Never run: mypy reads it."""

from typing import Any

from channels import Channel, Group, channel_layers, include, route, route_class
from channels.asgi import get_asgi_application
from channels.auth import channel_session_user, channel_session_user_from_http
from channels.exceptions import ConsumeLater, DenyConnection, WebsocketCloseException
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketConsumer, WebsocketDemultiplexer
from channels.layers.inmemory import ChannelLayer
from channels.message import Message
from channels.security.websockets import allowed_hosts_only
from channels.sessions import channel_session, enforce_ordering
from channels.worker import Worker


def plain(message: Message, room: str = "lobby") -> None:
    """Send to everything there is to send to."""
    text: str = message["text"]
    if message.reply_channel is not None:
        message.reply_channel.send({"text": text})
        Group(room).add(message.reply_channel)
        Group(room).discard(message.reply_channel)
    Group(room).send({"text": text})
    Channel("later", alias="default").send({"text": text}, immediately=True)
    if not text:
        raise ConsumeLater
    raise DenyConnection(status=403, reason="no")


@channel_session
def with_session(message: Message) -> None:
    """Keep something."""
    plain(message)


@allowed_hosts_only
@enforce_ordering
@channel_session_user_from_http
def with_user(message: Message) -> None:
    """Look at the user."""
    raise WebsocketCloseException(4000)


@enforce_ordering(slight=True)
@channel_session_user
def old_style(message: Message) -> None:
    """Spell it as 1.x did."""


class Echo(WebsocketConsumer):
    """A consumer of text and bytes."""

    http_user = True
    groups = ["everybody"]

    def connect(self, message: Message, **kwargs: Any) -> None:
        """Take the handshake."""
        assert message.reply_channel is not None
        message.reply_channel.send({"accept": True})

    def receive(self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any) -> None:
        """Send the frame back."""
        self.send(text=text, bytes=bytes)
        self.close(status=4000)
        self.group_send("everybody", text=self.path)


class JsonEcho(JsonWebsocketConsumer):
    """A consumer of JSON."""

    def receive(self, content: Any, **kwargs: Any) -> None:
        """Send the value back."""
        self.send(content, close=True)


class Streams(WebsocketDemultiplexer):
    """Two streams on one socket."""

    consumers = {"echo": JsonEcho, "plain": plain}


inner = [route("websocket.receive", plain, path=r"^/(?P<room>[a-z]+)/$")]
channel_routing = [
    include(inner, path=r"^/chat"),
    include("chat.routing.channel_routing", path=r"^/other"),
    route(["websocket.connect", "websocket.disconnect"], "chat.consumers.ws_connect"),
    route_class(Echo, path=r"^/echo/$"),
    JsonEcho.as_route(path=r"^/json/$", attrs={"strict_ordering": True}),
]

layer = ChannelLayer(capacity=10)
layer.send("a", {"text": "b"})
channel, content = layer.receive(["a"], block=True)

application = get_asgi_application()
Worker(channel_layers["default"], only_channels=["websocket.*"]).run()
