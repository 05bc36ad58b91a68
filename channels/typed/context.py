"""What a typed consumer knows of its connection on every message: kept in the channel session by the handshake.

Workers share nothing else, so every message finds here who connected, from which URL and to which object.
"""

import uuid
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from channels.auth import anonymous, channel_login
from channels.exceptions import UnusableMessage
from channels.message import Message
from channels.request import AsgiRequest, make_scope
from channels.typed.keeping import key_of
from channels.types import Content

KEY = "channels.typed"
"""Where the context is in the channel session."""

_SECRET = frozenset({b"cookie", b"authorization", b"proxy-authorization"})
"""Headers of the handshake that are not kept: they open more than this socket."""

_KEPT = ("scheme", "path", "root_path", "client", "server")


def make_request(message: Message, kwargs: Mapping[str, Any], method: str) -> AsgiRequest:
    """Return the handshake ``message`` as a Django request with the visitor's user and session."""
    request = _request({**message.content, "body": b"", "body_channel": None}, kwargs, method)
    request.session = message.http_session
    request.user = message.user
    return request


def _request(handshake: Content, kwargs: Mapping[str, Any], method: str) -> AsgiRequest:
    if handshake.get("path") is None:
        raise UnusableMessage("It has no path: which consumer is it for?")
    scheme = "https" if handshake.get("scheme") in ("wss", "https") else "http"
    request = AsgiRequest({**handshake, "method": method.upper(), "scheme": scheme})
    request.kwargs = dict(kwargs)  # type: ignore[attr-defined]
    return request


def is_user(user: Any) -> bool:
    """Return whether ``user`` is somebody."""
    return user is not None and bool(user.is_authenticated)


class ConnectionContext:
    """The context of one connection.

    Args:
        stored: What ``create`` returned, as the session gave it back.
    """

    def __init__(self, stored: Mapping[str, Any]) -> None:
        self._stored = stored

    @classmethod
    def load(cls, session: Any) -> "ConnectionContext | None":
        """Return the context in a channel session; None if its handshake was not admitted."""
        stored = session.get(KEY)
        return None if stored is None else cls(stored)

    @classmethod
    def create(cls, message: Message, user: Any, obj: Any) -> "ConnectionContext":
        """Make the context of the connection of ``message``, log ``user`` in on it, and keep both in its session.

        Raises:
            TypeError: The user is no model instance, so that later messages could not find it again.
        """
        scope = make_scope({**message.content, "method": "GET"})
        headers = [
            [name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"] if name not in _SECRET
        ]
        request_id = dict(headers).get("x-request-id") or str(uuid.uuid4())
        stored: dict[str, Any] = {
            "user": None,
            "object": None if obj is None else key_of(obj),
            "request_id": request_id[:100],
            "headers": headers,
            "query_string": _latin(message.get("query_string") or b""),
            **{key: message.get(key) for key in _KEPT},
        }
        if is_user(user):
            stored["user"] = str(user.pk)
            _log_in(message, user)
        else:
            message.user = anonymous()
        message.channel_session[KEY] = stored
        return cls(stored)

    @property
    def identity(self) -> str | None:
        """Who the client is to the other connections of the same user; None for anonymous clients."""
        user: str | None = self._stored["user"]
        return user

    @property
    def object_pk(self) -> str | list[str] | None:
        """The primary key of the object, as text; its parts, if it has several."""
        pk: str | list[str] | None = self._stored["object"]
        return pk

    @property
    def path(self) -> str:
        """The path of the socket."""
        path: str = self._stored["path"]
        return path

    @property
    def request_id(self) -> str:
        """What log lines of this connection share."""
        request_id: str = self._stored["request_id"]
        return request_id

    @property
    def ip(self) -> str | None:
        """The client's address, if the server knows it."""
        client = self._stored.get("client")
        return client[0] if client else None

    @property
    def handshake(self) -> Content:
        """The handshake as a message, without its credentials."""
        return {
            **{key: self._stored.get(key) for key in _KEPT},
            "query_string": self._stored["query_string"].encode("latin-1"),
            "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in self._stored["headers"]],
        }

    def make_request(self, kwargs: Mapping[str, Any], method: str, user: Any) -> AsgiRequest:
        """Return the handshake as a Django request again, without cookies and credentials."""
        request = _request(self.handshake, kwargs, method)
        request.user = user
        return request

    def make_scope(self, kwargs: Mapping[str, Any]) -> Content:
        """Return the handshake as an ASGI-3 scope of type ``websocket``."""
        scope = make_scope({**self.handshake, "method": "GET"})
        del scope["method"]
        scheme = self._stored.get("scheme") or "ws"
        return {**scope, "type": "websocket", "scheme": scheme, "url_route": {"args": (), "kwargs": dict(kwargs)}}


def _latin(value: bytes | str) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _log_in(message: Message, user: Any) -> None:
    if getattr(user, "_meta", None) is None:
        raise TypeError(
            f"The user {user!r} is no model instance, so later messages cannot find it in the database: let the "
            f"authentication return the user's model, or an authenticator of your own a user of it."
        )
    backend = getattr(user, "backend", None) or settings.AUTHENTICATION_BACKENDS[0]
    channel_login(message, user, backend)
