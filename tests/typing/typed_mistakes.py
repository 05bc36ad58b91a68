# pyright: strict
"""Mistakes with typed consumers; each line that says MISTAKE is a type error to mypy and pyright."""

from typing import Any

from channels.typed import PingMessage, PongMessage, TypedConsumer
from tests.typing.typed_api import Chat, Heard, Notice, Said


class Wrong(TypedConsumer[PingMessage, Notice, Heard]):
    """Takes one message and is given others."""

    def receive_message(self, message: Said, **kwargs: Any) -> None:  # MISTAKE
        """Take a message of another type."""
        self.send_message({"action": "pong"})  # MISTAKE
        self.send_group_message(PongMessage())  # MISTAKE
        self.send_mesage(PongMessage())  # MISTAKE


class NoGroups(TypedConsumer[PingMessage]):
    """Has no group messages."""

    def receive_message(self, message: PingMessage, **kwargs: Any) -> None:
        """Send one all the same."""
        self.send_group_message(Heard(payload={}))  # MISTAKE


Chat.send_channel_event("everybody", Said(payload="hello"))  # MISTAKE
Unmodelled = TypedConsumer[int]  # MISTAKE
