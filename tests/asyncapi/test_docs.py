"""The page on documents: its code is run, and the options it lists are those of the command."""

import json
import re
from typing import Any

import pytest
from django.core.management import load_command_class
from django.urls import reverse

from channels.test import WebsocketSession, apply_routes
from channels.typed.asyncapi import build_document, find_routes
from tests.docs.test_consumer_pages import DOCS, Page

TEXT = (DOCS / "asyncapi.rst").read_text(encoding="utf-8")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch, db: None) -> Page:
    """The page."""
    return Page("asyncapi", monkeypatch)


def test_consumer_of_the_page_is_documented_and_answers(page: Page) -> None:
    """As the list before it says."""
    (number,) = [number for number, block in enumerate(page.blocks) if block.startswith("# questions.py")]
    module: Any = page.run(number)
    with apply_routes(module.channel_routing):
        document = build_document(find_routes())
        example = document["components"]["messages"]["AskMessage"]["examples"][0]["payload"]
        with WebsocketSession("/desks/north/") as socket:
            assert socket.receive_json()["payload"]["status_code"] == 200
            socket.send_json(example)
            assert socket.receive_json() == {"action": "taken", "payload": "ada"}
    assert example["payload"] == {"subject": "Where is the key?"}
    assert {"Desk.ask", "Desk.receive_message", "Desk.emits"} < set(document["operations"])


def test_document_of_the_page_is_text(page: Page) -> None:
    """In the form that the function is named for."""
    module: dict[str, Any] = {}
    exec(page.blocks[0], module)
    assert module["document_as_yaml"]().startswith("asyncapi: 3.0.0\n")
    assert json.dumps(build_document([]))


def test_paths_of_the_page_exist(page: Page) -> None:
    """With the names that the table gives them."""
    (number,) = [number for number, block in enumerate(page.blocks) if block.startswith("# urls.py")]
    rows = re.findall(r"^   \* - ``(sockets/\S*)``\n     - ``([\w-]+)``", TEXT, re.MULTILINE)
    assert len(rows) == 4
    for path, name in rows:
        assert reverse(f"channels_typed:{name}", urlconf=page.run(number)) == f"/{path}"


def test_options_of_the_page_exist() -> None:
    """And all of the command's own are there."""
    parser = load_command_class("channels", "generate_asyncapi_schema").create_parser("manage.py", "generate")
    table = TEXT[: TEXT.index("In Python the same is")]
    documented = set(re.findall(r"^``(--[a-z-]+)|, ``(--[a-z-]+)", table, re.MULTILINE))
    own = {"--file", "--format", "--base-url", "--title", "--api-version", "--description", "--layer"}
    assert {first or second for first, second in documented} == own
    assert own < set(parser._option_string_actions)
