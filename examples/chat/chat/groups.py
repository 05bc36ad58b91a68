"""The names of the groups that sockets join."""

from typing import Any


def chat_group(slug: str) -> str:
    """Return the group that hears what is said in a room."""
    return f"chat.{slug}"


def presence_group(slug: str) -> str:
    """Return the group that hears who comes and goes in a room."""
    return f"presence.{slug}"


def user_group(user: Any) -> str:
    """Return the group of all sockets of one user."""
    return f"user.{user.pk}"
