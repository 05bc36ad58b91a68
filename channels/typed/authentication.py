"""Who opens a socket, and whether they may: authenticators, called once, in the handshake.

``DjangoAuthenticator`` needs Django alone; ``channels.typed.rest`` brings Django REST framework.
Which of the two serves by default is in ``default_authenticator``.
"""

import logging
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import DataError
from django.db.models import Manager, QuerySet
from django.http import Http404

from channels.typed.permissions import BasePermission
from channels.utils import printable

logger = logging.getLogger("django.channels.typed")

_SAFE_METHODS = ("GET", "HEAD", "OPTIONS")

NOT_AUTHENTICATED = "Authentication credentials were not provided."
NOT_PERMITTED = "You do not have permission to perform this action."


@dataclass(frozen=True, slots=True)
class AuthenticationResult:
    """What came of an authentication.

    Attributes:
        is_authenticated: Whether the client may stay; also true for anonymous ones where that is permitted.
        status_code: In the words of HTTP.
        status_text: The reason phrase.
        data: What the client is told.
        user: The user, perhaps an anonymous one; None if it was not found out.
        obj: The object that the socket is about, or None.
    """

    is_authenticated: bool
    status_code: int
    status_text: str
    data: Any = field(default_factory=dict)
    user: Any = None
    obj: Any = None


def make_result(status: int, data: Any, user: Any = None, obj: Any = None) -> AuthenticationResult:
    """Return the result that an HTTP status stands for; only 200 admits."""
    try:
        phrase = HTTPStatus(status).phrase
    except ValueError:
        phrase = ""
    return AuthenticationResult(status == HTTPStatus.OK, status, phrase, data, user, obj)


SecurityScheme = Mapping[str, Any]
"""How a client says who it is, as AsyncAPI writes it."""


class BaseAuthenticator:
    """Base of authenticators. One is made for each handshake.

    Args:
        consumer: The consumer, whose attributes say what is asked for.
    """

    def __init__(self, consumer: Any) -> None:
        self.consumer = consumer

    @classmethod
    def validate_configuration(cls, consumer: type) -> None:
        """Warn about attributes of a consumer class that cannot be meant so."""

    @classmethod
    def security_schemes(cls, consumer: Any) -> dict[str, SecurityScheme]:
        """Return how clients of a consumer class say who they are, for generated documents.

        Returns:
            Security schemes of AsyncAPI by name, one of which a client needs; empty where none is needed, or it is
            not known which. Override it for an authenticator of your own.
        """
        return {}

    def check(self, request: Any, kwargs: dict[str, Any]) -> AuthenticationResult:
        """Return what comes of ``request``, the handshake; override this. Other errors than a refusal may be raised.

        Args:
            request: A Django request with ``user`` from the visitor's session.
            kwargs: What routing captured.
        """
        raise NotImplementedError

    def authenticate(self, request: Any, kwargs: dict[str, Any]) -> AuthenticationResult:
        """Return what comes of ``request``; an error is logged and becomes a status of 500."""
        try:
            return self.check(request, kwargs)
        except Exception:
            logger.exception("The authentication of a socket on %s failed.", printable(request.path))
            return make_result(500, {"detail": "Internal server error"})


class DjangoAuthenticator(BaseAuthenticator):
    """Admits users of Django's sessions, by permission classes with the methods of ``BasePermission``."""

    @classmethod
    def validate_configuration(cls, consumer: Any) -> None:
        warn_about_objects(consumer, consumer.permission_classes or ())

    @classmethod
    def security_schemes(cls, consumer: Any) -> dict[str, SecurityScheme]:
        return {"session": session_scheme()} if asks_who(consumer, consumer.permission_classes or ()) else {}

    def check(self, request: Any, kwargs: dict[str, Any]) -> AuthenticationResult:
        consumer = self.consumer
        view = SimpleNamespace(request=request, kwargs=kwargs, consumer=consumer)
        permissions = [permission() for permission in consumer.permission_classes or ()]
        try:
            if not all(permission.has_permission(request, view) for permission in permissions):
                return self._refuse(request)
            obj = find_object(consumer, kwargs)
            if obj is not None and not all(each.has_object_permission(request, view, obj) for each in permissions):
                return self._refuse(request)
        except (Http404, ObjectDoesNotExist):
            return make_result(404, {"detail": "Not found."}, request.user)
        except PermissionDenied as error:
            return make_result(403, {"detail": str(error) or NOT_PERMITTED}, request.user)
        return make_result(200, {"detail": "OK"}, request.user, obj)

    def _refuse(self, request: Any) -> AuthenticationResult:
        if request.user.is_authenticated:
            return make_result(403, {"detail": NOT_PERMITTED}, request.user)
        return make_result(403, {"detail": NOT_AUTHENTICATED}, request.user)


def session_scheme() -> SecurityScheme:
    """Return the scheme of clients that are logged in on the site."""
    description = "The cookie of a session that is logged in on the site."
    return {"type": "httpApiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME, "description": description}


def asks_who(consumer: Any, permissions: Sequence[Any]) -> bool:
    """Return whether ``consumer``, with ``permissions``, does not admit just anybody."""
    return consumer.login_required or not all(_admits_all(each, consumer.auth_method) for each in permissions)


def _admits_all(permission: Any, method: str) -> bool:
    # By names, which both libraries share; of what is combined with & and | nobody can tell.
    asked = getattr(getattr(permission, "has_permission", None), "__qualname__", "")
    admits = {"BasePermission.has_permission", "AllowAny.has_permission"}
    if method.upper() in _SAFE_METHODS:
        admits.add("IsAuthenticatedOrReadOnly.has_permission")
    return asked in admits and not _asks_for_objects(permission)


def has_queryset(consumer: Any) -> bool:
    """Return whether ``consumer`` is about objects."""
    return isinstance(consumer.queryset, QuerySet | Manager)


def find_object(consumer: Any, kwargs: dict[str, Any]) -> Any:
    """Return the object that the URL names, or None if ``consumer`` is not about objects.

    Raises:
        Http404: There is no such object.
        AssertionError: The route captures nothing of the name that the lookup needs.
    """
    if not has_queryset(consumer):
        return None
    name = consumer.lookup_url_kwarg or consumer.lookup_field
    if name not in kwargs:
        raise AssertionError(
            f"{type(consumer).__name__} finds its object by {name!r}, which its route does not capture: add "
            f"(?P<{name}>...) to the path, or set lookup_field or lookup_url_kwarg."
        )
    queryset = consumer.get_queryset()
    try:
        return queryset.get(**{consumer.lookup_field: kwargs[name]})
    except (queryset.model.DoesNotExist, TypeError, ValueError, ValidationError, DataError) as error:
        raise Http404(f"No {queryset.model.__name__} matches the given query.") from error


def warn_about_objects(consumer: Any, permissions: Sequence[Any]) -> None:
    """Warn if ``permissions`` look at objects and ``consumer`` has none."""
    asks = [each for each in permissions if _asks_for_objects(each)]
    if asks and not has_queryset(consumer):
        warnings.warn(
            f"The authenticator has permissions that may require object access, but no queryset is defined. "
            f"Set queryset on {consumer.__qualname__}, or remove {', '.join(str(each) for each in asks)}.",
            RuntimeWarning,
            stacklevel=4,
        )


def _asks_for_objects(permission: Any) -> bool:
    method = getattr(permission, "has_object_permission", None)
    base = BasePermission.has_object_permission.__qualname__
    return isinstance(permission, type) and method is not None and method.__qualname__ != base
