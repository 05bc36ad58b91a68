"""The models of messages as schemas of a document: named, in the form that AsyncAPI reads, spelled as on the wire."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.core.exceptions import ImproperlyConfigured
from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import from_json, to_json

from channels.typed.asyncapi.examples import make_example
from channels.typed.cases import camelize
from channels.typed.messages import BaseMessage
from channels.typed.wire import ACTION, InvalidMessage, Spelling

Mode = Literal["validation", "serialization"]
INCOMING: Mode = "validation"
OUTGOING: Mode = "serialization"

_PLACE = "#/components/schemas/{model}"


class _WireSchema(GenerateJsonSchema):
    """Schemas with the names of the wire: messages are read by the aliases of fields, and written by their names."""

    @property
    def by_alias(self) -> bool:
        return self.mode == INCOMING

    @by_alias.setter
    def by_alias(self, value: bool) -> None: ...


@dataclass(frozen=True, slots=True)
class Schemas:
    """The schemas of a document.

    Attributes:
        by_name: Each schema.
        names: Which of them is that of a model that clients send (``INCOMING``) or get (``OUTGOING``).
        spelling: How keys are spelled for clients.
    """

    by_name: dict[str, dict[str, Any]]
    names: dict[tuple[type[BaseMessage], Mode], str]
    spelling: Spelling

    def draft(self, name: str) -> Any:
        """Return something that looks like the message of the schema ``name``; empty where every value has no end."""
        try:
            return make_example(self.by_name[name], self.by_name)
        except RecursionError:
            return {}

    def example(self, model: type[BaseMessage], mode: Mode) -> Any:
        """Return an example of ``model``; None if none is known that the model takes."""
        draft = self.draft(self.names[model, mode])
        try:
            self.spelling.decode(TypeAdapter(model), to_json(draft))
        except InvalidMessage:
            return None
        return draft


def make_schemas(models: Iterable[tuple[type[BaseMessage], Mode]], spelling: Spelling) -> Schemas:
    """Return the schemas of ``models`` and of what they are made of.

    Raises:
        ImproperlyConfigured: A model has a field that JSON schema has no word for.
    """
    wanted = list(dict.fromkeys(models))
    try:
        references, definitions = models_json_schema(wanted, ref_template=_PLACE, schema_generator=_WireSchema)
    except PydanticInvalidForJsonSchema as error:
        raise ImproperlyConfigured(
            f"A message of the typed consumers cannot be documented: {error.message}. Give the field a type that JSON "
            f"schema has a word for, or describe it with pydantic.WithJsonSchema."
        ) from error
    names: dict[tuple[type[BaseMessage], Mode], str] = {
        key: references[key]["$ref"].rpartition("/")[2] for key in wanted
    }
    schemas = {name: _respell(schema, spelling) for name, schema in definitions.get("$defs", {}).items()}
    for name in set(names.values()):
        schemas[name] = _mark_action(schemas[name], spelling)
    return Schemas(schemas, names, spelling)


def _respell(schema: Any, spelling: Spelling) -> Any:
    """Return ``schema`` with the keys that clients see, and without what AsyncAPI reads otherwise."""
    if isinstance(schema, list):
        return [_respell(each, spelling) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "properties":
            found[key] = {spelling.key(name): _respell(each, spelling) for name, each in value.items()}
        elif key == "required":
            found[key] = [spelling.key(name) for name in value]
        elif isinstance(value, float) and not math.isfinite(value):
            continue  # JSON has no such number, neither as a default nor as a limit.
        elif key in ("default", "examples"):
            plain = from_json(to_json(value, inf_nan_mode="null"))
            found[key] = camelize(plain) if spelling.is_camel else plain
        elif key in ("const", "enum"):
            found[key] = value
        elif key == "discriminator":
            found[key] = spelling.key(value["propertyName"])  # AsyncAPI has the name alone.
        else:
            # Tuples, as the draft of JSON schema that AsyncAPI is built on has them.
            found["items" if key == "prefixItems" else key] = _respell(value, spelling)
    return found


def _mark_action(schema: Mapping[str, Any], spelling: Spelling) -> dict[str, Any]:
    """Return the schema of a message with its action first, required, and under the key of the project."""
    key = spelling.action_key
    action = {name: value for name, value in schema["properties"][ACTION].items() if name != "title"}
    others = {name: value for name, value in schema["properties"].items() if name not in (ACTION, key)}
    required = [name for name in schema.get("required", ()) if name not in (ACTION, key)]
    return {**schema, "properties": {key: action, **others}, "required": [key, *required]}
