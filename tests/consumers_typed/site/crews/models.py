"""Crews of people who leave each other notes."""

from django.conf import settings
from django.db import models


class Crew(models.Model):
    """Some people."""

    title = models.CharField(max_length=50)

    def __str__(self) -> str:
        return self.title


class Member(models.Model):
    """Somebody in a crew."""

    crew = models.ForeignKey(Crew, models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    presence = models.CharField(max_length=20, default="away")

    def __str__(self) -> str:
        return f"{self.user} of {self.crew}"


class Note(models.Model):
    """What a member wrote for the crew."""

    crew = models.ForeignKey(Crew, models.CASCADE, related_name="notes")
    author = models.ForeignKey(Member, models.CASCADE)
    text = models.TextField()
    written_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.text
