"""The operations of a document: one for each handler, one for ``receive_message``, and what is sent beside."""

from collections.abc import Iterable, Sequence
from typing import Any

from channels.typed.asyncapi.routes import unused_name
from channels.typed.asyncapi.schemas import INCOMING, OUTGOING, Mode, Schemas
from channels.typed.asyncapi.speech import Speech
from channels.typed.handlers import Handler

_OWN = {
    "emits": "Sent as an answer or unasked.",
    "authentication": "Says whether the client is admitted; comes first.",
    "error": "Says what is wrong with a message of the client, or that it could not be processed.",
    "complete": "Says that all answers have been sent.",
}
"""What is sent beside the outputs of handlers."""


def make_operations(
    speech: Speech, schemas: Schemas, operations: dict[str, Any], security: Sequence[dict[str, str]]
) -> None:
    """Add the operations of a route, with the places of its security schemes, to those of all routes."""
    writer = _Writer(speech.route.name, schemas, operations, security)
    for handler in speech.handlers:
        reply = writer.refer(handler.outputs, OUTGOING)
        answer = {"reply": {"channel": writer.channel, "messages": reply}} if reply else {}
        writer.add("receive", handler.action or handler.name, handler.inputs, INCOMING, **_told(handler), **answer)
    if speech.others:
        writer.add("receive", "receive_message", speech.others, INCOMING)
    for handler in speech.event_handlers:
        if handler.outputs:
            writer.add("send", handler.action or handler.name, handler.outputs, OUTGOING, **_told(handler))
    if speech.group_messages:
        writer.add("send", "group", speech.group_messages, OUTGOING, summary="Goes to the members of groups.")
    for name, models in speech.own.items():
        writer.add("send", name, models, OUTGOING, summary=_OWN[name])


def _told(handler: Handler) -> dict[str, Any]:
    told = {
        "summary": handler.summary,
        "description": handler.description,
        "tags": [{"name": tag} for tag in handler.tags],
    }
    return {key: value for key, value in told.items() if value}


class _Writer:
    """Writes the operations of one channel."""

    def __init__(
        self, name: str, schemas: Schemas, operations: dict[str, Any], security: Sequence[dict[str, str]]
    ) -> None:
        self._name = name
        self._schemas = schemas
        self._operations = operations
        self._common = {"security": list(security)} if security else {}

    @property
    def channel(self) -> dict[str, str]:
        return {"$ref": f"#/channels/{self._name}"}

    def refer(self, models: Iterable[Any], mode: Mode) -> list[dict[str, str]]:
        """Return the places of ``models`` in the channel."""
        names = [self._schemas.names[model, mode] for model in models]
        return [{"$ref": f"#/channels/{self._name}/messages/{name}"} for name in names]

    def add(self, action: str, name: str, models: Iterable[Any], mode: Mode, **details: Any) -> None:
        """Add one operation."""
        key = unused_name(f"{self._name}.{name}", self._operations)
        self._operations[key] = {
            "action": action,
            "channel": self.channel,
            "messages": self.refer(models, mode),
            **self._common,
            **details,
        }
