"""Users of connections: found in the HTTP session, kept in the channel session.

``message.user`` is looked up when it is first used. Why a user came out anonymous is logged at DEBUG.
"""

import functools
import logging
from types import SimpleNamespace
from typing import Any, TypeVar

from django.conf import settings
from django.contrib import auth
from django.utils.functional import SimpleLazyObject

from channels.message import Message
from channels.sessions import (
    MessageScope,
    open_channel_and_http_session,
    open_channel_session,
    open_http_session,
    wrap_consumer,
)
from channels.types import Consumer

logger = logging.getLogger("django.channels")

C = TypeVar("C", bound=Consumer)

_AUTH_KEYS = (auth.SESSION_KEY, auth.BACKEND_SESSION_KEY, auth.HASH_SESSION_KEY)


def transfer_user(from_session: Any, to_session: Any) -> None:
    """Copy who is logged in from one session to another; does nothing if nobody is."""
    if all(key in from_session for key in _AUTH_KEYS):
        for key in _AUTH_KEYS:
            if to_session.get(key) != from_session[key]:
                to_session[key] = from_session[key]


def channel_login(message: Message, user: Any, backend: str | None = None) -> None:
    """Log ``user`` in on the connection of ``message``, from now to its end. The HTTP session is not touched.

    Args:
        message: A message inside ``channel_session`` or a decorator or attribute that implies it.
        user: The user, whose password or token the caller has checked.
        backend: Dotted path of the authentication backend; needed if several are set and ``user`` came from none.

    Raises:
        ValueError: There is no channel session, or no telling which backend to use.
    """
    session = _require_channel_session(message, "channel_login")
    path = backend or getattr(user, "backend", None)
    if path is None:
        if len(settings.AUTHENTICATION_BACKENDS) != 1:
            raise ValueError(
                "You have several authentication backends: pass channel_login(..., backend=) the dotted path of one, "
                "or a user that authenticate() returned."
            )
        path = settings.AUTHENTICATION_BACKENDS[0]
    session[auth.SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[auth.BACKEND_SESSION_KEY] = path
    session[auth.HASH_SESSION_KEY] = user.get_session_auth_hash()
    message.user = user


def channel_logout(message: Message) -> None:
    """Forget the user of the connection of ``message``. The rest of its session and the HTTP session stay.

    Raises:
        ValueError: There is no channel session.
    """
    _forget_user(_require_channel_session(message, "channel_logout"))
    message.user = anonymous()


def _require_channel_session(message: Message, name: str) -> Any:
    session = vars(message).get("channel_session")
    if session is None:
        raise ValueError(
            f"{name} needs message.channel_session: decorate the consumer with channel_session, "
            "or set channel_session = True on its class."
        )
    return session


def _forget_user(session: Any) -> None:
    for key in _AUTH_KEYS:
        session.pop(key, None)


def anonymous() -> Any:
    """Return the user who is nobody."""
    # Imported here: consumers may be imported before the apps are ready.
    from django.contrib.auth.models import AnonymousUser

    return AnonymousUser()


# Looking up


def _load_user(session: Any, where: str) -> Any:
    """Return the user logged in to ``session``, or an AnonymousUser and a line that says why."""
    user: Any = anonymous()
    if session is None:
        reason = "the message leads to no HTTP session"
    elif auth.SESSION_KEY not in session:
        reason = "nobody is logged in to its session"
    elif session.get(auth.BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        reason = f"the backend {session.get(auth.BACKEND_SESSION_KEY)!r} is not in AUTHENTICATION_BACKENDS"
    else:
        user = auth.get_user(SimpleNamespace(session=session))  # type: ignore[arg-type]
        # A wrong hash makes Django flush the session; a user that is gone does not.
        reason = (
            "the user does not exist any more or is not active"
            if auth.SESSION_KEY in session
            else "the password or SECRET_KEY has changed since the login"
        )
    if not user.is_authenticated:
        logger.debug("The user of a message on %s is anonymous: %s.", where, reason)
    return user


def _set_user(message: Message, session: Any) -> None:
    message.user = SimpleLazyObject(functools.partial(_load_user, session, str(message.channel)))


# What can be opened


def open_channel_session_user(message: Message, scope: MessageScope) -> None:
    """Set ``message.user`` to the user of the connection's session."""
    open_channel_session(message, scope)
    if scope.is_new("channel_session_user"):
        _set_user(message, message.channel_session)


def open_http_session_user(message: Message, scope: MessageScope) -> None:
    """Set ``message.user`` to the user of the visitor's session."""
    open_http_session(message, scope)
    if scope.is_new("http_session_user"):
        _set_user(message, message.http_session)


def open_channel_session_user_from_http(message: Message, scope: MessageScope) -> None:
    """Carry the visitor's user over to the connection's session, and set ``message.user``."""
    open_http_session(message, scope)
    open_channel_session(message, scope)
    if message.http_session is not None and scope.is_new("transfer"):
        transfer_user(message.http_session, message.channel_session)
    open_channel_session_user(message, scope)


def open_channel_and_http_session_user_from_http(message: Message, scope: MessageScope) -> None:
    """Do the same on every message, with the visitor's session at hand; when that has ended, so has the login."""
    open_channel_and_http_session(message, scope)
    if message.http_session is None and settings.SESSION_COOKIE_NAME in message.channel_session:
        del message.channel_session[settings.SESSION_COOKIE_NAME]
        _forget_user(message.channel_session)
    open_channel_session_user_from_http(message, scope)


# Decorators


def channel_session_user(func: C) -> C:
    """Give the consumer ``message.user`` from the channel session, and ``message.channel_session``."""
    return wrap_consumer(func, "channel_session_user", open_channel_session_user)


def http_session_user(func: C) -> C:
    """Give the consumer ``message.user`` from the visitor's session, and ``message.http_session``.

    Without a session the user is an AnonymousUser.
    """
    return wrap_consumer(func, "http_session_user", open_http_session_user)


def channel_session_user_from_http(func: C) -> C:
    """Give a connect consumer the visitor as ``message.user``, and carry the user to the channel session.

    The user stays as it was at the connect: a later logout of the visitor does not reach the socket, while a changed
    password or a deleted user does.
    """
    return wrap_consumer(func, "channel_session_user_from_http", open_channel_session_user_from_http)


def channel_and_http_session_user_from_http(func: C) -> C:
    """Give the consumer the user and both sessions, on every message of the connection.

    When the visitor's session ends, as it does with a logout, the user becomes anonymous.
    """
    return wrap_consumer(func, "channel_and_http_session_user_from_http", open_channel_and_http_session_user_from_http)
