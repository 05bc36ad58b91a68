# pyright: strict
"""Typed consumers as a project writes them. Never run: mypy and pyright read it, strict."""

from typing import Any, Literal

from django.contrib.auth.models import Group as Room

from channels.typed import (
    BaseChannelEvent,
    BaseGroupMessage,
    BaseMessage,
    IsAuthenticated,
    PingMessage,
    PongMessage,
    TypedConsumer,
    event_handler,
    safe_group_name,
    ws_handler,
)


class Said(BaseMessage):
    """What a client says."""

    action: Literal["said"] = "said"
    payload: str


class Heard(BaseGroupMessage):
    """What a group hears."""

    action: Literal["heard"] = "heard"
    payload: dict[str, str]


class Notice(BaseChannelEvent):
    """What a view tells."""

    handler: Literal["notice"] = "notice"
    payload: str


class Chat(TypedConsumer[PingMessage | Said, Notice, Heard, Room]):
    """All four parameters."""

    groups = ["everybody"]
    permission_classes = [IsAuthenticated]
    queryset = Room.objects.all()
    send_completion = True

    def build_groups(self) -> list[str]:
        """Return the room's group."""
        self.group_name = safe_group_name("room", self.obj.pk)
        return [self.group_name]

    def post_authentication(self) -> None:
        """Note what later messages need."""
        self.asked = 0
        self.room = self.obj

    def receive_message(self, message: PingMessage | Said, **kwargs: Any) -> None:
        """Answer, and tell the others."""
        match message:
            case PingMessage():
                self.asked += 1
                self.send_message(Said(payload=f"{self.room.name} was asked {self.asked} times"))
            case Said(payload=text):
                self.send_group_message(Heard(payload={"room": self.obj.name, "text": text}), exclude_current=False)

    def receive_event(self, event: Notice) -> None:
        """Tell the client."""
        self.send_message(Said(payload=event.payload))


class Handlers(TypedConsumer):
    """No parameters, but handlers."""

    @ws_handler
    def ping(self, message: PingMessage) -> PongMessage:
        """Answer."""
        return PongMessage()

    @event_handler(summary="Tells")
    def notice(self, event: Notice) -> Said | None:
        """Tell the client."""
        return Said(payload=event.payload)


Chat.send_channel_event("everybody", Notice(payload="hello"))
channel_routing = [Chat.as_route(path=r"^/chat/(?P<pk>\d+)/$"), Handlers.as_route(path="^/handlers/$")]
