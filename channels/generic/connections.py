"""WebsocketConsumer and JsonWebsocketConsumer: one socket, one stream. Several streams are in ``multiplexing``."""

import functools
import json
import logging
import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder

from channels import close_codes, counters, formats, names
from channels.auth import (
    open_channel_and_http_session_user_from_http,
    open_channel_session_user,
    open_channel_session_user_from_http,
)
from channels.channel import Group
from channels.exceptions import DenyConnection, SendNotAvailableOnDemultiplexer, UnusableMessage
from channels.generic.base import BaseConsumer
from channels.generic.nesting import require_shallow
from channels.message import Message
from channels.pending import pending_message_store
from channels.sessions import Opener, open_channel_session, open_ordering
from channels.types import Content
from channels.utils import printable

logger = logging.getLogger("django.channels")

_OF_SOCKETS = frozenset({"websocket.connect", "websocket.receive", "websocket.disconnect"})

UNAUTHORIZED = 4403
"""Close code for a socket whose user is not logged in any more."""


@functools.cache
def _choose_openers(
    ordered: bool, from_http: bool, http_session: bool, user: bool, session: bool
) -> tuple[Opener, ...]:
    chosen: list[Opener] = [open_ordering] if ordered else []
    if http_session:
        chosen.append(open_channel_and_http_session_user_from_http)
    elif from_http:
        chosen.append(open_channel_session_user_from_http)
    elif user:
        chosen.append(open_channel_session_user)
    elif session or ordered:
        chosen.append(open_channel_session)
    return tuple(chosen)


