"""Who may do what in the project."""

from typing import Any

from rest_framework.permissions import BasePermission

from tests.consumers_typed.site.crews.models import Crew


class IsCrewMember(BasePermission):
    """Admits the members of the crew that the socket is about."""

    def has_object_permission(self, request: Any, view: Any, obj: Crew) -> bool:
        """Return whether the user is one."""
        return bool(request.user.is_authenticated and obj.members.filter(user=request.user).exists())
