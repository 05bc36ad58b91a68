"""What a typed consumer is told and knows: its attributes, the options behind them, and its connection.

What it sends is in ``sending``, the steps of its life are in ``consumers``.
"""

import functools
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, cast

from django.db.models import Manager, Model, QuerySet
from typing_extensions import TypeVar

from channels.auth import anonymous
from channels.exceptions import WebsocketCloseException
from channels.generic.connections import UNAUTHORIZED, JsonWebsocketConsumer
from channels.typed import settings
from channels.typed.authentication import BaseAuthenticator, has_queryset
from channels.typed.context import ConnectionContext, make_request
from channels.typed.default_authenticator import default_authenticator
from channels.typed.groups import Memberships
from channels.typed.keeping import GONE
from channels.typed.messages import BaseChannelEvent, BaseGroupMessage, BaseMessage
from channels.typed.protocol import Protocol
from channels.typed.wire import Spelling
from channels.types import Content
from channels.utils import printable

logger = logging.getLogger("django.channels.typed")

IC = TypeVar("IC", bound=BaseMessage, default=BaseMessage)
Event = TypeVar("Event", bound="BaseChannelEvent | None", default=None)
OG = TypeVar("OG", bound="BaseGroupMessage | None", default=None)
M = TypeVar("M", bound="Model | None", default=None)


