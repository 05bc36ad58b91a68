"""The AsyncAPI 3 document of typed consumers: channels are their paths, operations what they take and send.

It is written from the side of the project: it *receives* what clients send. Events are no part of it, since no client
sees them; what their handlers send is.
"""

from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured

from channels.typed import settings
from channels.typed.asyncapi.operations import make_operations
from channels.typed.asyncapi.routes import TypedRoute
from channels.typed.asyncapi.schemas import INCOMING, OUTGOING, Mode, Schemas, make_schemas
from channels.typed.asyncapi.security import SecuritySchemes
from channels.typed.asyncapi.speech import Speech, read_speech
from channels.typed.messages import BaseMessage
from channels.typed.wire import Spelling

ASYNCAPI = "3.0.0"
"""The version of the specification."""

SERVER = "site"


def build_document(
    routes: Sequence[TypedRoute],
    *,
    base_url: str | None = None,
    title: str | None = None,
    version: str | None = None,
    description: str | None = None,
) -> dict[str, Any]:
    """Return the document of ``routes`` as a JSON-like dict.

    Args:
        routes: From ``find_routes``.
        base_url: Where the site is, for instance ``wss://example.com``; None is ``WEBSOCKET_BASE_URL``.
        title, version, description: None is what CHANNELS_TYPED says.

    Raises:
        ImproperlyConfigured: A message cannot be documented, or the base URL is none.
    """
    info = {
        "title": settings.get("ASYNCAPI_TITLE") if title is None else title,
        "version": settings.get("ASYNCAPI_VERSION") if version is None else version,
        "description": settings.get("ASYNCAPI_DESCRIPTION") if description is None else description,
    }
    speeches = [read_speech(route) for route in routes]
    schemas = make_schemas(_models(speeches), Spelling.of_project())
    operations: dict[str, Any] = {}
    security = SecuritySchemes()
    for speech in speeches:
        make_operations(speech, schemas, operations, security.refer(speech.route.consumer))
    components = {
        "messages": _make_messages(schemas),
        "schemas": dict(sorted(schemas.by_name.items())),
        "securitySchemes": security.by_name,
    }
    return {
        "asyncapi": ASYNCAPI,
        "info": {key: value for key, value in info.items() if value or key != "description"},
        "defaultContentType": "application/json",
        "servers": {SERVER: _make_server(settings.get("WEBSOCKET_BASE_URL") if base_url is None else base_url)},
        "channels": {speech.route.name: _make_channel(speech, schemas) for speech in speeches},
        "operations": operations,
        "components": {key: value for key, value in components.items() if value or key != "securitySchemes"},
    }


def _models(speeches: Iterable[Speech]) -> Iterable[tuple[type[BaseMessage], Mode]]:
    for speech in speeches:
        yield from ((model, INCOMING) for model in speech.incoming)
        yield from ((model, OUTGOING) for model in speech.outgoing)


def _make_server(base_url: str) -> dict[str, Any]:
    parts = urlsplit(base_url)
    if parts.scheme not in ("ws", "wss") or not parts.netloc:
        raise ImproperlyConfigured(
            f"The base URL {base_url!r} is not one of WebSockets: give one like wss://example.com, as "
            f"WEBSOCKET_BASE_URL in CHANNELS_TYPED or to whoever writes the document."
        )
    path = parts.path.rstrip("/")
    return {"host": parts.netloc, "protocol": parts.scheme, **({"pathname": path} if path else {})}


def _make_channel(speech: Speech, schemas: Schemas) -> dict[str, Any]:
    route = speech.route
    description = route.description
    if route.address.template is None:
        description = f"{description}\n\nIts path matches the regular expression {route.address.pattern}".strip()
    parameters = {}
    for each in route.address.parameters:
        found: dict[str, Any] = {"description": f"Matches {each.pattern}"}
        if each.choices:
            found["enum"] = each.choices
        elif each.example:
            found["examples"] = [each.example]
        parameters[each.name] = found
    channel = {
        "address": route.address.template,
        "title": route.consumer.__name__,
        "description": description,
        "servers": [{"$ref": f"#/servers/{SERVER}"}],
        "parameters": parameters,
        "messages": {
            name: {"$ref": f"#/components/messages/{name}"} for name in dict.fromkeys(speech.message_names(schemas))
        },
        "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
    }
    return {key: value for key, value in channel.items() if value or key == "address"}


def _make_messages(schemas: Schemas) -> dict[str, Any]:
    messages = {}
    for (model, mode), name in schemas.names.items():
        description = schemas.by_name[name].get("description", "")
        example = schemas.example(model, mode)
        message = {
            "name": model.__name__,
            "title": model.__name__,
            "summary": description.partition("\n")[0],
            "description": description.partition("\n")[2].strip(),
            "payload": {"$ref": f"#/components/schemas/{name}"},
            "examples": [] if example is None else [{"payload": example}],
        }
        messages[name] = {key: value for key, value in message.items() if value}
    return dict(sorted(messages.items()))
