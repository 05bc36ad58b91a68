"""What the admin needs to list the page and to ask who may see it. There is no table."""

from django.db import models


class Layer(models.Model):
    """A channel layer, known by its alias in ``CHANNEL_LAYERS``. Never stored."""

    alias = models.CharField(max_length=100, primary_key=True)

    class Meta:
        app_label = "channels_monitor"
        managed = False
        default_permissions = ("view",)

    def __str__(self) -> str:
        return self.alias
