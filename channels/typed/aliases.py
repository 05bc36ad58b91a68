"""Fields with an alias, which clients write as it is, where they write all other keys in camelCase.

Which keys those are depends on the model that a key is in, so what came is read beside the schema of the messages.
"""

import functools
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic import TypeAdapter
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaWarningKind

from channels.typed.cases import decamelize, snake

Schema = dict[str, Any]


def decamelize_for(adapter: TypeAdapter[Any], content: Any) -> Any:
    """Return JSON-like ``content`` with keys as the models of ``adapter`` have them: in snake_case, but for aliases."""
    reader = _reader_of(adapter)
    return decamelize(content) if reader is None else reader.read(content, [reader.root])


class _QuietSchema(GenerateJsonSchema):
    """What JSON schema has no words for need not be told to anybody here."""

    def emit_warning(self, kind: JsonSchemaWarningKind, detail: str) -> None: ...


@functools.lru_cache(maxsize=256)
def _reader_of(adapter: TypeAdapter[Any]) -> "_Reader | None":
    """Return what knows the aliases of ``adapter``; None if none of them looks like camelCase."""
    try:
        root = adapter.json_schema(by_alias=True, mode="validation", schema_generator=_QuietSchema)
    except PydanticInvalidForJsonSchema:
        return None
    reader = _Reader(root)
    schemas = [root, *reader.definitions.values()]
    return reader if any(name != snake(name) for each in schemas for name in each.get("properties", ())) else None


class _Reader:
    """Reads keys beside a JSON schema.

    Args:
        root: The schema of the whole.
    """

    def __init__(self, root: Schema) -> None:
        self.root = root
        self.definitions: dict[str, Schema] = root.get("$defs", {})

    def read(self, value: Any, schemas: Iterable[Schema]) -> Any:
        """Return ``value``, which is of any of ``schemas``, with the keys of models."""
        if isinstance(value, list):
            items = [item for each in self._expand(schemas, value) for item in _items(each)]
            return [self.read(item, items) for item in value]
        if not isinstance(value, dict):
            return value
        found = self._expand(schemas, value)
        known = {name for each in found for name in each.get("properties", ())}
        read = {}
        for key, item in value.items():
            name = key if key in known else snake(key)
            read[name] = self.read(item, [part for each in found for part in _parts(each, name)])
        return read

    def _expand(self, schemas: Iterable[Schema], value: Any) -> list[Schema]:
        """Return ``schemas`` and their alternatives, but for those that ask for another constant than ``value`` has."""
        # Each once: clients nest values as deep as they like, and alternatives would multiply on each level.
        found: dict[int, Schema] = {}
        waiting = list(schemas)
        while waiting:
            schema = waiting.pop()
            if "$ref" in schema:
                schema = self.definitions[schema["$ref"].rpartition("/")[2]]
            if id(schema) not in found and _may_be(schema, value):
                found[id(schema)] = schema
                waiting += (each for kind in ("anyOf", "oneOf", "allOf") for each in schema.get(kind, ()))
        return list(found.values())


def _items(schema: Schema) -> Iterator[Schema]:
    """Yield the schemas of what is in a list."""
    yield from schema.get("prefixItems", ())
    if isinstance(schema.get("items"), dict):
        yield schema["items"]


def _parts(schema: Schema, name: str) -> Iterator[Schema]:
    """Yield the schemas of what is under the key ``name``."""
    yield from schema.get("patternProperties", {}).values()
    part = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
    if isinstance(part, dict):
        yield part


def _may_be(schema: Schema, value: Any) -> bool:
    """Return whether ``value`` has the constants of ``schema``, such as its action; what it lacks does not count."""
    if not isinstance(value, dict):
        return True
    for name, part in schema.get("properties", {}).items():
        allowed = [part["const"]] if "const" in part else part.get("enum")
        if allowed is not None and name in value and value[name] not in allowed:
            return False
    return True
