"""Cards in boxes, with labels; and other kinds of keys."""

import uuid
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models.functions import Upper


class Box(models.Model):
    """What cards lie in."""

    name = models.CharField(max_length=20)

    def __str__(self) -> str:
        return self.name


class Label(models.Model):
    """What cards can have many of."""

    name = models.CharField(max_length=20, unique=True)

    def __str__(self) -> str:
        return self.name


class Card(models.Model):
    """A card; the place in its box is its own."""

    title = models.CharField(max_length=20)
    note = models.CharField(max_length=20, blank=True)
    secret = models.CharField(max_length=20, default="safe")
    place = models.IntegerField(default=0)
    due = models.DateField(null=True, blank=True)
    is_stamped = models.BooleanField(default=False, editable=False)
    box = models.ForeignKey(Box, models.CASCADE, null=True, blank=True)
    labels = models.ManyToManyField(Label, blank=True)

    class Meta:
        constraints: ClassVar[list[Any]] = [
            models.UniqueConstraint(fields=["box", "place"], condition=~models.Q(place=0), name="own_place")
        ]

    def __str__(self) -> str:
        return self.title

    def clean(self) -> None:
        """Two fields must not contradict each other."""
        if self.note and self.note == self.title:
            raise ValidationError("The note must say something new.")

    def shout(self) -> str:
        """Return the title, louder."""
        return self.title.upper()


class Memo(Card):
    """A card by another name."""

    class Meta:
        proxy = True

    def short(self) -> str:
        """Return its beginning."""
        return self.title[:3]


class BigCard(Card):
    """A card with a table of its own for what is more."""

    size = models.IntegerField(default=10)


class Ticket(models.Model):
    """A row whose key is not a number; cards that it names cannot be deleted."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4)
    text = models.CharField(max_length=20)
    card = models.ForeignKey(Card, models.PROTECT, null=True, blank=True)

    def __str__(self) -> str:
        return self.text


class Paper(models.Model):
    """A row that has other values than it was saved with, and some that forms would not take from a page."""

    title = models.CharField(max_length=20)
    loud = models.GeneratedField(
        expression=Upper("title"), output_field=models.CharField(max_length=20), db_persist=True
    )
    place = models.IntegerField(default=0)
    weight = models.FloatField(default=0)
    due = models.DateTimeField(null=True, blank=True)
    notes = models.JSONField(default=dict, blank=True)
    scan = models.FileField(blank=True)
    source = models.FilePathField(path="/", blank=True)
    labels = models.ManyToManyField(Label, limit_choices_to={"name__startswith": "paper"})
    below = models.ForeignKey("self", models.CASCADE, null=True, blank=True)

    def __str__(self) -> str:
        return self.title


class Seat(models.Model):
    """A row with a key of two fields."""

    pk = models.CompositePrimaryKey("row", "number")
    row = models.CharField(max_length=2)
    number = models.IntegerField()
    note = models.CharField(max_length=20, blank=True)

    def __str__(self) -> str:
        return f"{self.row}{self.number}: {self.note}"
