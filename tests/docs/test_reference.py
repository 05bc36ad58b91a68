"""What the code has is in the documentation, and what the documentation names is in the code; its links are good."""

import importlib
import inspect
import re
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.core.management import load_command_class
from django.core.management.base import BaseCommand
from django.core.management.commands.runserver import Command as Runserver
from django.utils.module_loading import import_string

import channels
import channels.test
from channels import timings
from tests.support.blocks import PAGES
from tests.support.processes import ROOT
from tests.test_architecture import PACKAGE, PUBLIC_NAMES

REFERENCE = [page for page in PAGES if page.parent.name == "reference"]
TEXT = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
API = "\n".join(page.read_text(encoding="utf-8") for page in REFERENCE)
DIRECTIVE = re.compile(r"^\.\. auto(\w+):: ([\w.]+)\n((?:   .*\n)*)", re.MULTILINE)

KNOWN_HOSTS = {
    "docs.djangoproject.com",
    "docs.pydantic.dev",
    "redis.io",
    "www.asyncapi.com",
    "www.rfc-editor.org",
}
"""Sites that pages may lead to; a new one is added with thought, since links to it may rot."""

EXAMPLES = re.compile(r"(?:.+\.)?example(?:\.\w+)?|localhost|127\.0\.0\.1|interface|testserver")
"""Hosts of examples, which nobody follows."""

COMMANDS = sorted(
    (path.relative_to(PACKAGE.parent).parts[:-3], path.stem) for path in PACKAGE.rglob("management/commands/[a-z]*.py")
)


METRICS = (ROOT / "docs" / "monitoring.rst").read_text(encoding="utf-8")


# Names


@cache
def described() -> list[Any]:
    """Return every object that the reference describes."""
    found = []
    for kind, path, options in DIRECTIVE.findall(API):
        module, _, name = path.rpartition(".")
        if kind == "module":
            found += members(importlib.import_module(path), options)
        elif kind in ("class", "function", "exception"):
            found.append(getattr(importlib.import_module(module), name))
    return found


def members(module: Any, options: str) -> Iterator[Any]:
    """Yield what ``automodule`` takes from a module."""
    listed = re.search(r":members:((?:.*\n?)+?)(?=   :|\Z)", options)
    names = re.findall(r"\w+", listed[1]) if listed else []
    left_out = re.search(r":exclude-members: (.+)", options)
    for name, value in vars(module).items():
        is_taken = name in names if names else getattr(value, "__module__", None) == module.__name__
        if is_taken and (left_out is None or name not in left_out[1].split(", ")):
            yield value


PUBLIC = sorted(
    {f"{module}.{name}" for module, names in PUBLIC_NAMES.items() for name in names.split()}
    | {f"channels.{name}" for name in channels.__all__}
    | {f"channels.test.{name}" for name in channels.test.__all__}
)


@pytest.mark.parametrize("path", [path for path in PUBLIC if ".management." not in path])
def test_public_name_is_in_the_reference(path: str) -> None:
    """Described from its docstring or, where it is a value or an old name, named in words."""
    module, _, name = path.rpartition(".")
    value = getattr(importlib.import_module(module), name)
    is_described = any(value is each for each in described())
    assert is_described or f"``{name}``" in API or f"autodata:: {path}\n" in API


# Options of layers

LAYERS = [
    "channels.layers.inmemory.ChannelLayer",
    "channels.layers.ipc.IPCChannelLayer",
    "channels.layers.redis.RedisChannelLayer",
    "channels.layers.redis.RedisSentinelChannelLayer",
    "channels.layers.redis.RedisClusterChannelLayer",
    "channels.layers.redis.RedisLocalChannelLayer",
]
LAYERS_PAGE = (ROOT / "docs" / "layers.rst").read_text(encoding="utf-8")
LAYER_OPTION = re.compile(r"^(``\w+``(?:, ``\w+``)*)$", re.MULTILINE)


def options_taken(path: str) -> set[str]:
    """Return what ``CONFIG`` of a layer may hold."""
    parameters = inspect.signature(import_string(path)).parameters.values()
    return {each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)}


@pytest.mark.parametrize("path", LAYERS)
def test_layer_and_its_options_are_in_the_documentation(path: str) -> None:
    """Each on the page on layers, with what it means."""
    assert path in LAYERS_PAGE
    described = {name for line in LAYER_OPTION.findall(LAYERS_PAGE) for name in re.findall(r"\w+", line)}
    assert options_taken(path) - described - {"clock", "monotonic"} == set()


