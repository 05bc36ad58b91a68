"""The chat as a Django app."""

from django.apps import AppConfig


class ChatConfig(AppConfig):
    """Name the app and connect its signals."""

    name = "chat"

    def ready(self) -> None:
        """Close the sockets of users who log out."""
        from . import signals  # noqa: F401
