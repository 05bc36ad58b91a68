"""The team chat as a Django app."""

from django.apps import AppConfig


class TeamchatConfig(AppConfig):
    """Name the app."""

    name = "teamchat"