class TypedConnection(JsonWebsocketConsumer, Generic[IC, Event, OG, M]):
    """The attributes and the context of ``TypedConsumer``. Attributes that are None leave it to CHANNELS_TYPED."""

    protocol: ClassVar[Protocol]
    context: ConnectionContext | None

    if TYPE_CHECKING:
        groups: Sequence[str] = ()

    authentication_classes: ClassVar[Sequence[Any] | None] = None
    """Authentication classes of Django REST framework; None is its default."""

    permission_classes: ClassVar[Sequence[Any] | None] = None
    """Permission classes; None is the default of Django REST framework, or without it nothing is asked."""

    throttle_classes: ClassVar[Sequence[Any] | None] = None
    """Throttle classes of Django REST framework, asked once for each handshake; None is its default."""

    queryset: ClassVar[Any] = True
    """Where the object of the socket is found; True is nowhere: it has none."""

    auth_method: ClassVar[str] = "get"
    """HTTP method that the handshake stands for."""

    lookup_field: ClassVar[str] = "pk"
    """Field by which the object is found."""

    lookup_url_kwarg: ClassVar[str | None] = None
    """What the route captures for it; None is the name of the field."""

    authenticator_class: ClassVar[type[BaseAuthenticator] | None] = None
    """Decides who is admitted; None is that of REST framework if it is installed, else that of Django."""

    emits: ClassVar[Sequence[type[BaseMessage]]] = ()
    """Messages that it sends beside those that handlers return, for generated documents."""

    send_completion: ClassVar[bool | None] = None
    """Say when all answers to a message or event have been sent."""

    send_message_immediately: ClassVar[bool | None] = None
    """Let messages leave at once, not when the consumer ends. Those of the handshake always wait for its end."""

    log_received_message: ClassVar[bool | None] = None
    """Log each message that is received, at INFO."""

    log_sent_message: ClassVar[bool | None] = None
    """Log each message that is sent, at INFO."""

    log_ignored_actions: ClassVar[Sequence[str] | None] = None
    """Actions that are not logged."""

    send_authentication_message: ClassVar[bool | None] = None
    """Tell the client the outcome of its authentication."""

    refuse_before_open: ClassVar[bool | None] = None
    """Refuse clients in the handshake, with an HTTP status, instead of by a message and a close."""

    max_message_bytes: ClassVar[int | None] = None
    """Largest message of a client, in bytes."""

    group_name: str | None = None
    """For the consumer's own use, as the name of the group that matters most."""

    @classmethod
    def get_option(cls, name: str) -> Any:
        """Return the attribute ``name``, or what CHANNELS_TYPED says if it is None."""
        value = getattr(cls, name)
        return settings.get(name.upper()) if value is None else value

    @classmethod
    def get_authenticator_class(cls) -> type[BaseAuthenticator]:
        """Return the class that decides who is admitted."""
        return cls.authenticator_class or default_authenticator()

    @functools.cached_property
    def authenticator(self) -> BaseAuthenticator:
        """What decides who is admitted: in the handshake the one that did, later a fresh one of the same class."""
        return self.get_authenticator_class()(self)

    def get_queryset(self) -> QuerySet[Any]:
        """Return where the object is found, fresh. Override to restrict it by ``self.request`` or ``self.kwargs``.

        Raises:
            TypeError: ``queryset`` is none.
        """
        if not has_queryset(self):
            raise TypeError(f"{type(self).__name__}.queryset is no QuerySet or Manager: {self.queryset!r}.")
        queryset: QuerySet[Any] | Manager[Any] = self.queryset
        return queryset.all()

    @functools.cached_property
    def _settings(self) -> dict[str, Any]:
        # Read once for each message: it asks for a handful of them.
        return settings.read()

    @functools.cached_property
    def _spelling(self) -> Spelling:
        return Spelling.of(self._settings)

    def _option(self, name: str) -> Any:
        value = getattr(self, name)
        return self._settings[name.upper()] if value is None else value

    @property
    def channel_name(self) -> str:
        """Name of the channel that leads to the client."""
        return self.message.reply_channel.name  # type: ignore[union-attr]

    @property
    def channel_layer(self) -> Any:
        """The layer that the connection is on."""
        return self.message.channel_layer

    @property
    def connecting(self) -> bool:
        """Whether this is the handshake, not a later message."""
        return self.message.channel.name == "websocket.connect"  # type: ignore[union-attr]

    @property
    def memberships(self) -> Memberships:
        """The groups of this connection."""
        return Memberships(self.channel_layer, self.channel_name, self.session)

    def _require_context(self) -> ConnectionContext:
        if self.context is None:
            raise RuntimeError("This connection is not authenticated yet: only the handshake is at hand.")
        return self.context

    # What the connection has

    @functools.cached_property
    def user(self) -> Any:
        """The user of the connection; an ``AnonymousUser`` where nobody was authenticated.

        Raises:
            WebsocketCloseException: The user is gone, or has another password; closes the socket with 4403.
        """
        if self.context is None or self.context.identity is None:
            return anonymous()
        if not self.message.user.is_authenticated:
            logger.info("Closing a socket on %s: its user is not logged in any more.", printable(self.path))
            raise WebsocketCloseException(UNAUTHORIZED)
        return self.message.user

    @functools.cached_property
    def request(self) -> Any:
        """The handshake as a Django request; after it without cookies and credentials."""
        if self.context is None:
            return make_request(self.message, self.kwargs, self.auth_method)
        return self.context.make_request(self.kwargs, self.auth_method, self.user)

    @functools.cached_property
    def scope(self) -> Content:
        """The handshake as an ASGI-3 scope, with ``url_route``."""
        return self._require_context().make_scope(self.kwargs)

    @functools.cached_property
    def obj(self) -> M:
        """The object that the URL names; None if the class has no ``queryset``. Read again for each message.

        Raises:
            WebsocketCloseException: It does not exist any more; closes the socket with 4404.
        """
        pk = self._require_context().object_pk
        if pk is None:
            return cast("M", None)
        found = self.get_queryset().filter(pk=pk).first()
        if found is None:
            logger.info("Closing a socket on %s: its object does not exist any more.", printable(self.path))
            raise WebsocketCloseException(GONE)
        return cast("M", found)

    @property
    def query_params(self) -> Any:
        """The query string of the handshake, as a ``QueryDict``."""
        return self.request.GET

    @property
    def session(self) -> Any:
        """The channel session: what is kept here is there for the next messages of this connection."""
        return self.message.channel_session

    # Logging

    def _log_message(self, text: str, action: Any, **details: Any) -> None:
        if action not in self._option("log_ignored_actions"):
            self._log(f"{text}: {action}", **details)

    def _log(self, text: str, level: int = logging.INFO, exc_info: Any = None, **details: Any) -> None:
        """Log ``text`` with what tells this connection from others."""
        if not logger.isEnabledFor(level):
            return
        context = self.context
        where = {
            "path": self.path,
            "reply_channel": self.channel_name,
            "request_id": context.request_id if context else None,
            "ip": context.ip if context else None,
            "user_id": context.identity if context else None,
            "order": self.message.get("order"),
        }
        logger.log(
            level,
            "%s (path %s, user %s, request %s)",
            text,
            printable(where["path"]),
            where["user_id"],
            printable(where["request_id"]),
            exc_info=exc_info,
            extra={**where, **details},
        )
