"""The protocol of a project's typed consumers as an AsyncAPI 3 document."""

from channels.typed.asyncapi.document import build_document
from channels.typed.asyncapi.paths import Address, Parameter
from channels.typed.asyncapi.routes import TypedRoute, find_routes
from channels.typed.asyncapi.text import FORMATS, write_document

__all__ = ["FORMATS", "Address", "Parameter", "TypedRoute", "build_document", "find_routes", "write_document"]
