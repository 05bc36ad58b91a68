"""The help desk as the project's routing."""

from collections.abc import Iterator
from typing import Any

import pytest

from channels.test import apply_routes
from channels.typed.asyncapi import build_document, find_routes
from tests.asyncapi import desk


@pytest.fixture
def routed() -> Iterator[None]:
    """The routing of the desk on the default layer."""
    with apply_routes(desk.routes):
        yield


@pytest.fixture
def document(routed: None) -> dict[str, Any]:
    """The document of the desk."""
    return build_document(find_routes())
