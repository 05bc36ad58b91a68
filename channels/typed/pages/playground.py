"""What the playground knows of the typed consumers: where they are, and a draft of each message they take."""

from collections.abc import Sequence
from typing import Any

from channels.typed.asyncapi.routes import TypedRoute
from channels.typed.asyncapi.schemas import INCOMING, make_schemas
from channels.typed.handlers import values_of
from channels.typed.wire import ACTION, Spelling


def describe_consumers(routes: Sequence[TypedRoute]) -> list[dict[str, Any]]:
    """Return what the page shows of each route, as a JSON-like dict."""
    return [_describe(route) for route in routes]


def _describe(route: TypedRoute) -> dict[str, Any]:
    address = route.address
    return {
        "name": route.name,
        "description": route.description.partition("\n\n")[0],
        "path": address.template,
        "pattern": address.pattern,
        "parameters": [
            {"name": each.name, "pattern": each.pattern, "choices": each.choices, "example": each.example}
            for each in address.parameters
        ],
        "messages": list(_drafts(route)),
    }


def _drafts(route: TypedRoute) -> list[dict[str, Any]]:
    """Return something to begin with for each action; the page's user may change it."""
    spelling = Spelling.of_project()
    key = spelling.action_key
    schemas = make_schemas(((model, INCOMING) for model in route.consumer.protocol.incoming), spelling)
    drafts = []
    for model in route.consumer.protocol.incoming:
        name = schemas.names[model, INCOMING]
        draft = schemas.draft(name)
        summary = schemas.by_name[name].get("description", "").partition("\n")[0]
        drafts += [
            {"action": value, "summary": summary, "draft": {**draft, key: value}} for value in values_of(model, ACTION)
        ]
    return drafts
