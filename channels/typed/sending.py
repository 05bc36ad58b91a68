"""What a typed consumer sends: to its client, to groups, and events to others."""

from collections.abc import Mapping, Sequence
from typing import Any, Generic, Literal

from asgiref.sync import sync_to_async

from channels import names
from channels.channel import Group
from channels.typed import events
from channels.typed.connection import IC, OG, Event, M, TypedConnection
from channels.typed.groups import address
from channels.typed.messages import BaseMessage, CompleteMessage, GroupCompleteMessage
from channels.typed.wire import to_content
from channels.types import Content

Kind = Literal["message", "json"]


class TypedSending(TypedConnection[IC, Event, OG, M], Generic[IC, Event, OG, M]):
    """The sending half of ``TypedConsumer``."""

    # To the client

    def send_message(self, message: BaseMessage) -> None:
        """Send ``message`` to the client; it leaves when the consumer ends, unless the class says otherwise.

        Raises:
            TypeError: It is no message.
        """
        if not isinstance(message, BaseMessage):
            raise TypeError(f"send_message takes a BaseMessage, not {type(message).__name__}; send_json takes dicts.")
        self._send_text(self._spelling.encode(message), message.action)

    def send_json(self, content: Any, close: bool | int = False) -> None:
        """Send JSON-like ``content`` to the client, and close the socket afterwards if asked to."""
        action = content.get("action") if isinstance(content, dict) else None
        self._send_text(self._spelling.encode_content(content), action, close)

    def _send_text(self, text: str, action: Any, close: bool | int = False) -> None:
        self._reply(self._frame(text, None, close))
        if self._option("log_sent_message"):
            self._log_message("Sent websocket json", action, sent_action=action)

    def _reply(self, content: Content) -> None:
        self.message.reply_channel.send(content, immediately=self._is_immediate)  # type: ignore[union-attr]

    @property
    def _is_immediate(self) -> bool:
        # Nothing may overtake the reply that decides a handshake.
        return bool(self._option("send_message_immediately")) and not self.connecting

    def _complete(self) -> None:
        if self._option("send_completion"):
            self.send_message(CompleteMessage())

    # To groups

    def join_group(self, name: str) -> None:
        """Make the connection a member of the group ``name``, until it ends or leaves."""
        self.memberships.join(name)

    def leave_group(self, name: str) -> None:
        """End the connection's membership of the group ``name``."""
        self.memberships.leave(name)

    def send_group_message(
        self,
        message: OG,
        groups: Sequence[str] | None = None,
        *,
        kind: Kind = "message",
        exclude_current: bool = True,
    ) -> None:
        """Send ``message`` to groups; each member sees in it whether it is its user's and whether it is its own.

        It crosses the layer once for each group, however many members there are.

        Args:
            message: A model of the third type parameter.
            groups: Names; None is every group this connection is in.
            kind: ``"json"`` sends the message as it is, without the two marks.
            exclude_current: Leave out this connection.

        Raises:
            TypeError: It is no such model, or ``groups`` is a text.
        """
        if not isinstance(message, self.protocol.group_messages):
            names = ", ".join(model.__name__ for model in self.protocol.group_messages) or "no group message"
            raise TypeError(f"{type(self).__name__} sends {names} to groups, not {type(message).__name__}.")
        content = to_content(message)
        if kind == "json":
            content = {key: value for key, value in content.items() if key not in ("is_mine", "is_current")}
        self.send_to_groups(content, groups, exclude_current=exclude_current, kind=kind)

    def send_to_groups(
        self,
        content: Mapping[str, Any],
        groups: Sequence[str] | None = None,
        *,
        exclude_current: bool = True,
        kind: Kind = "json",
    ) -> None:
        """Send JSON-like ``content`` to groups. Arguments as for ``send_group_message``."""
        chosen = list(self.groups if groups is None else names.require_list(groups))
        self._send_variants(content, chosen, exclude_current, marked=kind == "message")
        action = content.get("action")
        if self._option("log_sent_message"):
            self._log_message("Sent websocket json to groups", action, sent_action=action, groups=chosen)
        if self._option("send_completion"):
            done = to_content(GroupCompleteMessage())
            self._send_variants(done, chosen, exclude_current, marked=False)

    def _send_variants(
        self, content: Mapping[str, Any], groups: Sequence[str], exclude_current: bool, marked: bool
    ) -> None:
        encode = self._spelling.encode_content
        text = mine = current = encode({**content, "is_mine": False, "is_current": False} if marked else content)
        identity = self.context.identity if self.context is not None and marked else None
        if marked and identity is not None:
            mine = encode({**content, "is_mine": True, "is_current": False})
        if marked and not exclude_current:
            current = encode({**content, "is_mine": identity is not None, "is_current": True})
        addressed = address(
            text, mine, None if exclude_current else current, channel=self.channel_name, identity=identity
        )
        for name in groups:
            Group(name, channel_layer=self.channel_layer).send(addressed, immediately=self._is_immediate)

    # Events

    @classmethod
    def send_channel_event(cls, group_name: str, event: Event, channel_layer: Any = None) -> None:
        """Send ``event`` to the consumers of all members of a group. May be called from anywhere.

        Args:
            group_name: The group.
            event: A model of the second type parameter.
            channel_layer: None is the default layer.

        Raises:
            TypeError: It is no such model.
        """
        if not isinstance(event, cls.protocol.events):
            names = ", ".join(model.__name__ for model in cls.protocol.events) or "no event"
            raise TypeError(f"{cls.__name__} takes {names}, not {type(event).__name__}.")
        events.send_event(group_name, events.write_event(event), channel_layer)

    @classmethod
    async def asend_channel_event(cls, group_name: str, event: Event, channel_layer: Any = None) -> None:
        """``send_channel_event`` for asynchronous code."""
        await sync_to_async(cls.send_channel_event)(group_name, event, channel_layer)
