"""The messages of typed consumers: pydantic models told apart by ``action``, events by ``handler``.

How they become text and back is in ``channels.typed.wire``; which of them a consumer takes, in ``protocol``.
"""

from abc import ABC
from typing import Any, Final, Literal, get_origin

from pydantic import BaseModel

ACTION_COMPLETE: Final = "complete"
GROUP_ACTION_COMPLETE: Final = "group_complete"


def _require_literal(model: type[BaseModel], name: str) -> None:
    if ABC in model.__bases__:
        return
    annotation = model.model_fields[name].annotation
    if annotation is Any:
        raise TypeError(f"Class {model.__name__!r} must define an {name!r} field")
    if get_origin(annotation) is not Literal:
        raise TypeError(f"Class {model.__name__!r} requires the field {name!r} to be a `Literal` type")


class BaseMessage(BaseModel, ABC):
    """Base of what a client and a consumer send each other: ``{"action": ..., "payload": ...}``.

    A subclass annotates ``action`` with ``Literal`` and gives it that value; one that is only a base of others
    lists ``abc.ABC`` among its own bases.

    Raises:
        TypeError: The subclass has no ``action``, or one that is not a ``Literal``.
    """

    action: Any
    payload: Any

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        _require_literal(cls, "action")


class BaseGroupMessage(BaseMessage, ABC):
    """Base of what goes to groups. Each member sees of it whose it is.

    Attributes:
        is_mine: The sender is the member's own user, on whatever connection.
        is_current: The sender is this very connection.
    """

    is_mine: bool = False
    is_current: bool = False


class BaseChannelEvent(BaseModel, ABC):
    """Base of what other parts of the project send to consumers: ``{"handler": ..., "payload": ...}``.

    Raises:
        TypeError: The subclass has no ``handler``, or one that is not a ``Literal``.
    """

    handler: Any
    payload: Any

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        _require_literal(cls, "handler")


class PingMessage(BaseMessage):
    """Asks whether the consumer is there."""

    action: Literal["ping"] = "ping"
    payload: None = None


class PongMessage(BaseMessage):
    """Answers a ping."""

    action: Literal["pong"] = "pong"
    payload: None = None


class ErrorMessage(BaseMessage):
    """Says what was wrong with a message: a list of ``type``, ``loc`` and ``msg``, or a ``detail``."""

    action: Literal["error"] = "error"
    payload: Any = None


class AuthenticationPayload(BaseModel):
    """The outcome of an authentication, in the words of HTTP."""

    status_code: int
    status_text: str
    data: Any = None


class AuthenticationMessage(BaseMessage):
    """The first message on a socket: whether its client may stay."""

    action: Literal["authentication"] = "authentication"
    payload: AuthenticationPayload


class CompleteMessage(BaseMessage):
    """Says that all answers to a message have been sent."""

    action: Literal["complete"] = ACTION_COMPLETE
    payload: None = None


class GroupCompleteMessage(BaseMessage):
    """Says that a message to a group has been sent."""

    action: Literal["group_complete"] = GROUP_ACTION_COMPLETE
    payload: None = None
