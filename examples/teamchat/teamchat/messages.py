"""What pages and consumers tell each other: everything that crosses a socket is one of these models."""

import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from channels.typed import BaseChannelEvent, BaseGroupMessage, BaseMessage

Username = Annotated[str, Field(max_length=150, examples=["ben"])]


class Words(BaseModel):
    """What somebody wants to say."""

    text: Annotated[str, Field(min_length=1, max_length=2000, examples=["Hello, team!"])]


class Utterance(BaseModel):
    """Something that was said."""

    id: int
    author: Username
    text: str
    sent: datetime.datetime


class RoomCard(BaseModel):
    """A room, as a list shows it."""

    slug: str
    title: str
    address: str


# From pages


class SayMessage(BaseMessage):
    """Says something to the room."""

    action: Literal["say"] = "say"
    payload: Words


class TypingMessage(BaseMessage):
    """Tells the others that somebody is about to say something."""

    action: Literal["typing"] = "typing"
    payload: None = None


class EarlierMessage(BaseMessage):
    """Asks for what was said before a message."""

    class Payload(BaseModel):
        """The oldest message that the page has; null asks for the latest."""

        before: int | None = None

    action: Literal["earlier"] = "earlier"
    payload: Payload


class InviteMessage(BaseMessage):
    """Lets somebody into the room."""

    class Payload(BaseModel):
        """Whom."""

        username: Username

    action: Literal["invite"] = "invite"
    payload: Payload


class OpenRoomMessage(BaseMessage):
    """Opens a room of one's own."""

    class Payload(BaseModel):
        """What it is called."""

        title: Annotated[str, Field(min_length=2, max_length=40, examples=["Rocket science"])]

    action: Literal["open_room"] = "open_room"
    payload: Payload


# To the page that asked


class HistoryMessage(BaseMessage):
    """What was said, oldest first."""

    class Payload(BaseModel):
        """Some messages, and whether there are older ones."""

        messages: list[Utterance]
        has_earlier: bool

    action: Literal["history"] = "history"
    payload: Payload


class InvitedMessage(BaseMessage):
    """Says whether somebody was let in."""

    class Payload(BaseModel):
        """Who, and what became of it."""

        username: Username
        outcome: Literal["invited", "already there", "nobody has this name"]

    action: Literal["invited"] = "invited"
    payload: Payload


class RoomMessage(BaseMessage):
    """A room that the user may enter from now on."""

    action: Literal["room"] = "room"
    payload: RoomCard


class RefusedMessage(BaseMessage):
    """Says why something was not done."""

    action: Literal["refused"] = "refused"
    payload: str


class TopicMessage(BaseMessage):
    """What the room is about now."""

    class Payload(BaseModel):
        """The topic, and whether this user may change it."""

        topic: str
        may_change: bool

    action: Literal["topic"] = "topic"
    payload: Payload


# To everybody in a room


class SaidMessage(BaseGroupMessage):
    """Somebody said something."""

    action: Literal["said"] = "said"
    payload: Utterance


class SomebodyTypesMessage(BaseGroupMessage):
    """Somebody is about to say something."""

    action: Literal["somebody_types"] = "somebody_types"
    payload: Username


# From other parts of the project to consumers


class TopicEvent(BaseChannelEvent):
    """The topic of a room was changed on its page."""

    handler: Literal["topic_changed"] = "topic_changed"
    payload: str


class InvitedEvent(BaseChannelEvent):
    """A user was let into a room."""

    handler: Literal["let_in"] = "let_in"
    payload: RoomCard
