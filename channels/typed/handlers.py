"""``ws_handler`` and ``event_handler``: methods that take one kind of message or event, told by their annotations.

A consumer finds its handlers here when its class is made; it calls them in ``consumers``.
"""

import inspect
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints, overload

from pydantic import BaseModel

from channels.typed.messages import BaseChannelEvent, BaseMessage

F = TypeVar("F", bound=Callable[..., Any])

_MARK = "_channels_typed_handler"


@dataclass(frozen=True, slots=True)
class Marking:
    """What a decorator was given."""

    is_event: bool
    action: str | None = None
    input_type: Any = None
    output_type: Any = None
    description: str | None = None
    summary: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Handler:
    """One handler of a consumer.

    Attributes:
        name: Of the method.
        inputs: The models it takes.
        outputs: The models it may return, or is said to send.
        action: What the document calls it; None is the method's name.
        summary, description, tags: For the generated document; the docstring where nothing else is said.
    """

    name: str
    inputs: tuple[type[BaseModel], ...]
    outputs: tuple[type[BaseModel], ...]
    action: str | None
    summary: str
    description: str
    tags: tuple[str, ...]


@overload
def ws_handler(func: F, /) -> F: ...


@overload
def ws_handler(
    *,
    action: str | None = ...,
    input_type: Any = ...,
    output_type: Any = ...,
    description: str | None = ...,
    summary: str | None = ...,
    tags: list[str] | None = ...,
) -> Callable[[F], F]: ...


def ws_handler(func: Any = None, /, **options: Any) -> Any:
    """Let a method take one kind of message of the client; what it returns is sent.

    Args:
        func: The method: ``(self, message)``.
        options: ``action``, ``summary``, ``description`` and ``tags`` for the generated document; ``input_type`` and
            ``output_type`` where the annotations do not say it.
    """
    return _mark(func, False, options)


@overload
def event_handler(func: F, /) -> F: ...


@overload
def event_handler(
    *,
    input_type: Any = ...,
    output_type: Any = ...,
    description: str | None = ...,
    summary: str | None = ...,
    tags: list[str] | None = ...,
) -> Callable[[F], F]: ...


def event_handler(func: Any = None, /, **options: Any) -> Any:
    """Let a method take one kind of event; a message that it returns is sent. Arguments as for ``ws_handler``."""
    return _mark(func, True, options)


def _mark(func: Any, is_event: bool, options: dict[str, Any]) -> Any:
    marking = Marking(is_event, **{**options, "tags": tuple(options.get("tags") or ())})

    def mark(method: Any) -> Any:
        if inspect.iscoroutinefunction(method):
            raise TypeError(f"Handlers are synchronous, but {method.__qualname__} is an async function.")
        setattr(method, _MARK, marking)
        return method

    return mark if func is None else mark(func)


def members(annotation: Any) -> tuple[Any, ...]:
    """Return the types of a union, or the one type that ``annotation`` is; None counts for nothing."""
    if annotation is None or annotation is types.NoneType:
        return ()
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(member for part in get_args(annotation) for member in members(part))
    metadata = getattr(annotation, "__metadata__", None)
    return members(get_args(annotation)[0]) if metadata else (annotation,)


def values_of(model: type[BaseModel], name: str) -> tuple[Any, ...]:
    """Return the values that the ``Literal`` field ``name`` of ``model`` may have."""
    annotation = model.model_fields[name].annotation
    return get_args(annotation) if get_origin(annotation) is Literal else ()


def find_handlers(consumer: type) -> Iterator[tuple[bool, Handler]]:
    """Yield (is it for events, handler) for each handler of ``consumer`` and its bases; overrides win.

    Raises:
        TypeError: The types of one cannot be told, or are no models of the right kind.
    """
    seen: set[str] = set()
    for base in consumer.__mro__:
        for name, method in vars(base).items():
            marking = getattr(method, _MARK, None)
            if marking is not None and name not in seen and getattr(consumer, name, None) is not None:
                yield marking.is_event, _read_handler(name, getattr(consumer, name), marking)
            seen.add(name)


def _read_handler(name: str, method: Any, marking: Marking) -> Handler:
    parameters = list(inspect.signature(method).parameters.values())[1:]
    taken, given = marking.input_type, marking.output_type
    if taken is None or given is None:
        try:
            hints = get_type_hints(method)
        except NameError as error:
            raise TypeError(
                f"The annotations of {method.__qualname__} cannot be read ({error}): give the decorator input_type."
            ) from error
        taken = taken or (hints.get(parameters[0].name) if parameters else None)
        given = given or hints.get("return")
    kind = BaseChannelEvent if marking.is_event else BaseMessage
    inputs = members(taken)
    if not inputs or not all(isinstance(each, type) and issubclass(each, kind) for each in inputs):
        raise TypeError(f"The first argument of {method.__qualname__} must be annotated with a {kind.__name__}.")
    outputs = members(given)
    if not all(isinstance(each, type) and issubclass(each, BaseMessage) for each in outputs):
        raise TypeError(f"{method.__qualname__} may only return a BaseMessage or None, as its annotation must say.")
    summary, _, description = (inspect.getdoc(method) or "").partition("\n")
    return Handler(
        name,
        inputs,
        outputs,
        marking.action,
        marking.summary or summary.strip(),
        marking.description or description.strip(),
        marking.tags,
    )
