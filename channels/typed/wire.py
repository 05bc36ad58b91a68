"""Messages as text: models to JSON and back, keys in the spelling of the client, errors in the documented shape."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from django.utils.functional import Promise
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError, from_json, to_json

from channels.typed import settings
from channels.typed.aliases import decamelize_for
from channels.typed.cases import camel, camelize

T = TypeVar("T")

ACTION = "action"


class InvalidMessage(Exception):
    """What a client sent is no message of the consumer.

    Args:
        reason: One word for counters.
        details: What the client is told: dicts with ``type``, ``loc`` and ``msg``.
    """

    def __init__(self, reason: str, details: list[dict[str, Any]]) -> None:
        super().__init__(reason)
        self.reason = reason
        self.details = details


def describe(kind: str, text: str) -> list[dict[str, Any]]:
    """Return an error that is not one of a field in the shape of those that are."""
    return [{"type": kind, "loc": [], "msg": text}]


def to_content(message: BaseModel) -> dict[str, Any]:
    """Return ``message`` as a JSON-like dict."""
    return message.model_dump(mode="json", fallback=_read_lazy)


def _read_lazy(value: Any) -> str:
    """Return a text that is translated when it is used, which pydantic does not know."""
    if isinstance(value, Promise):
        return str(value)
    raise PydanticSerializationError(f"Unable to serialize unknown type: {type(value)}")


def _move(content: Any, old: str, new: str) -> Any:
    """Return ``content`` with the key ``old`` called ``new``, in its place."""
    if not isinstance(content, dict) or old == new or old not in content:
        return content
    return {new if key == old else key: value for key, value in content.items() if key != new}


@dataclass(frozen=True, slots=True)
class Spelling:
    """How keys are spelled for clients.

    Attributes:
        action_key: The key that tells messages apart, as they write it.
        is_camel: Whether keys are in camelCase.
    """

    action_key: str = ACTION
    is_camel: bool = False

    @classmethod
    def of_project(cls) -> "Spelling":
        """Return the spelling that CHANNELS_TYPED asks for."""
        return cls.of(settings.read())

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> "Spelling":
        """Return the spelling that ``options``, by the names of CHANNELS_TYPED, ask for."""
        action_key, is_camel = options["MESSAGE_ACTION_KEY"], bool(options["CAMELIZE"])
        return cls(camel(action_key) if is_camel else action_key, is_camel)

    @property
    def is_plain(self) -> bool:
        """Whether keys are those of the models."""
        return not self.is_camel and self.action_key == ACTION

    def key(self, name: str) -> str:
        """Return the field ``name`` of a message as clients see it."""
        return camel(name) if self.is_camel else name

    def encode(self, message: BaseModel) -> str:
        """Return ``message`` as JSON."""
        return (
            message.model_dump_json(fallback=_read_lazy) if self.is_plain else self.encode_content(to_content(message))
        )

    def encode_content(self, content: Any) -> str:
        """Return JSON-like ``content`` as JSON."""
        content = _move(content, ACTION, self.action_key)
        # NaN is no JSON; pydantic writes null for it, too.
        spelled = camelize(content) if self.is_camel else content
        return to_json(spelled, inf_nan_mode="null", fallback=_read_lazy).decode()

    def decode(self, adapter: TypeAdapter[T], text: bytes) -> T:
        """Return the message that ``text`` is.

        Raises:
            InvalidMessage: It is none.
        """
        try:
            if not self.is_plain:
                text = self._respell(adapter, text)
            return adapter.validate_json(text)
        except ValidationError as error:
            errors = error.errors(include_url=False, include_context=False, include_input=False)
            details = [self._spell_error(each) for each in errors]
            reason = "malformed" if details[0]["type"] == "json_invalid" else "invalid"
            raise InvalidMessage(reason, details) from error

    def _respell(self, adapter: TypeAdapter[Any], text: bytes) -> bytes:
        try:
            content = from_json(text)
        except ValueError as error:
            raise InvalidMessage("malformed", describe("json_invalid", f"Invalid JSON: {error}")) from error
        if self.action_key != ACTION and isinstance(content, dict):
            # It would pass for the key that clients did not use.
            content.pop(ACTION, None)
        content = _move(content, self.action_key, ACTION)
        return to_json(decamelize_for(adapter, content) if self.is_camel else content)

    def _spell_error(self, detail: Any) -> dict[str, Any]:
        """Return an error of pydantic with the key that clients know in the place of the model's."""
        loc, text = list(detail["loc"]), detail["msg"]
        if loc == [ACTION]:
            loc = [self.action_key]
        if detail["type"].startswith("union_tag_"):
            text = text.replace(f" using '{ACTION}'", f" using '{self.action_key}'")
            text = text.replace(f" discriminator '{ACTION}'", f" discriminator '{self.action_key}'")
        return {**detail, "loc": loc, "msg": text}
