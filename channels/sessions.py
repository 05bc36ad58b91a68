"""Sessions around a consumer: what decorators and class-based consumers open, and who closes it.

Everything that is open on one message belongs to its ``MessageScope``. Whoever comes first opens it; opening
again does nothing; when the outermost consumer ends, each session is saved once, and then its place in the
order is given to the next message. Where sessions are stored is the business of ``channels.session_stores``,
how order is kept that of ``channels.ordering``, and users that of ``channels.auth``.
"""

import functools
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar, overload

from django.conf import settings

from channels import conf, ordering
from channels.exceptions import ConsumeLater, UnusableMessage
from channels.message import Message
from channels.routing import require_synchronous
from channels.session_keys import read_http_session
from channels.session_stores import PinnedStore, http_store, save_if_modified, session_for_reply_channel
from channels.types import Consumer

__all__ = [
    "channel_and_http_session",
    "channel_session",
    "enforce_ordering",
    "http_session",
    "session_for_reply_channel",
]

C = TypeVar("C", bound=Consumer)

Closer = Callable[[BaseException | None], None]
"""Called when the consumer has ended, with what it raised or None."""


class MessageScope:
    """What is open around one message.

    Attributes:
        opened: The kinds that are open.
        skipped: Whether it is not this message's turn: nothing more is called, nothing is saved.
    """

    def __init__(self) -> None:
        self.opened: set[str] = set()
        self.skipped = False
        self._sessions: list[Closer] = []
        self._turn: Closer | None = None

    def is_new(self, kind: str) -> bool:
        """Return whether ``kind`` was not open yet, and count it as open from now on."""
        if kind in self.opened:
            return False
        self.opened.add(kind)
        return True

    def close_with(self, closer: Closer) -> None:
        """Call ``closer`` when the outermost consumer has ended."""
        self._sessions.append(closer)

    def close_last(self, closer: Closer) -> None:
        """Call ``closer`` when all else is closed: the next message must find the sessions saved."""
        self._turn = closer

    def close(self, error: BaseException | None) -> None:
        """Close what was opened, last first; one that fails does not keep the others open."""
        if not self._sessions and self._turn is None:
            return
        with ExitStack() as stack:
            if self._turn is not None:
                stack.callback(self._turn, error)
            for closer in () if self.skipped else self._sessions:
                stack.callback(closer, error)


@contextmanager
def message_scope(message: Message) -> Iterator[MessageScope]:
    """Give the scope of ``message``; the outermost block makes and closes it."""
    outer = vars(message).get("_scope")
    if outer is not None:
        yield outer
        return
    scope = MessageScope()
    vars(message)["_scope"] = scope
    try:
        yield scope
    except BaseException as error:
        vars(message)["_scope"] = None
        scope.close(error)
        raise
    vars(message)["_scope"] = None
    scope.close(None)


Opener = Callable[[Message, MessageScope], None]
"""Opens one kind on a message, or does nothing if it is open."""


def hold_open(message: Message, scope: MessageScope) -> None:
    """Open nothing: what others open on the message inside stays open until the caller ends."""


def call_within(openers: Sequence[Opener], message: Message, func: Consumer, *args: Any, **kwargs: Any) -> Any:
    """Return ``func(*args, **kwargs)``, called with ``openers`` open on ``message``; None if it is not its turn."""
    with message_scope(message) as scope:
        for opener in openers:
            opener(message, scope)
            if scope.skipped:
                return None
        return func(*args, **kwargs)


def wrap_consumer(func: C, name: str, *openers: Opener) -> C:
    """Return ``func``, a function or method with a message in its first two positions, with ``openers`` open.

    Raises:
        ImproperlyConfigured: It is an async function.
    """
    require_synchronous(func)

    @functools.wraps(func)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return call_within(openers, _find_message(args, name), func, *args, **kwargs)

    return inner  # type: ignore[return-value]


def _find_message(args: Sequence[Any], name: str) -> Message:
    for arg in args[:2]:
        if isinstance(arg, Message):
            return arg
    raise ValueError(f"{name} called without Message instance")


# What can be opened


