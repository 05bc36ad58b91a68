"""Rooms, who may enter them, and what was said there."""

from django.conf import settings
from django.db import models
from django.urls import reverse

SHOWN = 50
"""Messages that a page begins with."""


class Room(models.Model):
    """A room of a team. Its members may enter it and let others in."""

    slug = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=40)
    topic = models.CharField(max_length=120, blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    members = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="rooms")
    is_open = models.BooleanField(default=False, help_text="Everybody who signs in is a member.")

    class Meta:
        ordering = ("title",)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the room's page."""
        return reverse("room", args=[self.slug])


class Message(models.Model):
    """Something said in a room."""

    room = models.ForeignKey(Room, models.CASCADE, related_name="messages")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    text = models.TextField(max_length=2000)
    sent = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = (models.Index(fields=("room", "id"), name="teamchat_history"),)

    def __str__(self) -> str:
        return f"{self.author}: {self.text[:40]}"
