"""The documents before the official parser, which knows the schema of AsyncAPI and the rules that go with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from channels.test import apply_routes
from channels.test.typed import override_typed_settings
from channels.typed.asyncapi import build_document, find_routes, write_document
from tests.asyncapi import desk, everything, test_security
from tests.consumers_typed import conftest as typed
from tests.support import node
from tests.support.processes import ROOT

VALIDATOR = ROOT / "tests/asyncapi/validator"
ERROR, WARNING = 0, 1
NEWER_EXISTS = "asyncapi-latest-version"

pytestmark = pytest.mark.slow


def judge(*files: Path) -> dict[Path, Any]:
    """Return what the parser says of files."""
    node.install(VALIDATOR)
    found = json.loads(node.run([node.require("node"), VALIDATOR / "validate.mjs", *files]))
    return {file: found[str(file)] for file in files}


def test_documents_are_valid(tmp_path: Path) -> None:
    """Of all kinds of consumers, in both forms and in every spelling: no error, no warning."""
    files = {}
    other = {"CAMELIZE": True, "MESSAGE_ACTION_KEY": "type"}
    kinds: list[Any] = [(desk.routes, {}, "json"), (desk.routes, other, "yaml"), (typed.ROUTES, {}, "json")]
    known = [each.as_route(path=f"^/{each.__name__}/$") for each in (test_security.Known, test_security.Anyhow)]
    kinds += [(known, {}, "json"), (everything.routes, {}, "json"), (everything.routes, other, "json")]
    for routes, spelling, form in kinds:
        with apply_routes(routes), override_typed_settings(**spelling):
            document = build_document(find_routes())
        file = tmp_path / f"{len(files)}.{form}"
        file.write_text(write_document(document, form))
        files[file] = [each["address"] for each in document["channels"].values()]
    for file, found in judge(*files).items():
        assert found["version"] == "3.0.0", found
        assert found["channels"] == files[file]
        assert [each for each in found["diagnostics"] if each["code"] != NEWER_EXISTS] == [], file.read_text()


def test_parser_finds_mistakes(tmp_path: Path) -> None:
    """A message that a channel does not have, and an address of the wrong type: so the test above can fail."""
    with apply_routes(desk.routes):
        text = write_document(build_document(find_routes()))
    broken = tmp_path / "broken.json", tmp_path / "mistyped.json"
    broken[0].write_text(text.replace("#/channels/Desk/messages/TakenMessage", "#/channels/Desk/messages/Gone"))
    broken[1].write_text(text.replace('"address": "/desks/{building}/"', '"address": 7'))
    for found in judge(*broken).values():
        assert [each for each in found["diagnostics"] if each["severity"] == ERROR]
