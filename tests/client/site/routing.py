"""One socket with two streams; everything that arrives is written down."""

from typing import Any

from django.conf import settings

from channels import Group
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketDemultiplexer


class Echo(JsonWebsocketConsumer):
    """Send back what comes, after writing it down."""

    def receive(self, content: dict[str, Any], multiplexer: Any, **kwargs: Any) -> None:
        """Take a message."""
        with open(settings.SITE_JOURNAL, "a") as journal:
            journal.write(f"{content['text']}\n")
        multiplexer.send(content)


class News(JsonWebsocketConsumer):
    """Groups that a page joins by a message, not by connecting."""

    def receive(self, content: dict[str, Any], multiplexer: Any, **kwargs: Any) -> None:
        """Join the group of a topic, or tell it something."""
        group = Group(f"news.{content['topic']}")
        if "text" in content:
            multiplexer.group_send(group.name, "news", {"text": content["text"]})
        else:
            group.add(multiplexer.reply_channel)
            multiplexer.send({"joined": content["topic"]})


class Socket(WebsocketDemultiplexer):
    """The socket of the pages."""

    strict_ordering = True
    consumers = {"echo": Echo, "news": News}  # noqa: RUF012


channel_routing = [Socket.as_route(path=r"^/socket/$")]