def test_options_of_layers_in_the_documentation_exist() -> None:
    """None of them was taken away."""
    taken = set().union(*map(options_taken, LAYERS))
    described = {name for line in LAYER_OPTION.findall(LAYERS_PAGE) for name in re.findall(r"\w+", line)}
    assert described - taken == set()


# Commands


def test_commands_are_found() -> None:
    """All that the package brings."""
    assert {name for _, name in COMMANDS} >= {"channels", "runserver", "runworker", "rundelay", "legacyreport"}


@pytest.mark.parametrize(("app", "name"), [pytest.param(".".join(app), name, id=name) for app, name in COMMANDS])
def test_command_and_its_options_are_in_the_documentation(app: str, name: str) -> None:
    """Each option of ours, wherever its page is."""
    assert name in TEXT
    ours = options_of(load_command_class(app, name), name)
    missing = {option for option in ours if f"``{option}" not in TEXT and f"[{option}" not in TEXT}
    assert missing == set()


def options_of(command: BaseCommand, name: str) -> set[str]:
    """Return the long options of a command that are not Django's own."""
    parser = command.create_parser("manage.py", name)
    django = Runserver() if name == "runserver" else BaseCommand()
    theirs = set(django.create_parser("manage.py", name)._option_string_actions)
    found = set(parser._option_string_actions)
    for action in parser._actions:
        for inner in (action.choices or {}).values() if isinstance(action.choices, dict) else ():
            found |= set(inner._option_string_actions)
    return {option for option in found - theirs if option.startswith("--")} - {"--help"}


def test_options_of_uvicorn_on_the_page_for_1x_exist() -> None:
    """What stands for an option of daphne is one that the server takes."""
    from uvicorn.main import main

    page = (ROOT / "docs" / "coming-from-1.x.rst").read_text(encoding="utf-8")
    table = page.partition("Options of daphne\n")[2].partition("Options of asgi_redis\n")[0]
    rows = [line[39:88] for line in table.splitlines() if line.startswith("``")]
    named = {option for row in rows for option in re.findall(r"``(--[\w-]+)``", row)}
    taken = {option for parameter in main.params for option in parameter.opts}
    assert len(named) > 10
    assert named - taken == set()


def test_metrics_in_the_documentation_are_those_of_the_code() -> None:
    """Names as Prometheus shows them."""
    text = "".join((PACKAGE / part / "metrics.py").read_text(encoding="utf-8") for part in ("observe", "supervision"))
    made = re.findall(r'(CounterMetricFamily|GaugeMetricFamily|_gauge)\(\s*"(channels_\w+)"', text)
    in_code = {f"{name}_total" if kind == "CounterMetricFamily" else name for kind, name in made}
    in_code |= {f"channels_{kind}_seconds" for kind in timings.KINDS}
    assert set(re.findall(r"^``(channels_\w+)``", METRICS, re.MULTILINE)) == in_code


# Links


def links() -> Iterator[tuple[str, str]]:
    """Yield every address that pages and docstrings name, and where."""
    files = [*PAGES, *(ROOT / "changelog.d").glob("*.rst")]
    files += [path for kind in ("py", "html") for path in PACKAGE.rglob(f"*.{kind}")] if PACKAGE.exists() else []
    for file in files:
        for address in re.findall(r"\bhttps?://[\w.:-]+[^\s`'\"<>)\\,;]*", file.read_text(encoding="utf-8")):
            if "{" not in address and "%s" not in address:
                yield str(file), address.rstrip(".:/")


@pytest.mark.parametrize("address", sorted({address for _, address in links()}))
def test_link_leads_to_a_known_site_over_https(address: str) -> None:
    """Examples aside. Whether the page is still there is not asked: tests need no network."""
    parts = urlsplit(address)
    if not EXAMPLES.fullmatch(parts.hostname or ""):
        assert parts.scheme == "https"
        assert parts.hostname in KNOWN_HOSTS


def test_readme_names_pages_that_exist() -> None:
    """The README is read where references are plain text."""
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    named = set(re.findall(r"``((?:docs|examples|js|\.ci)/[\w./-]+)``", text))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
