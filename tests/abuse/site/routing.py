"""Sockets of the attacked project."""

from typing import Any, ClassVar

from channels import route, route_class
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketConsumer, WebsocketDemultiplexer
from channels.security.websockets import allowed_hosts_only
from channels.sessions import channel_session


class Echo(WebsocketConsumer):
    """Sends frames back."""

    def receive(self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any) -> None:
        self.send(text=text, bytes=bytes)


class Who(WebsocketConsumer):
    """Says who is there, and under which key its connection is kept."""

    http_user_and_session = True

    def receive(self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any) -> None:
        key = self.message.http_session.session_key if self.message.http_session else ""
        self.send(text=f"{self.message.user.get_username() or 'nobody'} {key}")


class Private(JsonWebsocketConsumer):
    """A room of one: what it hears goes to its own group only."""

    def connection_groups(self, **kwargs: Any) -> list[str]:
        return [f"private-{self.path.strip('/').rpartition('/')[2]}"]

    def receive(self, content: Any, **kwargs: Any) -> None:
        self.send({"yours": content})


class Stream(JsonWebsocketConsumer):
    """One stream of several."""

    def receive(self, content: Any, multiplexer: Any = None, **kwargs: Any) -> None:
        multiplexer.send({"yours": content})


class Streams(WebsocketDemultiplexer):
    """Several streams on one socket."""

    consumers: ClassVar[Any] = {"one": Stream}


@allowed_hosts_only
def guarded(message: Any) -> None:
    """Let in pages of this site."""
    message.reply_channel.send({"accept": True})


@channel_session
def remember(message: Any) -> None:
    """Say what the connection said before."""
    said = message.channel_session.get("said", "nothing")
    message.channel_session["said"] = message["text"]
    message.reply_channel.send({"text": said})


def split(message: Any) -> None:
    """Answer with a header of two lines, as a consumer without Django can."""
    value = message["query_string"].replace(b"%0d%0a", b"\r\n")
    message.reply_channel.send({"status": 200, "headers": [(b"X-Echo", value)], "content": b"split"})


def ignore(message: Any) -> None:
    """Never decide."""


channel_routing = [
    route_class(Who, path=r"^/who/"),
    route_class(Private, path=r"^/private/"),
    route_class(Streams, path=r"^/streams/"),
    route("websocket.connect", guarded, path=r"^/guarded/"),
    route("websocket.receive", remember, path=r"^/remember/"),
    route("websocket.connect", ignore, path=r"^/never/"),
    route("http.request", split, path=r"^/split/"),
    route_class(Echo),
]
