"""Events: from anywhere in the project to the consumers of every member of a group, each in its own context.

The sender reads the members and sends them in pieces to one channel; a worker that takes a large piece cuts it again,
and runs the consumers of a small one. Which consumer serves a member is what routing says of the member's path,
so an event is routed like a frame. A piece travels under the path of some member: any typed consumer takes it.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json

from channels import counters
from channels.channel import Channel
from channels.exceptions import ChannelFull, ChannelSocketException, UnusableMessage
from channels.message import Message
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
from channels.session_stores import session_for_reply_channel
from channels.typed.context import ConnectionContext
from channels.types import Content
from channels.utils import printable

logger = logging.getLogger("django.channels.typed")

CHANNEL = "typed.event"
"""Takes events, in pieces of a group."""

EVENT = "event"
MEMBERS = "members"

PIECE = 100
"""Members that one worker runs the consumers of, one after the other."""

PIECES = 16
"""Pieces that are sent at once: a fraction of what a channel holds."""

LARGEST_PIECE = 5000
"""Members in one message, whose names take some 250 kB."""


def send_event(group: str, event: Content, channel_layer: Any = None) -> None:
    """Send ``event`` to the consumers of the members of ``group``; inside a consumer, when it ends.

    Args:
        group: Name of the group.
        event: The event as a JSON-like dict.
        channel_layer: None is the default layer.
    """
    layer = channel_layers[DEFAULT_CHANNEL_LAYER] if channel_layer is None else channel_layer
    members = layer.group_channels(group)
    for piece in _cut(members):
        path = _find_path(piece)
        if path is not None:
            Channel(CHANNEL, channel_layer=layer).send(_make_piece(path, piece, event))


def _cut(members: Sequence[str]) -> Iterator[Sequence[str]]:
    size = min(max(PIECE, -(-len(members) // PIECES)), LARGEST_PIECE)
    for start in range(0, len(members), size):
        yield members[start : start + size]


def _find_path(members: Sequence[str]) -> str | None:
    """Return the path of the first of ``members`` that has a typed consumer; None if none has."""
    contexts = (ConnectionContext.load(session_for_reply_channel(member)) for member in members)
    return next((context.path for context in contexts if context is not None), None)


def _make_piece(path: str, members: Sequence[str], event: Content) -> Content:
    return {"path": path, MEMBERS: list(members), EVENT: event}


def fan_out(message: Message) -> None:
    """Hand the event of a piece on to its members. What fails for one of them ends there."""
    layer, members, event = message.channel_layer, _read_members(message), message.get(EVENT)
    if len(members) <= PIECE:
        _run_all(layer, members, event)
        return
    for piece in _cut(members):
        try:
            Channel(CHANNEL, channel_layer=layer).send(_make_piece(message["path"], piece, event), immediately=True)
        except ChannelFull:
            # Workers are behind: then this one does it, and the event is late instead of lost.
            for start in range(0, len(piece), PIECE):
                _run_all(layer, piece[start : start + PIECE], event)


def _read_members(message: Message) -> Sequence[str]:
    members = message.get(MEMBERS)
    if not isinstance(members, list) or not all(isinstance(member, str) and member for member in members):
        raise UnusableMessage(f"Its {MEMBERS!r} are no names of channels.")
    return members


def write_event(event: BaseModel) -> Content:
    """Return ``event`` as JSON-like dict, which ``read_event`` reads again: aliases of fields are for others."""
    return event.model_dump(mode="json", by_alias=False, round_trip=True)


def read_event(adapter: TypeAdapter[Any], message: Message) -> Any:
    """Return the event that ``message`` brings.

    Raises:
        UnusableMessage: It is none of those that ``adapter`` takes.
    """
    try:
        # As JSON, in which also a strict model takes the text of a date.
        return adapter.validate_json(to_json(message.get(EVENT)), by_alias=False, by_name=True)
    except ValueError as error:  # Of pydantic, or of what is in the message and no JSON.
        raise UnusableMessage(f"It brings no event that is taken here: {error}") from error


def _run_all(layer: Any, members: Sequence[str], event: Content) -> None:
    for member in members:
        try:
            _run(layer, member, event)
        except UnusableMessage as error:
            counters.add("message.dropped.malformed")
            logger.error("Failed to process channel event for %s: %s", member, error)
        except Exception:
            counters.add("event.failed.exception")
            logger.exception("Failed to process channel event for %s", member)


def _run(layer: Any, member: str, event: Content) -> None:
    """Run the consumer of ``member``, as routing finds it by the path of its socket."""
    session = session_for_reply_channel(member)
    context = ConnectionContext.load(session)
    if context is None:
        logger.debug("An event for %s, which has no typed consumer or is gone, is not delivered.", member)
        return
    message = Message({"reply_channel": member, "path": context.path, EVENT: event}, CHANNEL, layer)
    message.channel_session = session  # As it was just read: the consumer need not read it again.
    match = layer.router.match(message)
    if match is None:
        counters.add("message.dropped.no_route")
        logger.error("No route takes events for the path %s of %s.", printable(context.path), member)
        return
    consumer, kwargs = match
    try:
        consumer(message, **kwargs)
    except ChannelSocketException as error:
        message.reply_channel.send({"close": getattr(error, "code", None) or True})  # type: ignore[union-attr]
