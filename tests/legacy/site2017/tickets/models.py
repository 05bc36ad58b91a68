from django.conf import settings
from django.db import models


class Line(models.Model):
    ticket = models.PositiveIntegerField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    text = models.TextField()
