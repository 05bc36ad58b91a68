"""The Django app of the page."""

from django.apps import AppConfig


class MonitorConfig(AppConfig):
    """Configuration of the app ``channels.monitor``."""

    name = "channels.monitor"
    label = "channels_monitor"
    verbose_name = "Channels"
