"""A help desk whose protocol has something of everything that a document tells."""

from typing import Annotated, Any, Literal

from django.contrib.auth.models import Group as Room
from pydantic import BaseModel, Field

from channels.routing import include
from channels.typed import (
    AllowAny,
    BaseChannelEvent,
    BaseGroupMessage,
    BaseMessage,
    DjangoAuthenticator,
    PingMessage,
    PongMessage,
    TypedConsumer,
    event_handler,
    ws_handler,
)


class Phone(BaseModel):
    """Call back by telephone."""

    kind: Literal["phone"] = "phone"
    number: str = Field(pattern=r"^\+\d+$", examples=["+4930123456"])


class Mail(BaseModel):
    """Answer by mail."""

    kind: Literal["mail"] = "mail"
    send_copies: list[str] = []


class Question(BaseModel):
    """What somebody wants to know."""

    subject_line: str = Field(max_length=80, description="One line.")
    answer_by: Annotated[Phone | Mail, Field(discriminator="kind")]
    place: tuple[int, str] = (1, "lobby")


class AskMessage(BaseMessage):
    """Asks a question.

    Somebody will see to it.
    """

    action: Literal["ask"] = "ask"
    payload: Question


class TakenMessage(BaseMessage):
    """Says that a question was taken."""

    action: Literal["taken"] = "taken"
    payload: Question


class CountMessage(BaseMessage):
    """Says how many questions are open."""

    action: Literal["count"] = "count"
    payload: int


class NoticeMessage(BaseGroupMessage):
    """A notice for everybody at the desk."""

    action: Literal["notice"] = "notice"
    payload: dict[str, str]


class ClosingEvent(BaseChannelEvent):
    """The desk closes."""

    handler: Literal["closing"] = "closing"
    payload: int


class Desk(TypedConsumer[PingMessage, None, NoticeMessage]):
    """A desk to ask questions at.

    There is one in each building.
    """

    authenticator_class = DjangoAuthenticator
    permission_classes = (AllowAny,)

    @ws_handler(tags=["questions"])
    def ask(self, message: AskMessage) -> TakenMessage:
        """Take a question.

        Empty ones are taken, too.
        """
        return TakenMessage(payload=message.payload)

    @ws_handler(action="is-there", summary="Answers a ping")
    def answer_ping(self, message: PingMessage) -> PongMessage:
        return PongMessage()

    @event_handler
    def closing(self, event: ClosingEvent) -> CountMessage:
        """Say how many questions were left."""
        return CountMessage(payload=event.payload)


class Counter(TypedConsumer[PingMessage, None, None, Room]):
    emits = (CountMessage,)
    send_completion = True
    send_authentication_message = False
    authenticator_class = DjangoAuthenticator
    permission_classes = (AllowAny,)
    queryset = Room.objects.all()

    def receive_message(self, message: PingMessage, **kwargs: Any) -> None:
        """Answer with the number of open questions."""
        self.send_message(CountMessage(payload=3))


def plain(message: Any) -> None:
    """Take messages of which no document tells."""


inner = [Counter.as_route(path=r"^/(?P<pk>\d+)/$")]
routes = [
    Desk.as_route(path=r"^/desks/(?P<building>north|south)/$"),
    include(inner, path=r"^/counters"),
]
