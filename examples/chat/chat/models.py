"""Rooms, what was said in them, and who is there."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.urls import reverse
from django.utils import timezone

PRESENT_FOR = timedelta(seconds=150)
"""How long a socket counts as open without a sign of life. Pages send one every 20 seconds, but
browsers slow the timers of hidden pages down to one call a minute."""


class Room(models.Model):
    """A place to talk."""

    slug = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=40)
    topic = models.CharField(max_length=120, blank=True)
    presence_version = models.PositiveBigIntegerField(default=0, editable=False)

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the room's page."""
        return reverse("room", args=[self.slug])

    def presence(self) -> dict[str, Any]:
        """Return the names of who is here, and a number by which pages can tell newer lists from older ones."""
        # Read in this order the names are never older than the number.
        self.refresh_from_db(fields=["presence_version"])
        field = "user__username"
        names = self.visits.present().order_by(field).values_list(field, flat=True).distinct()
        return {"users": list(names), "version": self.presence_version}


class MessageQuerySet(models.QuerySet["Message"]):
    """Reading the history of a room."""

    def page(self, *, before: int | None = None, after: int | None = None, size: int = 50) -> dict[str, Any]:
        """Return up to ``size`` messages, oldest first, and whether there are earlier ones.

        Args:
            before: Only messages older than the one with this id.
            after: Only messages newer than the one with this id; all of them, up to 500.
            size: The largest number of messages, without ``after``.
        """
        messages = self.select_related("author", "picture").defer("picture__data")
        if after is not None:
            newer = messages.filter(pk__gt=after).order_by("pk")[:500]
            return {"messages": [message.as_payload() for message in newer]}
        if before is not None:
            messages = messages.filter(pk__lt=before)
        latest = list(messages.order_by("-pk")[: size + 1])
        return {
            "messages": [message.as_payload() for message in reversed(latest[:size])],
            "has_earlier": len(latest) > size,
        }


class Message(models.Model):
    """Something said in a room: text, a picture, or both."""

    room = models.ForeignKey(Room, models.CASCADE, related_name="messages")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    text = models.TextField(blank=True)
    sent = models.DateTimeField(default=timezone.now)
    # Made by the page. A page that lost its connection sends again what was not confirmed; the
    # same key says that it is the same message.
    key = models.CharField(max_length=40)

    objects = MessageQuerySet.as_manager()

    class Meta:
        constraints = (models.UniqueConstraint(fields=("room", "author", "key"), name="message_once"),)
        indexes = (models.Index(fields=("room", "id"), name="message_history"),)

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"

    def as_payload(self) -> dict[str, Any]:
        """Return what a page needs to show this message."""
        return {
            "id": self.pk,
            "key": self.key,
            "author": self.author.get_username(),
            "text": self.text,
            "sent": self.sent,
            "picture": reverse("picture", args=[self.pk]) if hasattr(self, "picture") else None,
        }


class Picture(models.Model):
    """The picture of a message; a table of its own, so that reading history never loads it."""

    message = models.OneToOneField(Message, models.CASCADE, primary_key=True)
    kind = models.CharField(max_length=20)
    data = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.kind}, {len(self.data)} bytes"


class VisitQuerySet(models.QuerySet["Visit"]):
    """Who is in a room. A user may be there with several sockets, one per open page."""

    def present(self) -> "VisitQuerySet":
        """Return the visits that showed a sign of life lately."""
        return self.filter(seen__gte=timezone.now() - PRESENT_FOR)

    @transaction.atomic
    def enter(self, room: Room, user: Any, reply_channel: str) -> bool:
        """Note that a socket is open; return whether the user was not in the room before."""
        is_new = not self.present().filter(room=room, user=user).exists()
        self.update_or_create(
            reply_channel=reply_channel, defaults={"room": room, "user": user, "seen": timezone.now()}
        )
        return is_new and self._count_change(room)

    @transaction.atomic
    def leave(self, room: Room, user: Any, reply_channel: str) -> bool:
        """Note that a socket is closed; return whether the user is no longer in the room."""
        deleted, _ = self.filter(reply_channel=reply_channel).delete()
        is_gone = bool(deleted) and not self.present().filter(room=room, user=user).exists()
        return is_gone and self._count_change(room)

    @transaction.atomic
    def forget_lost(self, room: Room) -> bool:
        """Delete the visits of sockets that vanished without a word; return whether there were any."""
        deleted, _ = self.filter(room=room, seen__lt=timezone.now() - PRESENT_FOR).delete()
        return bool(deleted) and self._count_change(room)

    def _count_change(self, room: Room) -> bool:
        Room.objects.filter(pk=room.pk).update(presence_version=models.F("presence_version") + 1)
        return True


class Visit(models.Model):
    """One open socket of a user in a room."""

    reply_channel = models.CharField(max_length=99, primary_key=True)
    room = models.ForeignKey(Room, models.CASCADE, related_name="visits")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    seen = models.DateTimeField()

    objects = VisitQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.user} in {self.room}"
