"""What one route takes and sends, from its protocol and its options: models, not yet schemas."""

from collections.abc import Iterator
from dataclasses import dataclass

from channels.typed.asyncapi.routes import TypedRoute
from channels.typed.asyncapi.schemas import INCOMING, OUTGOING, Schemas
from channels.typed.handlers import Handler
from channels.typed.messages import (
    AuthenticationMessage,
    BaseMessage,
    CompleteMessage,
    ErrorMessage,
    GroupCompleteMessage,
)

Models = tuple[type[BaseMessage], ...]


@dataclass(frozen=True, slots=True)
class Speech:
    """The messages of one route.

    Attributes:
        route: The route.
        incoming: All models that clients send.
        others: Those of them that go to ``receive_message``.
        handlers: What takes the rest.
        event_handlers: What sends messages on events.
        group_messages: Models that are sent to groups.
        own: Models that are sent beside, by the name of their operation.
    """

    route: TypedRoute
    incoming: Models
    others: Models
    handlers: tuple[Handler, ...]
    event_handlers: tuple[Handler, ...]
    group_messages: Models
    own: dict[str, Models]

    @property
    def outgoing(self) -> Models:
        """All models that clients get."""
        return tuple(dict.fromkeys(self._outgoing()))

    def _outgoing(self) -> Iterator[type[BaseMessage]]:
        for handler in (*self.handlers, *self.event_handlers):
            # A handler's outputs are messages, which is checked when its class is made.
            yield from (model for model in handler.outputs if issubclass(model, BaseMessage))
        yield from self.group_messages
        for models in self.own.values():
            yield from models

    def message_names(self, schemas: Schemas) -> Iterator[str]:
        """Yield the names of all messages in a document."""
        yield from (schemas.names[model, INCOMING] for model in self.incoming)
        yield from (schemas.names[model, OUTGOING] for model in self.outgoing)


def read_speech(route: TypedRoute) -> Speech:
    """Return what ``route`` takes and sends."""
    consumer, protocol = route.consumer, route.consumer.protocol
    handlers = _each_once(protocol.handlers)
    handled = {model for handler in handlers for model in handler.inputs}
    own: dict[str, Models] = {}
    if consumer.emits:
        own["emits"] = tuple(consumer.emits)
    if consumer.get_option("send_authentication_message"):
        own["authentication"] = (AuthenticationMessage,)
    own["error"] = (ErrorMessage,)
    if consumer.get_option("send_completion"):
        own["complete"] = (CompleteMessage, GroupCompleteMessage) if protocol.group_messages else (CompleteMessage,)
    return Speech(
        route,
        protocol.incoming,
        tuple(model for model in protocol.incoming if model not in handled),
        handlers,
        _each_once(protocol.event_handlers),
        protocol.group_messages,
        own,
    )


def _each_once(table: dict[str, Handler]) -> tuple[Handler, ...]:
    # One handler may stand for several actions.
    return tuple({handler.name: handler for handler in table.values()}.values())
