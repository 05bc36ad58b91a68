"""``TypedConsumer``: a WebSocket whose messages are models, with a user, an object, groups and events.

Its definition, its messages and its end are here. How it begins is in ``handshake``, what it sends in ``sending``, what
it knows in ``connection``.
"""

import inspect
import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, cast

from channels import counters, names
from channels.auth import open_channel_session_user, open_http_session_user
from channels.exceptions import ConsumerSignal
from channels.generic.connections import UNAUTHORIZED
from channels.message import Message
from channels.routing import require_synchronous
from channels.sessions import Opener, hold_open, open_channel_session, open_ordering
from channels.typed import events, keeping, settings
from channels.typed.connection import IC, OG, Event, M
from channels.typed.context import ConnectionContext
from channels.typed.floods import TOO_MANY_INVALID, Verdict, judge_invalid
from channels.typed.groups import RENEWED, Groups
from channels.typed.handshake import TypedHandshake
from channels.typed.messages import BaseChannelEvent, BaseMessage, ErrorMessage
from channels.typed.protocol import Protocol, is_open, read_protocol
from channels.typed.wire import InvalidMessage, describe
from channels.utils import printable

logger = logging.getLogger("django.channels.typed")

_REPLACED = {
    "connect": "post_authentication",
    "receive": "receive_message",
    "connection_groups": "build_groups",
}
"""Methods of other consumers, and what there is for them."""


_CALLED = (
    *("receive_message", "receive_event", "handle_message_error"),
    *("build_groups", "post_authentication", "get_queryset"),
)
"""Methods that projects override, and that nobody awaits."""


