"""Boards and the cards on them."""

from typing import Any

from django.conf import settings
from django.db import models
from django.urls import reverse


class Board(models.Model):
    """Cards in three columns; everybody who is signed in sees it."""

    slug = models.SlugField(max_length=40, unique=True)
    title = models.CharField(max_length=40)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.title

    def get_absolute_url(self) -> str:
        """Return the address of the board's page."""
        return reverse("board", args=[self.slug])


class Card(models.Model):
    """A note on a board. It belongs to who wrote it; nobody else changes it."""

    class Column(models.TextChoices):
        TODO = "todo", "To do"
        DOING = "doing", "Doing"
        DONE = "done", "Done"

    board = models.ForeignKey(Board, models.CASCADE, related_name="cards")
    column = models.CharField(max_length=5, choices=Column, default=Column.TODO)
    text = models.CharField(max_length=200)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.text

    def owner_name(self) -> Any:
        """Return whose it is, as pages show it."""
        return self.owner.get_username()
