"""What one typed consumer speaks: read from its type parameters and handlers, once, when its class is made."""

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Union, get_args, get_origin

from django.db.models import Model
from pydantic import BaseModel, Field, TypeAdapter

from channels.typed.handlers import Handler, find_handlers, members, values_of
from channels.typed.messages import BaseChannelEvent, BaseGroupMessage, BaseMessage


@dataclass(frozen=True, slots=True)
class Protocol:
    """The messages and events of one consumer class, for itself and for what documents it.

    Attributes:
        incoming: Models of what clients send.
        events: Models of its events.
        group_messages: Models of what it sends to groups.
        model: Model of its object, or None.
        handlers: Name of an action to the handler that takes it; the others go to ``receive_message``.
        event_handlers: The same for the ``handler`` of events; the others go to ``receive_event``.
        parameters: The type parameters as they were given; subclasses inherit them.
    """

    incoming: tuple[type[BaseMessage], ...]
    events: tuple[type[BaseChannelEvent], ...]
    group_messages: tuple[type[BaseGroupMessage], ...]
    model: type[Model] | None
    handlers: dict[str, Handler]
    event_handlers: dict[str, Handler]
    parameters: tuple[Any, ...]
    incoming_adapter: TypeAdapter[Any]
    event_adapter: TypeAdapter[Any] | None


def read_protocol(consumer: type, root: type, inherited: tuple[Any, ...] | None) -> Protocol:
    """Return what ``consumer`` speaks.

    Args:
        consumer: A new subclass of ``root``.
        root: The generic consumer.
        inherited: Parameters of the nearest base that has some.

    Raises:
        ValueError: It says nowhere what clients send.
        TypeError: A parameter or handler is of the wrong kind, or two models have the same action.
    """
    name = consumer.__name__
    given = _find_parameters(consumer, root)
    parameters = (*(given if given is not None else inherited or ()), *[None] * 4)[:4]
    found = list(find_handlers(consumer))
    own = _require(name, "incoming message", parameters[0], BaseMessage)
    handled = [model for is_event, handler in found if not is_event for model in handler.inputs]
    incoming = tuple(dict.fromkeys([*(model for model in own if model is not BaseMessage), *handled]))
    if not incoming:
        raise ValueError(
            f"Class {name!r} must specify at least the incoming message type as a generic parameter. "
            f"Hint: class {name}({root.__name__}[YourMessageType]), or methods decorated with ws_handler"
        )
    event_inputs = [model for is_event, handler in found if is_event for model in handler.inputs]
    events = tuple(dict.fromkeys([*_require(name, "event", parameters[1], BaseChannelEvent), *event_inputs]))
    group_messages = _require(name, "group message", parameters[2], BaseGroupMessage)
    model = _require(name, "model", parameters[3], Model)
    return Protocol(
        incoming,
        events,
        group_messages,
        model[0] if model else None,
        _by_value(name, "action", [handler for is_event, handler in found if not is_event]),
        _by_value(name, "handler", [handler for is_event, handler in found if is_event]),
        parameters,
        _make_adapter(name, incoming, "action"),
        _make_adapter(name, events, "handler") if events else None,
    )


def is_open(consumer: type, root: type) -> bool:
    """Return whether ``consumer`` leaves its parameters to subclasses, as a generic base of a project does."""
    alias = _find_alias(consumer, root)
    return bool(getattr(alias, "__parameters__", ())) or ABC in consumer.__bases__


def _find_alias(consumer: type, root: type) -> Any:
    """Return ``root[...]`` as ``consumer`` itself, or a generic base that it gives parameters to, has it; or None."""
    for base in vars(consumer).get("__orig_bases__", ()):
        origin = get_origin(base)
        if origin is root:
            return base
        if isinstance(origin, type) and issubclass(origin, root):
            inner = _find_alias(origin, root)
            return inner if inner is None else inner[get_args(base)]
    return None


def _find_parameters(consumer: type, root: type) -> tuple[Any, ...] | None:
    alias = _find_alias(consumer, root)
    return None if alias is None else get_args(alias)


def _require(name: str, what: str, annotation: Any, kind: type) -> tuple[Any, ...]:
    found = members(annotation)
    for each in found:
        if not isinstance(each, type) or not issubclass(each, kind):
            raise TypeError(f"The {what} type of {name} must be a {kind.__name__}, a union of them or None: {each!r}.")
    return found


def _by_value(name: str, field: str, handlers: Sequence[Handler]) -> dict[str, Handler]:
    table: dict[str, Handler] = {}
    for handler in handlers:
        for model in handler.inputs:
            for value in values_of(model, field):
                other = table.setdefault(value, handler)
                if other is not handler:
                    raise TypeError(f"{name} has two handlers for {value!r}: {other.name} and {handler.name}.")
    return table


def _make_adapter(name: str, models: Sequence[type[BaseModel]], field: str) -> TypeAdapter[Any]:
    owners: dict[Any, type] = {}
    for model in models:
        for value in values_of(model, field):
            if owners.setdefault(value, model) is not model:
                raise TypeError(f"{name} takes two models with the {field} {value!r}: {owners[value]!r} and {model!r}.")
    if len(models) == 1:
        return TypeAdapter(models[0])
    union: Any = Union[tuple(models)]  # noqa: UP007 - made at run time
    discriminated: Any = Annotated[union, Field(discriminator=field)]
    return TypeAdapter(discriminated)