def open_ordering(message: Message, scope: MessageScope) -> None:
    """Let the message go on if it is its turn; else the scope is skipped.

    Raises:
        ValueError: It has no order or no reply channel.
    """
    if not scope.is_new("ordering"):
        return
    turn = ordering.take_turn(message)
    if turn is None:
        scope.skipped = message.is_put_off = True
        return
    scope.close_last(functools.partial(turn.end, message))
    session = vars(message).get("channel_session")
    if isinstance(session, PinnedStore):
        # A decorator outside may have read it while the message before this one was still writing.
        session.forget_unchanged()


def open_channel_session(message: Message, scope: MessageScope) -> None:
    """Set ``message.channel_session``, the session of its connection.

    Raises:
        ValueError: It has no reply channel, or the engine keeps sessions in signed cookies.
    """
    if not scope.is_new("channel_session"):
        return
    if message.reply_channel is None:
        raise UnusableMessage(
            "No reply_channel sent to consumer; @channel_session can only be used on messages containing it."
        )
    if vars(message).get("channel_session") is None:
        message.channel_session = session_for_reply_channel(message.reply_channel.name)
    scope.close_with(functools.partial(_close_channel_session, message))


def _close_channel_session(message: Message, error: BaseException | None) -> None:
    is_last = message.channel is not None and message.channel.name == ordering.LAST_CHANNEL
    if is_last and not isinstance(error, ConsumeLater) and not conf.get("CHANNELS_KEEP_CHANNEL_SESSIONS"):
        message.channel_session.delete_stored()
    else:
        save_if_modified(message.channel_session)


def open_http_session(message: Message, scope: MessageScope) -> None:
    """Set ``message.http_session``, the visitor's session, or None if the message leads to none.

    Raises:
        ValueError: The message has no path, or the engine keeps sessions in signed cookies.
    """
    if not scope.is_new("http_session"):
        return
    if "http_session" not in vars(message):
        message.http_session = read_http_session(message)
    scope.close_with(functools.partial(_close_http_session, message))


def _close_http_session(message: Message, error: BaseException | None) -> None:
    if error is None and message.http_session is not None:
        save_if_modified(message.http_session)


def open_channel_and_http_session(message: Message, scope: MessageScope) -> None:
    """Set both sessions; the key of the visitor's is kept in the connection's for later messages."""
    open_channel_session(message, scope)
    open_http_session(message, scope)
    if not scope.is_new("channel_and_http_session"):
        return
    key_name = settings.SESSION_COOKIE_NAME
    if message.http_session is None:
        key = message.channel_session.get(key_name)
        message.http_session = http_store(key) if key else None
    elif key_name not in message.channel_session:
        message.channel_session[key_name] = message.http_session.session_key


# Decorators


def channel_session(func: C) -> C:
    """Give the consumer ``message.channel_session``: a session that belongs to the connection.

    It is read when it is first used, saved when the consumer ends (also if it raised) and removed after the
    consumer of ``websocket.disconnect``.
    """
    return wrap_consumer(func, "channel_session", open_channel_session)


def http_session(func: C) -> C:
    """Give the consumer ``message.http_session``: the visitor's session, or None.

    It is found by the URL parameter ``session_key`` or the session cookie, so only where the message has
    them, on ``http.request`` and ``websocket.connect``. It is never created here, and not saved if the consumer raised.
    """
    return wrap_consumer(func, "http_session", open_http_session)


def channel_and_http_session(func: C) -> C:
    """Give the consumer both sessions, the visitor's also on the messages after ``websocket.connect``."""
    return wrap_consumer(func, "channel_and_http_session", open_channel_and_http_session)


@overload
def enforce_ordering(func: C, slight: bool = ...) -> C: ...


@overload
def enforce_ordering(func: None = ..., slight: bool = ...) -> Callable[[C], C]: ...


def enforce_ordering(func: Any = None, slight: bool = False) -> Any:
    """Run the consumers of one connection in the order in which its messages were made, one at a time.

    Args:
        func: The consumer.
        slight: Of no meaning any more: a socket is open only when its connect consumer has run.
    """
    if slight:
        warnings.warn(
            "Slight ordering is what every WebSocket has: remove slight=True and the decorator.",
            DeprecationWarning,
            stacklevel=2,
        )
        return (lambda consumer: consumer) if func is None else func
    if func is None:
        return enforce_ordering
    return ordering.mark_as_ordered(wrap_consumer(func, "enforce_ordering", open_ordering, open_channel_session))
