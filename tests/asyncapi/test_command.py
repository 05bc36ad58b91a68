"""``manage.py generate_asyncapi_schema``: where the document goes, in which form, and what may be in the way."""

import io
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command

from channels.test import apply_routes

COMMAND = "generate_asyncapi_schema"


def generate(*arguments: str) -> str:
    """Return what the command writes."""
    out = io.StringIO()
    call_command(COMMAND, *arguments, stdout=out)
    return out.getvalue()


def test_json_goes_to_the_output(document: dict[str, Any]) -> None:
    """Unless something else is asked for."""
    assert json.loads(generate()) == document


def test_yaml_says_the_same(document: dict[str, Any]) -> None:
    """Without anchors, which some readers do not know."""
    text = generate("--format", "yaml")
    assert yaml.safe_load(text) == document
    assert "&id" not in text


@pytest.mark.parametrize(
    ("name", "read"), [("a.json", json.loads), ("a.yaml", yaml.safe_load), ("a.yml", yaml.safe_load)]
)
def test_file_is_written_in_the_form_of_its_ending(
    document: dict[str, Any], tmp_path: Path, name: str, read: Any
) -> None:
    """And nothing goes to the output."""
    assert generate("--file", str(tmp_path / name)) == ""
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert read(text) == document
    assert text.startswith("{") == name.endswith("json")


def test_options_are_those_of_the_document(routed: None) -> None:
    """They come before the settings."""
    arguments = ["--title=Desk", "--api-version=7", "--description=All", "--base-url=wss://example.com"]
    made = json.loads(generate(*arguments))
    assert made["info"] == {"title": "Desk", "version": "7", "description": "All"}
    assert made["servers"]["site"]["host"] == "example.com"


def test_project_without_typed_consumers_is_told_so(capsys: pytest.CaptureFixture[str]) -> None:
    """The document is empty, which is probably not what was meant."""
    err = io.StringIO()
    with apply_routes([]):
        call_command(COMMAND, stdout=io.StringIO(), stderr=err)
    assert "no typed consumer" in err.getvalue()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--layer", "nowhere"], "nowhere"),
        (["--base-url", "https://example.com"], "wss://example.com"),
        (["--file", "/nowhere/at/all.json"], "Cannot write /nowhere/at/all.json"),
    ],
)
def test_mistake_is_named(routed: None, arguments: list[str], text: str) -> None:
    """Without a traceback."""
    with pytest.raises(CommandError, match=text):
        generate(*arguments)


def test_missing_yaml_is_named(routed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the command that installs it."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(CommandError, match=r"pip install .channels-classic\[typed\]"):
        generate("--format", "yaml")


def test_missing_extra_is_named(routed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the command and by the pages."""
    for name in [name for name in sys.modules if name.startswith("channels.typed")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pydantic", None)
    with pytest.raises(CommandError, match=r"pip install .channels-classic\[typed\]"):
        generate()
    with pytest.raises(ImportError, match=r"pip install .channels-classic\[typed\]"):
        import_module("channels.typed.urls")