class TypedConsumer(TypedHandshake[IC, Event, OG, M], Generic[IC, Event, OG, M]):
    """Consumer of a WebSocket whose messages are validated. Override ``receive_message``, or decorate handlers.

    Parameters of the type, of which all but the first may be left out or None:
        IC: Models of what clients send: a subclass of ``BaseMessage``, or a union of some.
        Event: Models of events: of ``BaseChannelEvent``.
        OG: Models of what goes to groups: of ``BaseGroupMessage``.
        M: The model of ``obj``.
    """

    method_mapping: ClassVar[Mapping[str, str]] = {
        "websocket.connect": "raw_connect",
        "websocket.receive": "raw_receive",
        "websocket.disconnect": "raw_disconnect",
        events.CHANNEL: "raw_event",
    }

    protocol: ClassVar[Protocol]
    """What the class speaks, read when it is made."""

    if not TYPE_CHECKING:
        groups = Groups()

        def __getattr__(self, name: str) -> Any:
            return keeping.recall(self, name)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for name in _CALLED:
            require_synchronous(getattr(cls, name))
        declared = inspect.getattr_static(cls, "groups")
        if not isinstance(declared, Groups):  # Of the class itself, or of a mixin.
            cls.declared_groups = tuple(names.require_list(declared or ()))
            cls.groups = cast("Any", Groups())
        if not is_open(cls, TypedConsumer):
            inherited = getattr(cls, "protocol", None)
            cls.protocol = read_protocol(cls, TypedConsumer, inherited.parameters if inherited else None)

    def __init__(self, message: Message, **kwargs: Any) -> None:
        self.context: ConnectionContext | None = None
        super().__init__(message, **kwargs)

    @classmethod
    def channel_names(cls) -> set[str]:
        """Return the channels this class consumes; asked for when it is routed.

        Raises:
            TypeError: It does not say what becomes of some messages, or has a method that nothing calls.
            ImproperlyConfigured: CHANNELS_TYPED has an unknown key.
        """
        settings.require_known()
        if cls.http_user_and_session:
            raise TypeError(
                f"{cls.__name__} has http_user_and_session, which does nothing: the user of a typed consumer is the "
                f"one that its handshake admitted, and does not leave with the visitor's session."
            )
        for name, instead in _REPLACED.items():
            if getattr(cls, name) is not getattr(TypedConsumer, name):
                raise TypeError(f"{cls.__name__}.{name} would never be called: typed consumers have {instead}.")
        taken = cls.protocol.handlers
        if cls.receive_message is TypedConsumer.receive_message:
            for model in cls.protocol.incoming:
                if not any(model in handler.inputs for handler in taken.values()):
                    raise TypeError(
                        f"{cls.__name__} takes {model.__name__} and has no method for it: define receive_message, "
                        f"or a method with that message decorated with ws_handler."
                    )
        cls.get_authenticator_class().validate_configuration(cls)
        return super().channel_names()

    def get_openers(self) -> Sequence[Opener]:
        """Return what is open around the methods, outermost first."""
        channel = self.message.channel.name  # type: ignore[union-attr]
        if channel == events.CHANNEL:
            # A piece has no connection; the event of one member comes out of the order of its frames.
            return (open_channel_session_user,) if self.message.reply_channel is not None else (hold_open,)
        ordering = [open_ordering] if self.strict_ordering else []
        if channel == "websocket.connect":
            return (*ordering, open_http_session_user, open_channel_session)
        return (*ordering, open_channel_session_user)

    # What projects override

    def receive_message(self, message: IC, **kwargs: Any) -> None:
        """Override to act on a message; those with a handler of their own do not come here."""
        raise NotImplementedError(f"{type(self).__name__} must define receive_message.")

    def receive_event(self, event: Event) -> None:
        """Override to act on an event; those with a handler of their own do not come here."""
        raise NotImplementedError(f"{type(self).__name__} must define receive_event.")

    # Messages

    def raw_receive(self, message: Message, **kwargs: Any) -> None:
        """Validate a frame and hand it to its handler; answer for what is wrong with it."""
        if not self._load_context():
            counters.add("message.dropped.unauthenticated")
            logger.info(
                "Closing a socket on %s: its handshake was not admitted by a typed consumer.", printable(self.path)
            )
            self.close(UNAUTHORIZED)
            return
        if not self._may_receive():
            return
        try:
            incoming = self._read(message)
        except InvalidMessage as error:
            if not self._answer_invalid(error):
                return
        else:
            self._handle(incoming, kwargs)
        keeping.update(self)
        self._complete()

    def _read(self, message: Message) -> Any:
        text = message.get("text")
        # A text that is no Unicode is not JSON either, which is for the decoder to say.
        data: bytes = (message.get("bytes") or b"") if text is None else text.encode("utf-8", "surrogatepass")
        most = self._option("max_message_bytes")
        if most is not None and len(data) > most:
            raise InvalidMessage("size", describe("too_large", f"A message may have at most {most} bytes"))
        if text is None:
            raise InvalidMessage("binary", describe("binary_frame", "Messages are JSON in text frames"))
        return self._spelling.decode(self.protocol.incoming_adapter, data)

    def _handle(self, incoming: Any, kwargs: dict[str, Any]) -> None:
        if self._option("log_received_message"):
            self._log_message("Received websocket json", incoming.action, received_action=incoming.action)
        handler = self.protocol.handlers.get(incoming.action)
        try:
            if handler is None:
                self.receive_message(incoming, **kwargs)
                return
            answer = getattr(self, handler.name)(incoming)
            if answer is not None:
                self.send_message(answer)
        except ConsumerSignal:
            raise
        except Exception as error:
            self.handle_message_error(incoming, error)

    def handle_message_error(self, message: BaseMessage, error: Exception) -> None:
        """Log what a handler raised, with its traceback, and tell the client no more than that it failed."""
        counters.add("consumer.failed.message")
        self._log("Failed to process message", logging.ERROR, exc_info=error, received_action=message.action)
        self.send_message(ErrorMessage(payload={"detail": "Failed to process message"}))

    def _answer_invalid(self, error: InvalidMessage) -> bool:
        """Act on an invalid message; return whether it was answered."""
        counters.add("message.dropped.invalid_message")
        verdict = judge_invalid(self.session)
        level = logging.INFO if verdict is Verdict.ANSWER else logging.DEBUG
        self._log(f"Invalid message ({error.reason}), which leads to: {verdict.value}", level)
        if verdict is Verdict.CLOSE:
            counters.add("connection.closed.flood")
            self.close(TOO_MANY_INVALID)
        elif verdict is Verdict.ANSWER:
            self.send_message(ErrorMessage(payload=error.details))
        return verdict is Verdict.ANSWER

    # Events

    def raw_event(self, message: Message, **kwargs: Any) -> None:
        """Hand an event to its handler, or a piece of a group to the consumers of its members."""
        if message.reply_channel is None:
            events.fan_out(message)
        elif self._load_context() and self.protocol.event_adapter is not None:
            self._handle_event(events.read_event(self.protocol.event_adapter, message))
            keeping.update(self)
            self._complete()

    def _handle_event(self, event: BaseChannelEvent) -> None:
        handler = self.protocol.event_handlers.get(event.handler)
        if handler is None:
            self.receive_event(cast("Any", event))
            return
        answer = getattr(self, handler.name)(event)
        if answer is not None:
            self.send_message(answer)

    # The end

    def raw_disconnect(self, message: Message, **kwargs: Any) -> None:
        """Run ``disconnect``, then leave all groups; not for clients that were never admitted."""
        try:
            if self._load_context():
                self._log("Disconnecting websocket", code=message.get("code"))
                self.disconnect(message, **kwargs)
        finally:
            if self.context is not None:
                self.memberships.leave_all()

    def _load_context(self) -> bool:
        self.context = ConnectionContext.load(self.session)
        if self.context is None:
            return False
        now = time.time()
        if now - self.session.setdefault(RENEWED, now) > self.message.channel_layer.group_expiry / 4:
            self.memberships.renew()
            self.session[RENEWED] = now
        keeping.restore(self)
        return True
