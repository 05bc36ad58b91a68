"""Lamps."""

from django.db import models


class Lamp(models.Model):
    """A lamp that can be switched on."""

    name = models.CharField(max_length=20, unique=True)
    is_on = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.name
