"""Consumers of the project: an echo, one that fails, and one that waits until a test lets it go."""

import os
from typing import Any

import redis

RELEASE = "release"


def echo(message: Any) -> None:
    """Send a frame back."""
    message.reply_channel.send({"text": message["text"]})


def connect(message: Any) -> None:
    """Accept the socket and put it in the group."""
    from channels import Group

    Group("room").add(message.reply_channel)
    message.reply_channel.send({"accept": True})


def slow(message: Any) -> None:
    """Wait until the test says to go on."""
    with redis.Redis.from_url(os.environ["SITE_REDIS"]) as client:
        client.blpop(RELEASE, timeout=60)


def fail(message: Any) -> None:
    """Fail."""
    raise RuntimeError("on purpose")
