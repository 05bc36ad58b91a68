"""Message: what a consumer is called with. Names of the pending store are kept here for 1.x code."""

from collections.abc import ItemsView, KeysView, ValuesView
from typing import Any

from channels.channel import Channel
from channels.formats import REPLY_CHANNEL, copy_content
from channels.pending import PendingMessageStore, pending_message_store
from channels.types import Content

__all__ = ["Message", "PendingMessageStore", "pending_message_store"]


class Message:
    """A content, the channel it came on, and where its reply goes.

    Decorators and class-based consumers add ``channel_session``, ``http_session`` and ``user``.

    Args:
        content: The dict that was sent; kept, not copied.
        channel_name: Name of the channel it came on; None if it came on none.
        channel_layer: The layer it came on; None is the default layer.
    """

    channel_session: Any
    http_session: Any
    user: Any

    is_put_off = False
    """Whether its consumer did not run, because it was not this message's turn in the order of its connection."""

    __doomed__ = False
    """Whether it was put back as often as it may be, so that ``ConsumeLater`` drops it. The name is that of 1.x."""

    def __init__(self, content: Content, channel_name: str | None, channel_layer: Any) -> None:
        self.content = content
        self.channel_layer = channel_layer
        self.channel = Channel(channel_name, channel_layer=channel_layer) if channel_name else None
        reply_channel = content.get(REPLY_CHANNEL)
        self.reply_channel = Channel(reply_channel, channel_layer=channel_layer) if reply_channel else None

    def __getitem__(self, key: str) -> Any:
        return self.content[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self.content[key] = value

    def __contains__(self, key: object) -> bool:
        return key in self.content

    def keys(self) -> KeysView[str]:
        """Return the keys of the content."""
        return self.content.keys()

    def values(self) -> ValuesView[Any]:
        """Return the values of the content."""
        return self.content.values()

    def items(self) -> ItemsView[str, Any]:
        """Return the items of the content."""
        return self.content.items()

    def get(self, key: str, default: Any = None) -> Any:
        """Return ``content[key]``, or ``default``."""
        return self.content.get(key, default)

    def copy(self) -> "Message":
        """Return a message with a deep copy of the content, on the same channel and layer."""
        name = self.channel.name if self.channel else None
        return type(self)(copy_content(self.content), name, self.channel_layer)

    def __repr__(self) -> str:
        return f"<Message on {self.channel}: {sorted(self.content)}>"
