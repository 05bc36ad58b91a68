"""Consumers: each frame is noted and sent back; some are told to a room."""

import json
from typing import Any

from channels import Group
from channels.sessions import enforce_ordering
from tests.faults.site.layers import diary


def connect(message: Any, room: str) -> None:
    """Take the handshake and put the socket in its room."""
    message.reply_channel.send({"accept": True})
    Group(room).add(message.reply_channel)


def receive(message: Any, room: str) -> None:
    """Note the frame, and answer it."""
    frame = json.loads(message["text"])
    diary("ran").note(frame["id"])
    if frame.get("to_room"):
        Group(room).send({"text": json.dumps({"id": frame["id"], "room": room})})
    else:
        message.reply_channel.send({"text": message["text"]})


def disconnect(message: Any, room: str) -> None:
    """Take the socket out of its room."""
    Group(room).discard(message.reply_channel)


def page(message: Any) -> None:
    """Answer a request."""
    message.reply_channel.send({"status": 200, "headers": [], "content": b"page", "more_content": False})


ordered_connect = enforce_ordering(connect)
ordered_receive = enforce_ordering(receive)
ordered_disconnect = enforce_ordering(disconnect)
