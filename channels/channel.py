"""Channel and Group: the names consumers send to. Sends inside a consumer leave when it ends (``pending``)."""

from typing import Any

from channels import tracing
from channels.formats import copy_content
from channels.layers.base import Outgoing
from channels.layers.batches import send_all
from channels.names import decode_name
from channels.pending import pending_message_store
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
from channels.types import Content


class _Named:
    """What a Channel and a Group share: a name on a layer that can be sent to.

    Args:
        name: The name; byte strings are read as ASCII. The layer checks it when it is used.
        alias: Which layer of ``CHANNEL_LAYERS`` to use.
        channel_layer: The layer itself; wins over ``alias``.

    Raises:
        KeyError: There is no layer of this alias.
    """

    is_group = False

    def __init__(self, name: str | bytes, alias: str = DEFAULT_CHANNEL_LAYER, channel_layer: Any = None) -> None:
        self.name = decode_name(name)
        self.channel_layer = channel_layers[alias] if channel_layer is None else channel_layer

    def _send(self, content: Content, immediately: bool) -> None:
        # Copied here, so that what the caller does to its dict later never reaches what was sent.
        kept: Content = copy_content(content)
        if tracing.active is not None:
            tracing.active.carry(kept)
        if pending_message_store.active and not immediately:
            pending_message_store.append(self, kept)
            return
        (error,) = send_all(self.channel_layer, [Outgoing(self.name, kept, self.is_group)])
        if error is not None:
            raise error
        if immediately and not self.is_group:
            pending_message_store.note_sent(self.name, kept)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"


class Channel(_Named):
    """A channel on a layer: a queue of messages, each of which one consumer takes."""

    def send(self, content: Content, immediately: bool = False) -> None:
        """Send ``content``; inside a consumer, when the consumer ends.

        Args:
            content: What to send; later changes to it are not sent.
            immediately: Do not wait for the end of the consumer.

        Raises:
            TypeError: ``content`` is not a dict, or the name is not a channel name.
            ChannelFull: The channel is full, and the message was to leave at once.
            MessageTooLarge: The layer cannot carry it, and it was to leave at once.
            LayerUnavailable: The server behind the layer cannot be reached, and it was to leave at once.
        """
        if not isinstance(content, dict):
            raise TypeError("You can only send dicts as content on channels.")
        self._send(content, immediately)

    def __str__(self) -> str:
        return self.name


def _name_of(channel: Channel | str) -> str:
    return channel.name if isinstance(channel, Channel) else channel


class Group(_Named):
    """A set of channels on a layer; what is sent to it is copied to every member."""

    is_group = True

    def add(self, channel: Channel | str) -> None:
        """Make ``channel`` a member at once; again renews the membership.

        Raises:
            TypeError: The name is not a group name, or ``channel`` not a channel name.
            ChannelFull: The layer has no room for more memberships; only that between processes counts them.
            LayerUnavailable: The server behind the layer cannot be reached.
        """
        self.channel_layer.group_add(self.name, _name_of(channel))

    def discard(self, channel: Channel | str) -> None:
        """End the membership of ``channel`` at once; does nothing if there is none."""
        self.channel_layer.group_discard(self.name, _name_of(channel))

    def channels(self) -> list[str]:
        """Return the names of the members. Reads the whole group: not for every message."""
        return list(self.channel_layer.group_channels(self.name))

    def send(self, content: Content, immediately: bool = False) -> None:
        """Send ``content`` to every member; inside a consumer, when the consumer ends. Full members are skipped.

        Args:
            content: What to send; later changes to it are not sent.
            immediately: Do not wait for the end of the consumer.

        Raises:
            ValueError: ``content`` is not a dict.
            TypeError: The name is not a group name.
            MessageTooLarge: The layer cannot carry it, and it was to leave at once.
            LayerUnavailable: The server behind the layer cannot be reached, and it was to leave at once.
        """
        if not isinstance(content, dict):
            raise ValueError("You can only send dicts as content on channels.")
        self._send(content, immediately)
