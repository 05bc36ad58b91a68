"""The board as a Django app."""

from django.apps import AppConfig


class BoardConfig(AppConfig):
    """Name the app; its ``bindings.py`` is found without being named."""

    name = "board"
