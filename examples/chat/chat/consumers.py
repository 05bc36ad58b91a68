"""One socket per open page, carrying two streams: what is said, and who is here."""

from typing import Any
from uuid import uuid4

from django.db import transaction

from channels.exceptions import DenyConnection
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketDemultiplexer
from channels.security.websockets import allowed_hosts_only

from .groups import chat_group, presence_group, user_group
from .models import Message, Picture, Room, Visit
from .pictures import MAX_PICTURE_BYTES, picture_kind

MAX_TEXT = 4000


class ChatConsumer(JsonWebsocketConsumer):
    """The stream ``chat``: messages and history."""

    def connection_groups(self, slug: str, **kwargs: Any) -> list[str]:
        """Hear what is said in the room."""
        return [chat_group(slug)]

    def receive(self, content: dict[str, Any], multiplexer: Any, slug: str, **kwargs: Any) -> None:
        """Do what the page asks for."""
        room = Room.objects.get(slug=slug)
        match content:
            case {"action": "say", "text": str(text), "key": str(key)} if len(key) <= 40:
                self.say(room, text.strip(), key, multiplexer)
            case {"action": "catch up", "after": int(after)}:
                multiplexer.send({"event": "history", **room.messages.page(after=after)})
            case {"action": "earlier", "before": int(before)}:
                multiplexer.send({"event": "history", **room.messages.page(before=before)})
            case _:
                multiplexer.send({"event": "problem", "text": "The page sent something the server does not know."})

    def say(self, room: Room, text: str, key: str, multiplexer: Any) -> None:
        """Store a message and show it to everyone in the room."""
        if not 0 < len(text) <= MAX_TEXT:
            multiplexer.send({"event": "problem", "key": key, "text": f"A message has 1 to {MAX_TEXT} characters."})
            return
        message, _ = Message.objects.get_or_create(
            room=room, author=self.message.user, key=key, defaults={"text": text}
        )
        multiplexer.group_send(chat_group(room.slug), "chat", {"event": "message", **message.as_payload()})


class PresenceConsumer(JsonWebsocketConsumer):
    """The stream ``presence``: who is here, comes, goes, or is writing."""

    def connection_groups(self, slug: str, **kwargs: Any) -> list[str]:
        """Hear who comes and goes in the room."""
        return [presence_group(slug)]

    def connect(self, message: Any, multiplexer: Any, slug: str, **kwargs: Any) -> None:
        """Tell the room and the page who is here now."""
        self.enter(Room.objects.get(slug=slug), multiplexer)

    def receive(self, content: dict[str, Any], multiplexer: Any, slug: str, **kwargs: Any) -> None:
        """Take a sign of life, or pass on that someone is writing."""
        if content.get("action") == "alive":
            room = Room.objects.get(slug=slug)
            if Visit.objects.forget_lost(room):
                self.announce(room, multiplexer)
            self.enter(room, multiplexer)
        elif content.get("action") == "writing":
            writing = {"event": "writing", "user": self.message.user.get_username()}
            multiplexer.group_send(presence_group(slug), "presence", writing)

    def disconnect(self, message: Any, multiplexer: Any, slug: str, **kwargs: Any) -> None:
        """Tell the room who is left. A refused socket never entered, so nobody hears of it."""
        room = Room.objects.filter(slug=slug).first()
        if room and Visit.objects.leave(room, message.user, message.reply_channel.name):
            self.announce(room, multiplexer)

    def enter(self, room: Room, multiplexer: Any) -> None:
        """Note that this socket is open, and answer with who is here."""
        if Visit.objects.enter(room, self.message.user, self.message.reply_channel.name):
            self.announce(room, multiplexer)
        multiplexer.send({"event": "here", **room.presence()})

    def announce(self, room: Room, multiplexer: Any) -> None:
        """Send everyone in the room the list of who is here."""
        multiplexer.group_send(presence_group(room.slug), "presence", {"event": "here", **room.presence()})


class RoomSocket(WebsocketDemultiplexer):
    """The socket of a room's page: text frames go to the streams, binary frames are pictures."""

    http_user = True
    login_required = True
    # What one person sends is shown in the order it was sent, whichever worker takes it.
    strict_ordering = True
    consumers = {"chat": ChatConsumer, "presence": PresenceConsumer}  # noqa: RUF012

    def get_handler(self, message: Any, **kwargs: Any) -> Any:
        """Let only our own pages in: browsers send cookies along with the sockets of any page."""
        return allowed_hosts_only(super().get_handler(message, **kwargs))

    def connection_groups(self, **kwargs: Any) -> list[str]:
        """Be reachable as one of this user's sockets."""
        return [user_group(self.message.user)]

    def connect(self, message: Any, slug: str, **kwargs: Any) -> None:
        """Let users into rooms that exist."""
        if not Room.objects.filter(slug=slug).exists():
            raise DenyConnection(status=404, reason="There is no such room.")
        super().connect(message, slug=slug, **kwargs)

    def receive_invalid(self, frame: Any, error: Exception, **kwargs: Any) -> None:
        """Take binary frames, which are no JSON, as pictures."""
        if isinstance(frame, bytes):
            self.receive_picture(frame, **kwargs)
        else:
            super().receive_invalid(frame, error, **kwargs)

    def receive_picture(self, data: bytes, slug: str, **kwargs: Any) -> None:
        """Store a picture and show it to everyone in the room, or say why not."""
        kind = picture_kind(data)
        if kind is None or len(data) > MAX_PICTURE_BYTES:
            text = f"Only PNG, JPEG, GIF and WebP pictures of up to {MAX_PICTURE_BYTES // 1000} kB can be sent."
            self.message.reply_channel.send(self.encode("chat", {"event": "problem", "text": text}))
            return
        with transaction.atomic():
            message = Message.objects.create(
                room=Room.objects.get(slug=slug), author=self.message.user, key=uuid4().hex
            )
            Picture.objects.create(message=message, kind=kind, data=data)
        payload = {"event": "message", **message.as_payload()}
        self.multiplexer_class.group_send(chat_group(slug), "chat", payload)
