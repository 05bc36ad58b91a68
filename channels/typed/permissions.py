"""Permissions without Django REST framework, called as its own are, so that both mix with ``&``, ``|`` and ``~``."""

from typing import Any

from channels.routing import require_synchronous


class _Combined:
    """What an operator makes of permission classes; called like one, it gives a permission."""

    def __init__(self, operator: str, *parts: Any) -> None:
        self._operator = operator
        self._parts = parts

    def __call__(self) -> "_CombinedPermission":
        return _CombinedPermission(self._operator, [part() for part in self._parts])

    def __and__(self, other: Any) -> "_Combined":
        return _Combined("and", self, other)

    def __or__(self, other: Any) -> "_Combined":
        return _Combined("or", self, other)

    def __rand__(self, other: Any) -> "_Combined":
        return _Combined("and", other, self)

    def __ror__(self, other: Any) -> "_Combined":
        return _Combined("or", other, self)

    def __invert__(self) -> "_Combined":
        return _Combined("not", self)


class _PermissionMeta(type):
    def __and__(cls, other: Any) -> _Combined:
        return _Combined("and", cls, other)

    def __or__(cls, other: Any) -> _Combined:  # type: ignore[override]
        return _Combined("or", cls, other)

    def __rand__(cls, other: Any) -> _Combined:
        return _Combined("and", other, cls)

    def __ror__(cls, other: Any) -> _Combined:  # type: ignore[override]
        return _Combined("or", other, cls)

    def __invert__(cls) -> _Combined:
        return _Combined("not", cls)


class BasePermission(metaclass=_PermissionMeta):
    """Base of permissions; override what is to be asked. Classes combine with ``&``, ``|`` and ``~``."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for method in (cls.has_permission, cls.has_object_permission):
            require_synchronous(method)  # Everybody would be admitted.

    def has_permission(self, request: Any, view: Any) -> bool:
        """Return whether the user of ``request`` may open the socket; ``view.kwargs`` is what routing captured."""
        return True

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        """Return whether the user of ``request`` may open the socket on ``obj``."""
        return True


class _CombinedPermission(BasePermission):
    def __init__(self, operator: str, parts: list[Any]) -> None:
        self._operator = operator
        self._parts = parts

    def has_permission(self, request: Any, view: Any) -> bool:
        answers = (bool(part.has_permission(request, view)) for part in self._parts)
        return self._combine(answers)

    def has_object_permission(self, request: Any, view: Any, obj: Any) -> bool:
        # Both are asked: what a part says of objects, which may be nothing, must not undo what it says of the socket.
        return self._combine(
            bool(part.has_permission(request, view) and part.has_object_permission(request, view, obj))
            for part in self._parts
        )

    def _combine(self, answers: Any) -> bool:
        if self._operator == "not":
            return not next(iter(answers))
        return all(answers) if self._operator == "and" else any(answers)


class AllowAny(BasePermission):
    """Admits everybody."""


class IsAuthenticated(BasePermission):
    """Admits users who are logged in."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user and request.user.is_authenticated)


class IsStaff(BasePermission):
    """Admits users who may enter the admin site."""

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user and request.user.is_staff)


class HasPermission(BasePermission):
    """Admits users with a permission of Django. Subclass it with ``permission = "app.change_model"``."""

    permission: str = ""

    def has_permission(self, request: Any, view: Any) -> bool:
        return bool(request.user and request.user.has_perm(self.permission))
