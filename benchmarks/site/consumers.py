"""Consumers that do nothing but what is measured."""

from typing import Any

from channels import Group
from channels.sessions import enforce_ordering


def accept(message: Any) -> None:
    """Take every handshake."""
    message.reply_channel.send({"accept": True})


def echo(message: Any) -> None:
    """Send a frame back."""
    message.reply_channel.send({"text": message["text"]})


def join(message: Any) -> None:
    """Take the handshake and put the socket in the group."""
    message.reply_channel.send({"accept": True})
    Group("everybody").add(message.reply_channel)


def broadcast(message: Any) -> None:
    """Send a frame to the group."""
    Group("everybody").send({"text": message["text"]})


def leave(message: Any) -> None:
    """Take the socket out of the group."""
    Group("everybody").discard(message.reply_channel)


ordered_accept = enforce_ordering(accept)
ordered_echo = enforce_ordering(echo)


@enforce_ordering
def ordered_gone(message: Any) -> None:
    """End the order of a socket."""
