"""What clients and consumers of the project say to each other."""

import datetime
from typing import Any, Literal

from pydantic import BaseModel

from channels.typed import BaseChannelEvent, BaseGroupMessage, BaseMessage, PingMessage


class Line(BaseModel):
    """One line of talk, perhaps for some groups only."""

    text: str
    groups: list[str] | None = None


class TalkMessage(BaseMessage):
    """Says something to others."""

    action: Literal["talk"] = "talk"
    payload: Line


class ReadMessage(BaseMessage):
    """Asks for something that may go wrong."""

    action: Literal["read"] = "read"
    payload: str


class Place(BaseModel):
    """Names a group."""

    group_name: str


class EnterMessage(BaseMessage):
    """Asks to be in one more group."""

    action: Literal["enter"] = "enter"
    payload: Place


class ToastMessage(BaseMessage):
    """Shows something to the user."""

    action: Literal["toast"] = "toast"
    payload: dict[str, Any]


class TalkHeard(BaseGroupMessage):
    """What the others hear of a line."""

    action: Literal["talk_heard"] = "talk_heard"
    payload: dict[str, str]


class NotePayload(BaseModel):
    """A stored note, as its serializer writes it."""

    id: int
    text: str
    author: str
    written_at: datetime.datetime


class NoteHeard(BaseGroupMessage):
    """A note that was stored."""

    action: Literal["note_heard"] = "note_heard"
    payload: NotePayload


class Notice(BaseChannelEvent):
    """Something that the site tells its visitors."""

    class Payload(BaseModel):
        """What, and how urgent it is."""

        text: str
        level: str = "info"

    handler: Literal["notice"] = "notice"
    payload: Payload


Talk = TalkMessage | ToastMessage | PingMessage
CrewTalk = TalkMessage | EnterMessage | PingMessage
