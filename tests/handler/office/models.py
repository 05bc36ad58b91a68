"""What the office keeps."""

from django.db import models


class Document(models.Model):
    """A file with a title."""

    title = models.CharField(max_length=100)
    file = models.FileField()

    def __str__(self) -> str:
        return self.title
