"""The Django app of delayed messages."""

from django.apps import AppConfig


class DelayConfig(AppConfig):
    """Configuration of the app ``channels.delay``."""

    name = "channels.delay"
    # That of 1.x was its name, which Django takes no more: a label must be an identifier.
    label = "channels_delay"
    verbose_name = "Delayed messages"
    default_auto_field = "django.db.models.BigAutoField"
