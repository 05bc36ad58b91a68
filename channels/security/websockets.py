"""Who may open a WebSocket: decorators that look at the page a browser opens it from.

Browsers let any page open a socket to any site and send the site's cookies with it; only the ``Origin`` header
tells (RFC 6455, section 10.2).
"""

import functools
import logging
import types
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.http.request import validate_host

from channels import counters
from channels.exceptions import DenyConnection
from channels.message import Message
from channels.routing import require_synchronous
from channels.types import Consumer
from channels.utils import printable

logger = logging.getLogger("django.channels")

_CHECKED_BEFORE = ("websocket.receive", "websocket.disconnect", "typed.event")
"""Later messages of a socket, and events for its consumer, carry no headers; its handshake was checked."""


class BaseOriginValidator:
    """Decorator of a function or method that refuses sockets by their origin. Override ``validate_origin``.

    Args:
        func: A consumer of ``websocket.connect``, or of all messages of a WebSocket, as the handler of a class is.

    Raises:
        ImproperlyConfigured: It is an async function.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        require_synchronous(cls.validate_origin)  # Every origin would pass.

    def __init__(self, func: Consumer) -> None:
        require_synchronous(func)
        functools.update_wrapper(self, func)
        self.func = func

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        message = next((arg for arg in args[:2] if isinstance(arg, Message)), None)
        if message is None:
            raise ValueError(f"{type(self).__name__} called without Message instance")
        if message.channel is None or message.channel.name not in _CHECKED_BEFORE:
            self._check(message)
        return self.func(*args, **kwargs)

    def _check(self, message: Message) -> None:
        origin = self.get_origin(message)
        if origin is None or not self.validate_origin(message, origin):
            counters.add("connection.denied.origin")
            logger.info("Refusing a socket on %s: origin %r is not allowed.", printable(message.get("path")), origin)
            raise DenyConnection(reason="This origin is not allowed.")

    def get_header(self, message: Message, name: str | bytes) -> bytes | None:
        """Return the value of the header ``name``; None if it is missing or there are several."""
        wanted = name.encode() if isinstance(name, str) else name
        headers = message.get("headers") or ()
        pairs = headers.items() if isinstance(headers, Mapping) else headers
        values = [value for key, value in pairs if _bytes(key).lower() == wanted.lower()]
        return _bytes(values[0]) if len(values) == 1 else None

    def get_origin(self, message: Message) -> str | None:
        """Return the origin of the page; None if the header is missing, empty or not ASCII."""
        header = self.get_header(message, b"origin")
        if not header or not header.isascii():
            return None
        return header.decode("ascii")

    def validate_origin(self, message: Message, origin: str) -> bool:
        """Return whether a page of ``origin``, such as ``https://example.com``, may open the socket.

        Raises:
            NotImplementedError: The subclass does not decide.
        """
        raise NotImplementedError(f"{type(self).__name__} must define validate_origin(message, origin).")


class AllowedHostsOnlyOriginValidator(BaseOriginValidator):
    """Admits pages of the hosts in ``ALLOWED_HOSTS``, on any port; other origins and none are refused."""

    def validate_origin(self, message: Message, origin: str) -> bool:
        """Return whether the host of ``origin`` is one of this site."""
        try:
            host = urlsplit(origin).hostname
        except ValueError:
            return False
        allowed = settings.ALLOWED_HOSTS
        if settings.DEBUG and not allowed:
            # What Django itself admits then.
            allowed = [".localhost", "127.0.0.1", "[::1]"]
        return host is not None and validate_host(f"[{host}]" if ":" in host else host, allowed)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8")


allowed_hosts_only = AllowedHostsOnlyOriginValidator
"""The decorator under the name that reads well on a consumer."""
