"""The consumers that the tests talk to: a chat with everything, and what each test needs beside it."""

import functools
from typing import Any, Literal

from django.contrib.auth.models import Group as Room
from pydantic import BaseModel
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import BasePermission, IsAuthenticated

from channels.typed import (
    BaseChannelEvent,
    BaseGroupMessage,
    BaseMessage,
    PingMessage,
    PongMessage,
    TypedConsumer,
    event_handler,
    ws_handler,
)


class ChatPayload(BaseModel):
    """What somebody says."""

    content: str
    to_all: bool = False
    groups: list[str] | None = ["room.a"]


class ChatMessage(BaseMessage):
    """Somebody says something."""

    action: Literal["chat"] = "chat"
    payload: ChatPayload


class FailMessage(BaseMessage):
    """Asks the consumer to fail."""

    action: Literal["fail"] = "fail"
    payload: None = None


class MoveMessage(BaseMessage):
    """Asks to join or leave a group."""

    action: Literal["join", "leave"]
    payload: str


class WhoMessage(BaseMessage):
    """Asks what the consumer knows of the connection."""

    action: Literal["who"] = "who"
    payload: None = None


class Answer(BaseMessage):
    """Answers with anything."""

    action: Literal["answer"] = "answer"
    payload: Any


class ChatGroupMessage(BaseGroupMessage):
    """What a group hears."""

    action: Literal["chat_group"] = "chat_group"
    payload: dict[str, str]


class NotifyEvent(BaseChannelEvent):
    """Something to tell the client."""

    class Payload(BaseModel):
        """What to tell."""

        content: str
        level: str = "info"

    handler: Literal["notify"] = "notify"
    payload: Payload


class CloseEvent(BaseChannelEvent):
    """Asks the consumer to close."""

    handler: Literal["close", "fail"]
    payload: int = 4000


ChatIncoming = ChatMessage | FailMessage | MoveMessage | PingMessage | WhoMessage


class ChatConsumer(TypedConsumer[ChatIncoming, NotifyEvent | CloseEvent, ChatGroupMessage]):
    """A room by its name in the URL, for everybody."""

    groups = ["announcements"]
    permission_classes = []
    authentication_classes = [SessionAuthentication]

    def build_groups(self) -> list[str]:
        return [f"room.{self.kwargs.get('room', 'lobby')}"]

    def receive_message(self, message: ChatIncoming, **kwargs: Any) -> None:
        match message:
            case PingMessage():
                self.send_message(PongMessage())
            case ChatMessage(payload=payload):
                said = ChatGroupMessage(payload={"content": payload.content})
                self.send_group_message(said, payload.groups, exclude_current=not payload.to_all)
            case MoveMessage(action="join", payload=name):
                self.join_group(name)
            case MoveMessage(payload=name):
                self.leave_group(name)
            case WhoMessage():
                self.send_message(Answer(payload=self.describe()))
            case FailMessage():
                raise ZeroDivisionError("a secret of the server")

    def describe(self) -> dict[str, Any]:
        """Return what the consumer knows of the connection."""
        return {
            "user": self.user.get_username(),
            "groups": list(self.groups),
            "kwargs": self.scope["url_route"]["kwargs"],
            "scope_query": self.scope["query_string"].decode(),
            "query": self.query_params.dict(),
            "host": self.request.headers.get("host"),
            "cookies": self.request.COOKIES,
            "request_user": self.request.user.get_username(),
            "noted": self.session.get("noted"),
        }

    def post_authentication(self) -> None:
        self.session["noted"] = f"hello {self.user.get_username()}"

    def receive_event(self, event: NotifyEvent | CloseEvent) -> None:
        match event:
            case NotifyEvent(payload=payload):
                text = f"{payload.level.upper()}: {payload.content} for {self.user.get_username()}"
                self.send_message(Answer(payload=text))
            case CloseEvent(handler="close", payload=code):
                self.close(code)
            case CloseEvent():
                raise ZeroDivisionError("an event that fails")


class IsMember(BasePermission):
    """Admits the members of a room."""

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        return request.user.groups.filter(pk=obj.pk).exists()


class RoomConsumer(TypedConsumer[WhoMessage, None, None, Room]):
    """A room in the database, for its members."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated & IsMember]
    queryset = Room.objects.all()

    @functools.cached_property
    def size(self) -> int:
        """How many members the room has."""
        return self.obj.user_set.count()

    def receive_message(self, message: WhoMessage, **kwargs: Any) -> None:
        assert self.obj
        self.send_message(Answer(payload=[self.obj.name, self.user.get_username(), self.size]))


class Decorated(TypedConsumer):
    """Handlers instead of ``receive_message``."""

    authentication_classes = []
    permission_classes = []
    groups = ["decorated"]

    @ws_handler
    def answer_ping(self, message: PingMessage) -> PongMessage:
        """Answer a ping."""
        return PongMessage()

    @ws_handler(summary="Says it again", tags=["chat"], output_type=Answer)
    def echo(self, message: ChatMessage) -> Answer | None:
        return Answer(payload=message.payload.content) if message.payload.content else None

    @event_handler
    def notify(self, event: NotifyEvent) -> Answer:
        return Answer(payload=event.payload.content)
