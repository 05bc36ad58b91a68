"""The consumers of the project, one for each thing that typed consumers do."""

from typing import Any, cast
from urllib.parse import parse_qs

from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import IsAuthenticated

from channels.typed import ErrorMessage, PingMessage, PongMessage, TypedConsumer
from tests.consumers_typed.site.crews.models import Crew, Member, Note
from tests.consumers_typed.site.messages import (
    CrewTalk,
    EnterMessage,
    NoteHeard,
    Notice,
    ReadMessage,
    Talk,
    TalkHeard,
    TalkMessage,
    ToastMessage,
)
from tests.consumers_typed.site.permissions import IsCrewMember
from tests.consumers_typed.site.serializers import NoteSerializer


class Echo(TypedConsumer[PingMessage]):
    """The smallest one."""

    def receive_message(self, message: PingMessage, **kwargs: Any) -> None:
        """Answer."""
        match message:
            case PingMessage():
                self.send_message(PongMessage())


class Guarded(TypedConsumer[PingMessage, None, None, Crew]):
    """Admits users only, to crews that exist."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]
    queryset = Crew.objects.all()
    auth_method = "get"

    def receive_message(self, message: PingMessage, **kwargs: Any) -> None:
        """Say who and what it is about."""
        self.send_message(ToastMessage(payload={"user": self.user.username, "crew": self.obj.title}))


class Desk(TypedConsumer[Talk, Notice, TalkHeard, Crew]):
    """All four parameters; each message has a method of its own behind the match."""

    queryset = Crew.objects.all()

    def receive_message(self, message: Talk, **kwargs: Any) -> None:
        """Hand the payloads on."""
        match message:
            case TalkMessage(payload=line):
                self.take_line(line.text)
            case ToastMessage(payload=toast):
                self.take_toast(toast)
            case PingMessage():
                self.send_message(PongMessage())

    def take_line(self, text: str) -> None:
        """Answer with the line and the crew."""
        self.send_message(ToastMessage(payload={"text": text, "crew": self.obj.title}))

    def take_toast(self, toast: dict[str, Any]) -> None:
        """Send it back."""
        self.send_message(ToastMessage(payload=toast))


class Corner(TypedConsumer[Talk, None, TalkHeard]):
    """A place by its name in the URL, for everybody who is there."""

    def build_groups(self) -> list[str]:
        """Be where the URL says."""
        place = self.scope["url_route"]["kwargs"].get("place", "hall")
        return [f"corner.{place}"]

    def receive_message(self, message: Talk, **kwargs: Any) -> None:
        """Let everybody there hear a line, its sender too."""
        match message:
            case TalkMessage(payload=line):
                name = getattr(self.user, "username", "") or "somebody"
                heard = TalkHeard(payload={"name": name, "text": line.text})
                self.send_group_message(heard, exclude_current=False)
            case _:
                pass


class Notices(TypedConsumer[Talk, Notice]):
    """Hears what other parts of the site tell."""

    groups = ["notices"]

    def receive_message(self, message: Talk, **kwargs: Any) -> None:
        """Answer anything, so that clients can tell that they are connected."""
        self.send_message(PongMessage())

    def receive_event(self, event: Notice) -> None:
        """Show it."""
        match event:
            case Notice():
                if event.payload.level == "broken":
                    raise ZeroDivisionError("an event on purpose")
                text = f"{event.payload.level.upper()}: {event.payload.text}"
                self.send_message(ToastMessage(payload={"text": text, "to": self.user.username}))


class Mirror(TypedConsumer[Talk, None, None, Crew]):
    """Tells what it knows of its connection."""

    queryset = Crew.objects.all()

    def receive_message(self, message: Talk, **kwargs: Any) -> None:
        """Put all of it into one message."""
        query = parse_qs(self.scope["query_string"].decode())
        known = {
            "user": self.user.username,
            "agent": self.request.headers["user-agent"],
            "crew": self.obj.title,
            "scope_path": self.scope["path"],
            "url": self.scope["url_route"]["kwargs"],
            "query": query,
        }
        self.send_message(ToastMessage(payload=known))


class Presence(TypedConsumer[Talk, None, None, Crew]):
    """Notes in the handshake who came, and knows it on every later message."""

    queryset = Crew.objects.all()
    permission_classes = [IsCrewMember]
    member: Member
    presence: str = "unknown"

    def post_authentication(self) -> None:
        """The member is here."""
        self.presence = "here"
        self.set_presence()
        if self.obj:
            self.crew = self.obj
            self.member = self.crew.members.get(user=self.user)

    def set_presence(self) -> None:
        """Store it."""
        self.obj.members.filter(user=self.user).update(presence=self.presence)

    def receive_message(self, message: Talk, **kwargs: Any) -> None:
        """Tell what the handshake noted; a line changes it."""
        if isinstance(message, TalkMessage):
            self.presence = message.payload.text
            self.set_presence()
        noted = {"presence": self.presence, "crew": self.crew.title, "stored": self.member.presence}
        self.send_message(ToastMessage(payload=noted))


class Library(TypedConsumer[ReadMessage | PingMessage]):
    """Tells of mistakes of its clients in its own words; its own mistakes are told for it."""

    strict_ordering = True

    def receive_message(self, message: ReadMessage | PingMessage, **kwargs: Any) -> None:
        """Read a number; fail for 0."""
        try:
            match message:
                case ReadMessage(payload="0"):
                    raise ZeroDivisionError("a secret of the server, on purpose")
                case ReadMessage(payload=text):
                    self.send_message(ToastMessage(payload={"share": 100 / int(text)}))
                case PingMessage():
                    self.send_message(PongMessage())
        except ValueError as error:
            self.send_message(ErrorMessage(payload={"detail": str(error)}))


class CrewRoom(TypedConsumer[CrewTalk, None, NoteHeard, Crew]):
    """The room of a crew: stores its notes, tells its members."""

    permission_classes = [IsCrewMember]
    queryset = Crew.objects.get_queryset()

    member: Member
    groups: list[str]

    def build_groups(self) -> list[str]:
        """Be in the group of the crew."""
        self.group_name = f"crew.{self.obj.pk}"
        return [self.group_name]

    def post_authentication(self) -> None:
        """Note who came."""
        self.member = self.obj.members.select_related("user").get(user=self.user)

    def receive_message(self, message: CrewTalk, **kwargs: Any) -> None:
        """Store a note and let the room hear it, or enter one more group."""
        match message:
            case PingMessage():
                self.send_message(PongMessage())
            case TalkMessage(payload=line):
                note = Note.objects.create(text=line.text, crew_id=self.obj.pk, author=self.member)
                heard = NoteHeard(payload=cast(Any, NoteSerializer(instance=note).data))
                self.send_group_message(heard, groups=line.groups, exclude_current=False)
            case EnterMessage(payload=place):
                self.join_group(place.group_name)


class Configured(TypedConsumer[Talk, None, TalkHeard]):
    """Every option as a class attribute."""

    authentication_classes = [SessionAuthentication]
    permission_classes = [IsAuthenticated]
    auth_method = "get"
    send_completion = True
    send_message_immediately = True
    log_received_message = True
    log_sent_message = True
    log_ignored_actions = ["ping", "pong"]
    send_authentication_message = True

    groups = ["configured"]

    def receive_message(self, message: Talk, **kwargs: Any) -> None:
        """Answer a ping, let the others hear a line."""
        match message:
            case PingMessage():
                self.send_message(PongMessage())
            case TalkMessage(payload=line):
                self.send_group_message(TalkHeard(payload={"text": line.text}))
