"""Consumers that do nothing but what is measured."""

from channels import Group


def accept(message):
    """Take every handshake."""
    message.reply_channel.send({"accept": True})


def echo(message):
    """Send a frame back."""
    message.reply_channel.send({"text": message["text"]})


def join(message):
    """Take the handshake and put the socket in the group."""
    message.reply_channel.send({"accept": True})
    Group("everybody").add(message.reply_channel)


def broadcast(message):
    """Send a frame to the group."""
    Group("everybody").send({"text": message["text"]})


def leave(message):
    """Take the socket out of the group."""
    Group("everybody").discard(message.reply_channel)
