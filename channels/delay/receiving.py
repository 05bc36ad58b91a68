"""Reading what is sent to the delay server: which messages are asked for, and when they are due."""

import json
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from channels import names
from channels.delay.models import DelayedMessage, make_mark
from channels.types import Content

CHANNEL = "asgi.delay"
"""The channel that the delay server reads."""


_LAST_DATE = datetime.max - timedelta(days=2)
"""Later ones are past what a date can be in some time zones, those of databases and of pages among them."""


class InvalidDelay(ValueError):
    """A message to the delay server that does not say what to send where and when."""


def read_request(content: Content, mark: str | None = None) -> DelayedMessage:
    """Return the message, not saved, that ``content`` asks for; its delay counts from now.

    Args:
        content: ``channel``, a channel name; ``content``, a dict that JSON can carry; ``delay``, in milliseconds.
        mark: What tells it from others; None makes one up. It must be given if the layer may deliver it twice.

    Raises:
        InvalidDelay: One of them is missing or something else.
    """
    missing = [key for key in ("channel", "content", "delay") if key not in content]
    if missing:
        raise InvalidDelay(f"it lacks {', '.join(missing)}")
    try:
        channel = names.require_channel_name(content["channel"])
    except TypeError as error:
        raise InvalidDelay(str(error)) from error
    if not isinstance(content["content"], dict):
        raise InvalidDelay(f"its content is not a dict but {type(content['content']).__name__}")
    due_date = _read_due_date(content["delay"])
    message = DelayedMessage(channel_name=channel, due_date=due_date, mark=mark or make_mark())
    try:
        message.set_content(content["content"])
    except (TypeError, ValueError) as error:
        raise InvalidDelay(f"its content cannot be kept as JSON: {error}") from error
    return message


def _read_due_date(delay: Any) -> datetime:
    if not isinstance(delay, int | float) or isinstance(delay, bool) or not delay >= 0:
        raise InvalidDelay(f"its delay is not a number of milliseconds, 0 or more, but {delay!r}")
    now = timezone.now()
    try:
        if (due_date := now + timedelta(milliseconds=delay)) <= _LAST_DATE.replace(tzinfo=now.tzinfo):
            return due_date
    except OverflowError:
        pass
    raise InvalidDelay(f"its delay of {delay!r} milliseconds is too long")


def make_request(message: DelayedMessage) -> Content:
    """Return the content that asks for ``message``, for what is left of its delay."""
    return {
        "channel": message.channel_name,
        "content": json.loads(message.content),
        "delay": max(0, message.delay),
    }
