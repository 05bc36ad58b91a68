"""Example values of JSON schemas, as pydantic makes them: what the schema itself suggests, else something that fits.

A value that only code could find, such as one for a ``pattern``, is a guess; models may say better with ``examples``.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from channels.typed.asyncapi.paths import SAMPLES

_TEXTS = {
    "date-time": "2026-01-31T12:00:00Z",
    "date": "2026-01-31",
    "time": "12:00:00Z",
    "duration": "PT1H",
    "uuid": "00000000-0000-4000-8000-000000000000",
    "uri": "https://example.com/",
    "email": "ada@example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "ipvanyaddress": "192.0.2.1",
    "json-string": "{}",
}
"""An example for each format of a text."""

_CONSTRAINED = re.compile(r"\^|\$|\\|\[|\(|\.|\*|\+|\?")


def resolve(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """Return (name, schema) of what ``schema`` refers to; (None, itself) if it is no reference."""
    reference = schema.get("$ref")
    if reference is None:
        return None, schema
    name = reference.rpartition("/")[2]
    return name, schemas[name]


def make_example(schema: Mapping[str, Any], schemas: Mapping[str, Any], inside: tuple[str, ...] = ()) -> Any:
    """Return a value that fits ``schema``.

    Args:
        schema: A JSON schema.
        schemas: What its references name.
        inside: Names of the schemas that this one is a part of.

    Raises:
        RecursionError: Every value would hold another one of its own kind.
    """
    for suggestion in (schema.get("examples") or [])[:1]:
        return suggestion
    if "default" in schema:
        return schema["default"]
    name, found = resolve(schema, schemas)
    if name is not None:
        if name in inside:
            raise RecursionError(f"The schema {name} has no example that ends.")
        return make_example(found, schemas, (*inside, name))
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    for alternatives in ("oneOf", "anyOf", "allOf"):
        if alternatives in schema:
            return _first_that_ends(schema[alternatives], schemas, inside)
    kind = schema.get("type")
    if isinstance(kind, list):  # As schemas that were written by hand may have it.
        kind = next((each for each in kind if each != "null"), "null")
    if kind == "object":
        return _make_object(schema, schemas, inside)
    if kind == "array":
        return _make_array(schema, schemas, inside)
    return _make_scalar(kind, schema)


def _first_that_ends(alternatives: list[Any], schemas: Mapping[str, Any], inside: tuple[str, ...]) -> Any:
    # What is something says more than what is nothing.
    for alternative in sorted(alternatives, key=lambda each: each.get("type") == "null"):
        try:
            return make_example(alternative, schemas, inside)
        except RecursionError as error:
            failure = error
    raise failure


def _make_object(schema: Mapping[str, Any], schemas: Mapping[str, Any], inside: tuple[str, ...]) -> dict[str, Any]:
    found = {}
    for name, value in schema.get("properties", {}).items():
        try:
            found[name] = make_example(value, schemas, inside)
        except RecursionError:
            if name in schema.get("required", ()):
                raise
    return found


def _make_array(schema: Mapping[str, Any], schemas: Mapping[str, Any], inside: tuple[str, ...]) -> list[Any]:
    items, least = schema.get("prefixItems", schema.get("items", {})), schema.get("minItems", 0)
    if isinstance(items, list):
        return [make_example(item, schemas, inside) for item in items]
    if schema.get("maxItems") == 0:
        return []
    try:
        return [make_example(items, schemas, inside) for _ in range(max(least, 1))]
    except RecursionError:
        if least:
            raise
        return []


def _make_scalar(kind: str | None, schema: Mapping[str, Any]) -> Any:
    if kind == "string":
        return _make_text(schema)
    if kind in ("integer", "number"):
        return _make_number(schema)
    return {"boolean": False, "null": None, None: {}}.get(kind)


def _make_text(schema: Mapping[str, Any]) -> str:
    text = _TEXTS.get(schema.get("format", ""), "text")
    pattern = schema.get("pattern")
    if pattern is not None:
        candidates = (text, *SAMPLES, _CONSTRAINED.sub("", pattern))
        with suppress(re.error):  # The patterns of pydantic are those of Rust.
            text = next((each for each in candidates if re.search(pattern, each)), text)
    text = text.ljust(schema.get("minLength", 0), "x")
    return text[: schema.get("maxLength", len(text))]


def _make_number(schema: Mapping[str, Any]) -> Any:
    step = schema.get("multipleOf", 1)
    least = schema.get("minimum", schema.get("exclusiveMinimum"))
    most = schema.get("maximum", schema.get("exclusiveMaximum"))
    value = 1 if least is None else least
    if most is not None and value > most:
        value = most
    # A multiple of the step that is not below the value.
    value = step * -(-value // step)
    if value == schema.get("exclusiveMinimum"):
        value += step if most is None or value + step < most else (most - value) / 2
    elif value == schema.get("exclusiveMaximum"):
        value -= step
    return value
