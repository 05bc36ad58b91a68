"""How a typed consumer begins: it authenticates its client, joins its groups, and accepts or refuses.

Who is admitted is decided in ``authentication``.
"""

import logging
import time
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Generic

from channels import counters, names
from channels.exceptions import ConsumerSignal, DenyConnection
from channels.message import Message
from channels.typed import keeping
from channels.typed.authentication import AuthenticationResult, make_result
from channels.typed.connection import IC, OG, Event, M
from channels.typed.context import ConnectionContext, is_user
from channels.typed.groups import RENEWED
from channels.typed.messages import AuthenticationMessage, AuthenticationPayload, ErrorMessage
from channels.typed.sending import TypedSending
from channels.types import Content
from channels.utils import printable

logger = logging.getLogger("django.channels.typed")

FAILED = 1011
"""Close code of a socket whose client was admitted and then could not be served."""


class TypedHandshake(TypedSending[IC, Event, OG, M], Generic[IC, Event, OG, M]):
    """The beginning of ``TypedConsumer``."""

    declared_groups: ClassVar[Sequence[str]] = ()
    """What a subclass gave as ``groups``."""

    def build_groups(self) -> Iterable[str]:
        """Return the names of groups to be in, beside ``groups``. Called once, when the client was admitted."""
        return []

    def post_authentication(self) -> None:
        """Override to act when the client was admitted and is in its groups.

        Attributes that this method and ``build_groups`` set are there on every later message of the connection:
        JSON-like values with what the last message made of them, instances of models read again.
        """

    def raw_connect(self, message: Message, **kwargs: Any) -> None:
        """Authenticate the client; accept it, or refuse it as the class says."""
        result = self.authenticator.authenticate(self.request, kwargs)
        if result.is_authenticated and self.login_required and not is_user(result.user):
            result = make_result(403, {"detail": "You must be logged in."}, result.user)
        before = {*vars(self), "context"}
        if result.is_authenticated:
            result = self._admit(message, result)
        if not result.is_authenticated:
            self._refuse(result)
            return
        self._accept(result)
        try:
            self.post_authentication()
        except ConsumerSignal:
            raise
        except Exception as error:
            self._log_failure(error)
            self.send_message(ErrorMessage(payload={"detail": "Internal server error"}))
            self.close(FAILED)
            return
        keeping.keep(self, before)

    def _admit(self, message: Message, result: AuthenticationResult) -> AuthenticationResult:
        """Note who the client is and join its groups; return the result, or that it failed."""
        try:
            self.context = ConnectionContext.create(message, result.user, result.obj)
            vars(self).update(user=message.user, obj=result.obj)
            self.session[RENEWED] = time.time()
            for name in (*self.declared_groups, *names.require_list(self.build_groups())):
                self.join_group(name)
        except ConsumerSignal:
            raise
        except Exception as error:
            self._log_failure(error)
            self.memberships.leave_all()
            self.session.clear()
            return make_result(500, {"detail": "Internal server error"})
        self._log("Websocket connected")
        return result

    def _log_failure(self, error: Exception) -> None:
        counters.add("consumer.failed.handshake")
        self._log("Failed to admit a client", logging.ERROR, exc_info=error)

    def _accept(self, result: AuthenticationResult) -> None:
        content: Content = {"accept": True}
        if self.context is not None and self.context.identity is not None:
            content["identity"] = self.context.identity
        if self._option("send_authentication_message"):
            content["text"] = self._spelling.encode(_tell(result))
        self._reply(content)

    def _refuse(self, result: AuthenticationResult) -> None:
        counters.add("connection.denied.authentication")
        detail = result.data.get("detail", result.data) if isinstance(result.data, dict) else result.data
        logger.info(
            "Refusing a socket on %s: %s %s: %s", printable(self.path), result.status_code, result.status_text, detail
        )
        if self._option("refuse_before_open"):
            raise DenyConnection(status=result.status_code, reason=str(detail))
        # One message, so that no frame of the client can come between its parts.
        content: Content = {"accept": True, "close": True}
        if self._option("send_authentication_message"):
            content["text"] = self._spelling.encode(_tell(result))
        self._reply(content)


def _tell(result: AuthenticationResult) -> AuthenticationMessage:
    payload = AuthenticationPayload(status_code=result.status_code, status_text=result.status_text, data=result.data)
    return AuthenticationMessage(payload=payload)
