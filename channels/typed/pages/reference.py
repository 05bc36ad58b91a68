"""A document as a page shows it: channels with their operations, schemas as rows of a table."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from channels.typed.asyncapi.examples import resolve

_NOTES = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "above {}",
    "exclusiveMaximum": "below {}",
    "multipleOf": "a multiple of {}",
    "minLength": "length at least {}",
    "maxLength": "length at most {}",
    "pattern": "matches {}",
    "minItems": "number of items at least {}",
    "maxItems": "number of items at most {}",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a message.

    Attributes:
        name: With the names of the fields it is in: ``payload.subject``.
        kind: Its type in words.
        is_required: Whether it must be there.
        notes: Its description, constraints and default.
    """

    name: str
    kind: str
    is_required: bool
    notes: str


def describe_channels(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the channels of ``document`` for the template: each with what clients send, and what they get."""
    described = []
    for name, channel in document["channels"].items():
        here = f"#/channels/{name}"
        operations = [
            _describe_operation(key, each, document)
            for key, each in document["operations"].items()
            if each["channel"]["$ref"] == here
        ]
        described.append(
            {
                **channel,
                "name": name,
                "sent": [each for each in operations if each["action"] == "receive"],
                "received": [each for each in operations if each["action"] == "send"],
                "security": _describe_security(operations, document),
            }
        )
    return described


def _describe_security(operations: list[dict[str, Any]], document: Mapping[str, Any]) -> list[dict[str, Any]]:
    names = [each["$ref"].rpartition("/")[2] for each in operations[0].get("security", ())] if operations else []
    schemes = document["components"].get("securitySchemes", {})
    return [{**schemes[name], "id": name} for name in names]


def _describe_operation(name: str, operation: Mapping[str, Any], document: Mapping[str, Any]) -> dict[str, Any]:
    return {
        **operation,
        "name": name.partition(".")[2],
        "messages": [_describe_message(each, document) for each in operation["messages"]],
        "answers": [_describe_message(each, document) for each in operation.get("reply", {}).get("messages", ())],
    }


def _describe_message(reference: Mapping[str, str], document: Mapping[str, Any]) -> dict[str, Any]:
    name = reference["$ref"].rpartition("/")[2]
    message, schemas = document["components"]["messages"][name], document["components"]["schemas"]
    examples = [json.dumps(each["payload"], indent=2, ensure_ascii=False) for each in message.get("examples", ())]
    return {**message, "id": name, "rows": list(rows_of(schemas[name], schemas)), "examples": examples}


def rows_of(
    schema: Mapping[str, Any], schemas: Mapping[str, Any], prefix: str = "", inside: tuple[str, ...] = ()
) -> Iterator[Row]:
    """Yield the fields of ``schema`` and of what is in it; what is inside itself is shown once.

    Args:
        schema: A JSON schema.
        schemas: What its references name.
        prefix: The names of the fields it is in.
        inside: The names of the schemas it is in.
    """
    name, found = resolve(schema, schemas)
    if name in inside:
        return
    within = (*inside, name) if name else inside
    for alternative in (*found.get("anyOf", ()), *found.get("oneOf", ()), *found.get("allOf", ())):
        yield from rows_of(alternative, schemas, prefix, within)
    if isinstance(found.get("items"), dict):
        yield from rows_of(found["items"], schemas, f"{prefix.removesuffix('.')}[].", within)
    for key, value in found.get("properties", {}).items():
        full = f"{prefix}{key}"
        yield Row(full, _kind(value, schemas), key in found.get("required", ()), _notes(value, schemas))
        yield from rows_of(value, schemas, f"{full}.", within)


def _kind(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    _, found = resolve(schema, schemas)
    if "const" in found or "enum" in found:
        return " or ".join(json.dumps(value) for value in found.get("enum", [found.get("const")]))
    alternatives = [*found.get("anyOf", ()), *found.get("oneOf", ())]
    if alternatives:
        return " or ".join(dict.fromkeys(_kind(each, schemas) for each in alternatives))
    kind = found.get("type", "anything")
    if kind == "array":
        items = found.get("items", {})
        parts = items if isinstance(items, list) else [items]
        return f"array of {', '.join(_kind(each, schemas) for each in parts)}"
    return f"{kind} ({found['format']})" if "format" in found else str(kind)


def _notes(schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> str:
    _, found = resolve(schema, schemas)
    merged = {**found, **schema}
    notes = [merged["description"]] if "description" in merged else []
    notes += [text.format(merged[key]) for key, text in _NOTES.items() if key in merged]
    if merged.get("default") is not None and "const" not in merged:
        notes.append(f"by default {json.dumps(merged['default'], ensure_ascii=False)}")
    return "; ".join(note.rstrip(".") for note in notes)
