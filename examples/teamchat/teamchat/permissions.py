"""Who may do what; for sockets and pages alike."""

from typing import Any

from channels.typed import BasePermission

from .models import Room


def is_member(user: Any, room: Room) -> bool:
    """Return whether ``user`` may enter ``room``."""
    return room.is_open or room.members.filter(pk=user.pk).exists()


def may_change_topic(user: Any, room: Room) -> bool:
    """Return whether ``user`` says what ``room`` is about."""
    return room.is_open or room.owner_id == user.pk


class IsMember(BasePermission):
    """Admits the members of the room that the URL names."""

    def has_object_permission(self, request: Any, view: Any, obj: Room) -> bool:
        """Return whether the user is one."""
        return is_member(request.user, obj)
