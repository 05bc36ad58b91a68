"""What was said."""

from django.db import models


class Line(models.Model):
    """One line of one room."""

    room = models.CharField(max_length=50)
    words = models.CharField(max_length=200)

    def __str__(self):
        return self.words
