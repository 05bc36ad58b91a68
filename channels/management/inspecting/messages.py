"""What ``manage.py channels`` does to messages: peek, send, flush, dead letters."""

import json
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandError

from channels.channel import Channel, Group
from channels.exceptions import ChannelsError
from channels.layers.inspection import inspection_of
from channels.management.inspecting.tables import brief, duration
from channels.utils import printable

Write = Callable[[str], Any]


def require_inspection(layer: Any) -> Any:
    """Return what inspects ``layer``.

    Raises:
        CommandError: It cannot be inspected.
    """
    inspection = inspection_of(layer)
    if inspection is None:
        raise CommandError(f"{layer} cannot be inspected: it does not have the extension 'inspection'.")
    return inspection


def peek(layer: Any, write: Write, channel: str, limit: int) -> None:
    """Show the oldest messages of a channel."""
    unread = _checked(lambda: require_inspection(layer).peek(channel, limit))
    for one in unread:
        write(f"{printable(', '.join(one.channels))}  {duration(one.age)} old")
        write(f"  {brief(one.content)}")
    if not unread:
        write(f"Nothing waits on {channel}.")


def send(layer: Any, write: Write, name: str, text: str, to_group: bool) -> None:
    """Send a message, given as JSON, to a channel or group."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise CommandError(f"The content must be JSON: {error}.") from error
    if not isinstance(content, dict):
        raise CommandError("The content must be a JSON object: a message is a dict.")
    target = (Group if to_group else Channel)(name, channel_layer=layer)
    _checked(lambda: target.send(content, immediately=True))
    write(f"Sent to {'group' if to_group else 'channel'} {name}.")


def flush(layer: Any, write: Write, channel: str | None) -> None:
    """Remove the messages of one channel, or all messages and groups."""
    if channel is not None:
        count = _checked(lambda: require_inspection(layer).discard(channel))
        write(f"{count} messages removed from {channel}.")
        return
    if "flush" not in getattr(layer, "extensions", ()):
        raise CommandError(f"{layer} cannot be flushed: it does not have the extension 'flush'.")
    layer.flush()
    write(f"All messages and groups of {layer} are removed.")


def list_dead_letters(layer: Any, write: Write, channel: str | None, limit: int, ids: list[str] | None) -> None:
    """Show dead letters of a channel, or which channels have some."""
    if channel is None:
        found: dict[str, int] = _checked(_dead(layer, "dead_letter_channels"))
        for name, count in found.items():
            write(f"{name}  {count}")
        if not found:
            write("There are no dead letters.")
        return
    letters = _checked(lambda: _dead(layer, "dead_letters")(channel, limit, ids))
    for letter in letters:
        write(f"{letter.id}  delivered {letter.deliveries} times")
        write(f"  {brief(letter.content)}")
    if not letters:
        write(f"{channel} has no dead letters.")


def replay_dead_letters(layer: Any, write: Write, channel: str | None, limit: int, ids: list[str] | None) -> None:
    """Send dead letters of a channel again."""
    count = _checked(lambda: _dead(layer, "replay_dead_letters")(_required(channel), limit, ids))
    write(f"{count} messages sent to {channel} again.")


def delete_dead_letters(layer: Any, write: Write, channel: str | None, limit: int, ids: list[str] | None) -> None:
    """Delete dead letters of a channel, those with ``ids`` or all."""
    count = _checked(lambda: _dead(layer, "delete_dead_letters")(_required(channel), ids))
    write(f"{count} dead letters of {channel} deleted.")


def _required(channel: str | None) -> str:
    if channel is None:
        raise CommandError("Say of which channel.")
    return channel


def _dead(layer: Any, method: str) -> Any:
    found = getattr(layer, method, None)
    if found is None:
        raise CommandError(f"{layer} has no dead letters: only layers that deliver at least once do.")
    return found


def _checked(action: Callable[[], Any]) -> Any:
    """Return what ``action`` returns; what it refuses becomes an error of the command."""
    try:
        return action()
    except (ChannelsError, TypeError, ValueError, AssertionError) as error:
        raise CommandError(str(error)) from error
