"""A socket beside the pages."""

from channels.message import Message
from channels.routing import route


def connect(message: Message) -> None:
    """Say where the client is, as far as the site knows."""
    message.reply_channel.send({"text": f"{message['scheme']} {message['client'][0]}"})


def receive(message: Message) -> None:
    """Send back what came."""
    message.reply_channel.send({"text": message["text"]})


channel_routing = [route("websocket.connect", connect), route("websocket.receive", receive)]
