"""WebsocketBinding and WebsocketBindingWithMembers: bindings for pages that speak JSON on a multiplexed WebSocket."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from django.core.serializers.json import DjangoJSONEncoder

from channels import formats
from channels.binding.base import Binding
from channels.binding.rows import serialize_row
from channels.binding.writing import Refused, fill, save
from channels.generic.multiplexing import WebsocketMultiplexer
from channels.generic.nesting import require_shallow
from channels.message import Message
from channels.types import Content


class WebsocketBinding(Binding):
    """Sends changes as ``{"action", "pk", "data", "model"}`` on a stream, and takes changes of that shape.

    A change that is refused is answered with ``{"stream": ..., "error": {...}}``.
    """

    model: Any = None

    serializer_class: Any = None
    """A serializer of Django REST framework to use instead of Django's, both ways."""

    def __init__(self) -> None:
        super().__init__()
        self._serialized: tuple[Any, Any, Any] | None = None

    # From the model to the groups

    def encode(self, stream: str, payload: Any) -> Content:
        """Return the frame that carries ``payload`` on ``stream``."""
        return WebsocketMultiplexer.encode(stream, payload)

    def serialize(self, instance: Any, action: str) -> dict[str, Any]:
        """Return what a page is told about ``instance``."""
        if self._serialized is None or self._serialized[0] is not instance:
            # Once for all groups, whatever the change is to them.
            self._serialized = (instance, self.serialize_key(instance), self.serialize_data(instance))
        _, key, data = self._serialized
        return {"action": action, "pk": key, "data": data, "model": self.model_label}

    def serialize_key(self, instance: Any) -> Any:
        """Return the primary key of ``instance`` as JSON can carry it."""
        return _plain(instance.pk)

    def serialize_data(self, instance: Any) -> dict[str, Any]:
        """Return the fields of ``instance`` that are sent; relations are primary keys."""
        if self.serializer_class is not None:
            made = self.get_serializer(instance).data
            return {name: value for name, value in made.items() if self.allows(name)}
        fields = (*instance._meta.concrete_fields, *instance._meta.many_to_many)
        names = [field.name for field in fields if self.allows(field.name)]
        (record,) = _read_json(serialize_row(instance, names))
        data: dict[str, Any] = record["fields"]
        return data

    def get_serializer(self, *args: Any, **kwargs: Any) -> Any:
        """Return ``serializer_class(*args, **kwargs)``; its context has this ``binding`` and the ``user``."""
        return self.serializer_class(*args, context={"binding": self, "user": self.user}, **kwargs)

    # From a page to the model

    def deserialize(self, message: Message) -> tuple[Any, Any, Any]:
        """Return action, primary key and data of a frame.

        Raises:
            Refused: It is not JSON, or not of this shape.
        """
        try:
            body = require_shallow(json.loads(message["text"]), message["text"])
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise Refused("invalid_json", f"The frame is not JSON: {error}") from error
        if not isinstance(body, dict) or not isinstance(body.get("action"), str):
            raise Refused("invalid_payload", "The payload must be an object with an action.")
        key, data = body.get("pk"), body.get("data")
        self.action, self.pk, self.data = body["action"], key, data  # For the answer, should it be refused.
        if data is not None and not isinstance(data, dict):
            raise Refused("invalid_payload", "The data must be an object.")
        return body["action"], key, data

    def create(self, data: Any) -> None:
        """Make a row of the allowed fields in ``data``.

        Raises:
            Refused: The model, or the serializer, does not take it.
        """
        self._write(None, data)

    def update(self, pk: Any, data: Any) -> None:
        """Give the row ``pk`` the values that ``data`` has for allowed fields.

        Raises:
            Refused: There is no such row, or the model, or the serializer, does not take them.
        """
        # Locked by itself: what a queryset joins cannot always be.
        allowed = self.get_queryset().filter(pk=pk).values("pk")
        instance = self.model._base_manager.select_for_update().filter(pk__in=allowed).first()
        if instance is None:
            raise Refused.missing()
        self._write(instance, data)

    def make_instance(self) -> Any:
        """Return the row that a message with the action ``create`` fills, if there is no ``serializer_class``.

        Override to give it what pages may not, such as its owner.
        """
        return self.model()

    def _write(self, instance: Any, data: Any) -> None:
        if not isinstance(data, dict):
            raise Refused("invalid_payload", "The payload must have data, an object.")
        if self.serializer_class is None:
            instance = self.make_instance() if instance is None else instance
            save(instance, fill(instance, data, self.allows))
            return
        allowed = {name: value for name, value in data.items() if self.allows(name)}
        serializer = self.get_serializer(instance, data=allowed, partial=instance is not None)
        if not serializer.is_valid():
            raise Refused.invalid(serializer.errors)
        serializer.save()

    def refuse(self, refused: Refused) -> None:
        """Answer a frame that was refused, on its stream."""
        if self.message is None or self.message.reply_channel is None:
            return
        multiplexer: Any = self.kwargs.get("multiplexer")
        error = {"code": refused.code, "detail": refused.detail, "action": self.action, "pk": self.pk}
        if refused.fields:
            error["fields"] = refused.fields
        answer = {"stream": self.stream if multiplexer is None else multiplexer.stream, "error": error}
        text: str = (multiplexer or WebsocketMultiplexer).encode_json(answer)
        self.message.reply_channel.send(formats.websocket_send(text=text))


class WebsocketBindingWithMembers(WebsocketBinding):
    """A WebsocketBinding that sends more than fields: attributes, properties, methods, and those of related objects."""

    model: Any = None

    send_members: ClassVar[Sequence[str]] = ()
    """What to send besides fields; ``"rel.name"`` is sent as ``rel__name``. Methods are called without arguments."""

    encoder: json.JSONEncoder = DjangoJSONEncoder()
    """Encodes the values of members."""

    def serialize_data(self, instance: Any) -> dict[str, Any]:
        """Return the fields of ``instance`` that are sent, and its members."""
        data = super().serialize_data(instance)
        for member in self.send_members:
            data[member.replace(".", "__")] = _read_json(self.encoder.encode(_read_member(instance, member)))
        return data


def _plain(value: Any) -> Any:
    return _read_json(json.dumps(value, cls=DjangoJSONEncoder))


def _read_json(text: str) -> Any:
    # Numbers that JSON lacks become null: no page could read a frame with one.
    return json.loads(text, parse_constant=lambda name: None)


def _read_member(instance: Any, path: str) -> Any:
    """Return the member ``path`` of ``instance``; None if a relation on the way leads nowhere."""
    value = instance
    for name in path.split("."):
        if value is None:
            return None
        value = getattr(value, name)
        if callable(value):
            value = value()
    return value