class WebsocketConsumer(BaseConsumer):
    """Consumer of the three messages of a WebSocket, with groups joined and left for it.

    Override ``connect``, ``receive`` and ``disconnect``. An own ``connect`` accepts or closes; one that does
    neither is accepted, as the setting CHANNELS_AUTO_ACCEPT says.
    """

    method_mapping: ClassVar[Mapping[str, str]] = {
        "websocket.connect": "raw_connect",
        "websocket.receive": "raw_receive",
        "websocket.disconnect": "raw_disconnect",
    }

    http_user = False
    """Give the methods ``message.user``, the visitor's at the time of the connect, and ``message.channel_session``."""

    http_user_and_session = False
    """The same, and ``message.http_session``, on all three messages; the user leaves with that session."""

    strict_ordering = False
    """Consume the messages of a socket one after the other, in the order in which they were made."""

    slight_ordering = False
    """Of no meaning any more."""

    login_required = False
    """Refuse sockets without a logged-in user (403), and close one whose user is gone (4403). Implies ``http_user``
    unless another attribute gives the user."""

    groups: Sequence[str] | None = None
    """Names of groups the socket is in while it is open."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if vars(cls).get("slight_ordering"):
            warnings.warn(
                f"Slight ordering is what every WebSocket has: remove slight_ordering from {cls.__qualname__}.",
                DeprecationWarning,
                stacklevel=2,
            )

    @property
    def path(self) -> str:
        """The path of the socket."""
        return str(self.message.get("path") or "")

    def get_openers(self) -> Sequence[Opener]:
        """Return what is open around the methods, outermost first."""
        has_user = self.http_user_and_session or self.channel_session_user
        return _choose_openers(
            bool(self.strict_ordering),
            bool(self.http_user or (self.login_required and not has_user)),
            bool(self.http_user_and_session),
            bool(self.channel_session_user),
            bool(self.channel_session),
        )

    def connection_groups(self, **kwargs: Any) -> Iterable[str]:
        """Return the names of the groups the socket is in while it is open; gets what routing captured."""
        return self.groups or []

    # What dispatch calls

    def dispatch(self, message: Message, **kwargs: Any) -> Any:
        """Call the handler of ``message``.

        Raises:
            UnusableMessage: It is one of a WebSocket and does not say which.
        """
        if message.reply_channel is None and message.channel is not None and message.channel.name in _OF_SOCKETS:
            raise UnusableMessage("It has no reply_channel: which socket is it about?")
        return super().dispatch(message, **kwargs)

    def raw_connect(self, message: Message, **kwargs: Any) -> None:
        """Run ``connect``; join the groups unless it refused, before anything it sent leaves."""
        if self.login_required and not message.user.is_authenticated:
            counters.add("connection.denied.login_required")
            raise DenyConnection(status=403, reason="You must be logged in.")
        self.connect(message, **kwargs)
        if not self._is_refused():
            for name in names.require_list(self.connection_groups(**kwargs)):
                Group(name, channel_layer=message.channel_layer).add(message.reply_channel)  # type: ignore[arg-type]

    def raw_receive(self, message: Message, **kwargs: Any) -> None:
        """Run ``receive`` with the text or the bytes of a frame."""
        if self._may_receive():
            text = message.get("text")
            self.receive(**({"text": text} if text is not None else {"bytes": message.get("bytes")}), **kwargs)

    def raw_disconnect(self, message: Message, **kwargs: Any) -> None:
        """Leave the groups, then run ``disconnect``."""
        for name in names.require_list(self.connection_groups(**kwargs)):
            Group(name, channel_layer=message.channel_layer).discard(message.reply_channel)  # type: ignore[arg-type]
        self.disconnect(message, **kwargs)

    def _may_receive(self) -> bool:
        if not self.login_required or self.message.user.is_authenticated:
            return True
        counters.add("message.dropped.login_required")
        logger.info("Closing a socket on %s: its user is not logged in any more.", printable(self.path))
        self.close(UNAUTHORIZED)
        return False

    def _is_refused(self) -> bool:
        """Return whether what was sent to the socket so far refuses the handshake."""
        for content in pending_message_store.sent_to(self.message.reply_channel.name):  # type: ignore[union-attr]
            if content.get("accept") is not None:
                return not content["accept"]
            if content.get("text") or content.get("bytes"):
                return False
            if content.get("close"):
                return True
        return False

    # What projects override

    def connect(self, message: Message, **kwargs: Any) -> None:
        """Accept the socket. Override to do more, and accept or ``close`` there."""
        self._reply(formats.websocket_accept())

    def receive(self, *args: Any, **kwargs: Any) -> None:
        """Override as ``receive(self, text=None, bytes=None, **kwargs)`` to act on a frame.

        The one of ``text`` and ``bytes`` that the frame carries is not None; ``kwargs`` are from the route.
        Subclasses of other signatures take something else: the decoded content, for one.
        """

    def disconnect(self, message: Message, **kwargs: Any) -> None:
        """Override to act when the socket is closed; ``message["code"]`` says how."""

    # What they call

    def send(self, text: str | None = None, bytes: bytes | None = None, close: bool | int = False) -> None:
        """Send a frame to the client, close the socket, or both in this order.

        Args:
            text: A text frame; wins over ``bytes``.
            bytes: A binary frame.
            close: True, or a close code.

        Raises:
            ValueError: There is nothing to send, or the close code may not be sent.
            TypeError: ``text`` is not a str or ``bytes`` not bytes.
            SendNotAvailableOnDemultiplexer: This consumer serves a stream of a demultiplexer.
        """
        if self.kwargs.get("multiplexer") is not None:
            raise SendNotAvailableOnDemultiplexer("Use multiplexer.send of the multiplexer kwarg.")
        self._reply(self._frame(text, bytes, close))

    @classmethod
    def group_send(
        cls,
        name: str,
        text: str | None = None,
        bytes: bytes | None = None,
        close: bool | int = False,
        channel_layer: Any = None,
    ) -> None:
        """Send a frame to every member of a group, of the default layer unless another is given.

        Raises:
            ValueError: There is nothing to send, or the close code may not be sent.
            TypeError: ``text`` is not a str or ``bytes`` not bytes.
        """
        Group(name, channel_layer=channel_layer).send(cls._frame(text, bytes, close))

    def close(self, status: bool | int = True) -> None:
        """Close the socket, or refuse it while it connects.

        Args:
            status: Close code; True is 1000.

        Raises:
            ValueError: The code may not be sent.
        """
        close_codes.read_close_code(status)
        self._reply({"close": status})

    @staticmethod
    def _frame(text: str | None, data: bytes | None, close: bool | int) -> Content:
        if text is None and data is None and not close:
            raise ValueError("You must pass text or bytes")
        if text is not None and not isinstance(text, str):
            raise TypeError(f"text must be str, not {type(text).__name__}; JsonWebsocketConsumer sends other values.")
        if data is not None and not isinstance(data, bytes | bytearray | memoryview):
            raise TypeError(f"bytes must be bytes, not {type(data).__name__}.")
        return formats.websocket_send(text=text, data=data, close=close)

    def _reply(self, content: Content) -> None:
        self.message.reply_channel.send(content)  # type: ignore[union-attr]


class JsonWebsocketConsumer(WebsocketConsumer):
    """A WebSocket whose frames are JSON, both ways."""

    def raw_receive(self, message: Message, **kwargs: Any) -> None:
        """Run ``receive`` with the decoded frame, or ``receive_invalid`` if it cannot be decoded."""
        if not self._may_receive():
            return
        text = message.get("text")
        if text is None:
            error = ValueError("No text section for incoming WebSocket frame!")
            return self.receive_invalid(message.get("bytes"), error, **kwargs)
        try:
            content = require_shallow(self.decode_json(text), text)
        except (ValueError, RecursionError) as error:
            return self.receive_invalid(text, error, **kwargs)
        self.receive(content, **kwargs)

    def receive(self, content: Any, **kwargs: Any) -> None:
        """Override to act on the decoded content of a frame."""

    def receive_invalid(self, frame: str | bytes | None, error: Exception, **kwargs: Any) -> None:
        """Answer a frame that is not JSON: log it at INFO, and close. Override for another answer.

        Args:
            frame: The frame; bytes if it was a binary one. The socket is closed with 1007 for text, 1003 for bytes.
            error: What is wrong with it.
        """
        counters.add("message.dropped.invalid_json")
        logger.info("Closing a socket on %s, as %s was no JSON: %s", printable(self.path), type(frame).__name__, error)
        self.close(close_codes.MALFORMED_TEXT if isinstance(frame, str) else close_codes.UNSUPPORTED_DATA)

    @classmethod
    def decode_json(cls, text: str) -> Any:
        """Return what ``text`` says. Override for another decoder; a ValueError means that it cannot be decoded."""
        return json.loads(text)

    @classmethod
    def encode_json(cls, content: Any) -> str:
        """Return ``content`` as JSON; dates, decimals, UUIDs and lazy texts included. Override for another encoder."""
        return json.dumps(content, cls=DjangoJSONEncoder)

    def send(self, content: Any, close: bool | int = False) -> None:  # type: ignore[override]
        """Send ``content`` as a JSON frame, and close the socket afterwards if asked to.

        Raises:
            TypeError: ``content`` cannot be encoded.
            ValueError: The close code may not be sent.
            SendNotAvailableOnDemultiplexer: This consumer serves a stream of a demultiplexer.
        """
        super().send(text=self.encode_json(content), close=close)

    @classmethod
    def group_send(  # type: ignore[override]
        cls, name: str, content: Any, close: bool | int = False, channel_layer: Any = None
    ) -> None:
        """Send ``content`` as a JSON frame to every member of a group, of the default layer unless another is given."""
        super().group_send(name, text=cls.encode_json(content), close=close, channel_layer=channel_layer)
