"""The handshake as a view of Django REST framework: its authentication, permission and throttle classes decide."""

from collections.abc import Sequence
from typing import Any

from rest_framework.authentication import BasicAuthentication, SessionAuthentication, TokenAuthentication
from rest_framework.generics import GenericAPIView
from rest_framework.permissions import BasePermission
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response

from channels.typed.authentication import (
    AuthenticationResult,
    BaseAuthenticator,
    SecurityScheme,
    asks_who,
    find_object,
    has_queryset,
    make_result,
    session_scheme,
    warn_about_objects,
)


class HandshakeView(GenericAPIView):  # type: ignore[misc] # Untyped.
    """Answers 200 to whom the consumer's classes admit.

    Attributes:
        consumer: Whose handshake this is.
        found: The object that the URL names, or None.
    """

    consumer: Any = None
    found: Any = None

    def handle(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Find the object, if the consumer has any, and ask for permission."""
        self.found = find_object(self.consumer, kwargs)
        if self.found is not None:
            self.check_object_permissions(request, self.found)
        return Response({"detail": "OK"})

    get = post = put = patch = delete = options = handle

    def perform_content_negotiation(self, request: Any, force: bool = False) -> Any:
        """Choose nothing: the answer becomes a message, whatever the handshake accepts."""
        return JSONRenderer(), "application/json"


class RestAuthenticator(BaseAuthenticator):
    """Admits whom the classes of Django REST framework admit.

    ``authentication_classes``, ``permission_classes`` and ``throttle_classes`` of the consumer count; None is the
    default of REST framework's settings.
    """

    @classmethod
    def validate_configuration(cls, consumer: Any) -> None:
        asked = _chosen(consumer, "permission_classes")
        warn_about_objects(consumer, [each for each in asked if not _is_default(each)])

    @classmethod
    def security_schemes(cls, consumer: Any) -> dict[str, SecurityScheme]:
        if not asks_who(consumer, _chosen(consumer, "permission_classes")):
            return {}
        ways = {each.__name__: _scheme_of(each) for each in _chosen(consumer, "authentication_classes")}
        return {name: scheme for name, scheme in ways.items() if scheme is not None}

    def check(self, request: Any, kwargs: dict[str, Any]) -> AuthenticationResult:
        consumer = self.consumer
        view = HandshakeView(consumer=consumer)
        for name in ("authentication_classes", "permission_classes", "throttle_classes"):
            setattr(view, name, _chosen(consumer, name))
        if has_queryset(consumer):
            view.queryset = consumer.get_queryset()
        view.lookup_field = consumer.lookup_field
        view.lookup_url_kwarg = consumer.lookup_url_kwarg
        view.setup(request, **kwargs)
        response = view.dispatch(request, **kwargs)
        # Asked for only where it was found out: it would authenticate once more after a failure.
        user = view.request.user if response.status_code != 401 else None
        return make_result(response.status_code, response.data, user, view.found)


def _chosen(consumer: Any, name: str) -> Sequence[Any]:
    """Return the attribute ``name`` of ``consumer``, or if it is None the default of REST framework's settings."""
    chosen: Sequence[Any] | None = getattr(consumer, name)
    return getattr(GenericAPIView, name) if chosen is None else chosen


def _scheme_of(authentication: Any) -> SecurityScheme | None:
    """Return how clients use an authentication class; None if it does not say."""
    if hasattr(authentication, "asyncapi_scheme"):
        scheme: SecurityScheme = authentication.asyncapi_scheme
        return scheme
    if issubclass(authentication, SessionAuthentication):
        return session_scheme()
    if issubclass(authentication, BasicAuthentication):
        return {"type": "http", "scheme": "basic", "description": "Name and password of a user."}
    if issubclass(authentication, TokenAuthentication):
        description = f"The word {authentication.keyword}, a space and the token of a user."
        return {"type": "httpApiKey", "in": "header", "name": "Authorization", "description": description}
    return None


def _is_default(permission: Any) -> bool:
    method = getattr(permission, "has_object_permission", None)
    return method is BasePermission.has_object_permission
