"""The sockets: one for the room that a page shows, and one that tells a user of new rooms."""

from typing import Any

from django.contrib.auth.models import User
from django.utils.text import slugify

from channels.security.websockets import allowed_hosts_only
from channels.typed import (
    DjangoAuthenticator,
    IsAuthenticated,
    PingMessage,
    PongMessage,
    TypedConsumer,
    event_handler,
    safe_group_name,
    ws_handler,
)

from .messages import (
    EarlierMessage,
    HistoryMessage,
    InvitedEvent,
    InvitedMessage,
    InviteMessage,
    OpenRoomMessage,
    RefusedMessage,
    RoomCard,
    RoomMessage,
    SaidMessage,
    SayMessage,
    SomebodyTypesMessage,
    TopicEvent,
    TopicMessage,
    TypingMessage,
    Utterance,
)
from .models import SHOWN, Message, Room
from .permissions import IsMember, may_change_topic


def room_group(room: Room) -> str:
    """Return the group of everybody in ``room``."""
    return safe_group_name(room.pk, namespace="room")


def inbox_group(user: Any) -> str:
    """Return the group of all pages of ``user``."""
    return safe_group_name(user.pk, namespace="inbox")


def utterance(message: Message) -> Utterance:
    """Return ``message`` as pages get it."""
    return Utterance(id=message.pk, author=message.author.get_username(), text=message.text, sent=message.sent)


def room_card(room: Room) -> RoomCard:
    """Return ``room`` as pages get it."""
    return RoomCard(slug=room.slug, title=room.title, address=room.get_absolute_url())


class OwnPages:
    """Lets only our own pages in: browsers send cookies along with the sockets of any page."""

    def get_handler(self, message: Any, **kwargs: Any) -> Any:
        """Look at the origin of the page first."""
        return allowed_hosts_only(super().get_handler(message, **kwargs))


class RoomConsumer(OwnPages, TypedConsumer[PingMessage, TopicEvent, SaidMessage | SomebodyTypesMessage, Room]):
    """The conversation in a room, for its members."""

    authenticator_class = DjangoAuthenticator
    permission_classes = (IsAuthenticated, IsMember)
    queryset = Room.objects.all()
    lookup_field = "slug"
    # A user's messages are said in the order in which they were written.
    strict_ordering = True

    def build_groups(self) -> list[str]:
        """Hear what is said in the room."""
        return [room_group(self.obj)]

    def post_authentication(self) -> None:
        """Show newcomers what was said before."""
        self.send_message(self.read_history(None))

    @ws_handler
    def ping(self, message: PingMessage) -> PongMessage:
        """Answer a ping."""
        return PongMessage()

    @ws_handler(tags=["conversation"], output_type=SaidMessage)
    def say(self, message: SayMessage) -> None:
        """Say something: everybody in the room hears it, also who said it."""
        said = Message.objects.create(room=self.obj, author=self.user, text=message.payload.text)
        self.send_group_message(SaidMessage(payload=utterance(said)), exclude_current=False)

    @ws_handler(tags=["conversation"])
    def typing(self, message: TypingMessage) -> None:
        """Tell the others that one is about to say something."""
        self.send_group_message(SomebodyTypesMessage(payload=self.user.get_username()))

    @ws_handler(tags=["conversation"])
    def earlier(self, message: EarlierMessage) -> HistoryMessage:
        """Return what was said before a message."""
        return self.read_history(message.payload.before)

    @ws_handler(tags=["members"])
    def invite(self, message: InviteMessage) -> InvitedMessage:
        """Let somebody in; the pages of that user are told at once."""
        username = message.payload.username
        user = User.objects.filter(username=username).first()
        outcome: Any = "nobody has this name"
        if user is not None and self.obj.members.filter(pk=user.pk).exists():
            outcome = "already there"
        elif user is not None:
            self.obj.members.add(user)
            InboxConsumer.send_channel_event(inbox_group(user), InvitedEvent(payload=room_card(self.obj)))
            outcome = "invited"
        return InvitedMessage(payload=InvitedMessage.Payload(username=username, outcome=outcome))

    @event_handler
    def topic_changed(self, event: TopicEvent) -> TopicMessage:
        """Tell the page of a new topic. This runs once for each member, who may change it or not."""
        may_change = may_change_topic(self.user, self.obj)
        return TopicMessage(payload=TopicMessage.Payload(topic=event.payload, may_change=may_change))

    def read_history(self, before: int | None) -> HistoryMessage:
        """Return the messages before one, or the latest."""
        messages = self.obj.messages.select_related("author").order_by("-pk")
        if before is not None:
            messages = messages.filter(pk__lt=before)
        found = list(messages[: SHOWN + 1])
        shown = [utterance(message) for message in reversed(found[:SHOWN])]
        return HistoryMessage(payload=HistoryMessage.Payload(messages=shown, has_earlier=len(found) > SHOWN))


class InboxConsumer(OwnPages, TypedConsumer[OpenRoomMessage, InvitedEvent]):
    """What concerns one user, on all pages of that user."""

    authenticator_class = DjangoAuthenticator
    permission_classes = (IsAuthenticated,)

    def build_groups(self) -> list[str]:
        """Hear what happens to the user."""
        return [inbox_group(self.user)]

    @ws_handler(output_type=RoomMessage | RefusedMessage)
    def open_room(self, message: OpenRoomMessage) -> RefusedMessage | None:
        """Open a room of one's own; all pages of its owner show it."""
        title = message.payload.title
        slug = slugify(title)[:40]
        if not slug or Room.objects.filter(slug=slug).exists():
            return RefusedMessage(payload=f"There can be no room “{title}”: the name is taken, or has no letters.")
        room = Room.objects.create(slug=slug, title=title, owner=self.user)
        room.members.add(self.user)
        self.send_channel_event(inbox_group(self.user), InvitedEvent(payload=room_card(room)))
        return None

    @event_handler
    def let_in(self, event: InvitedEvent) -> RoomMessage:
        """Tell the page of a room that the user may enter."""
        return RoomMessage(payload=event.payload)
