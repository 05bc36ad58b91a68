"""No block of code in the documentation goes unrun: many pages have tests of their own, and the other blocks run here.

A block that cannot be run says so before its directive, in a comment: ``.. shown only: the reason``.
"""

import re
import shlex
import sys
import types
from collections.abc import Iterator
from functools import partial
from importlib.util import find_spec
from typing import Any

import pytest
from django.core.management import get_commands, load_command_class
from django.test import override_settings

from channels import conf
from channels.checks import layers as layer_checks
from channels.generic.websockets import WebsocketConsumer
from channels.layers.redis import RedisChannelLayer
from channels.registry import ChannelLayerWrapper, channel_layers
from channels.routing import Router
from tests.docs.test_dependencies import EXTRAS
from tests.support.blocks import PAGES, Block, blocks_of
from tests.support.connection import Connection
from tests.support.processes import ROOT
from tests.support.redis import RedisServer

RUNNERS = {
    "tests/docs/test_tutorial.py": ["getting-started"],
    "tests/docs/test_howto.py": [
        "project-template",
        *sorted({path.stem for path in (ROOT / "docs/howto").iterdir()} - {"index"}),
    ],
    "tests/docs/test_consumer_pages.py": [
        "consumers",
        "generics",
        "groups",
        "sessions",
        "ordering",
        "multiplexing",
        "security",
    ],
    "tests/handler/test_docs_http.py": ["http"],
    "tests/testing/test_docs.py": ["testing", "layers-writing"],
    "tests/consumers_typed/test_docs.py": ["typed"],
    "tests/binding/test_docs.py": ["binding"],
    "tests/delay/test_docs.py": ["delay"],
    "tests/docs/test_blocks.py": ["routing"],
}
"""Test modules that run all Python of some pages, and the pages; the first two run their commands as well."""

RUN_COMMANDS = ("tests/docs/test_tutorial.py", "tests/docs/test_howto.py")

NAMED_PROGRAMS = {"tox", "opentelemetry-sdk", "opentelemetry-exporter-otlp"}
"""What pages install besides this package."""

MOST_SHOWN_ONLY = 3

BLOCKS = [block for page in PAGES for block in blocks_of(page) if block.language != "look"]


def has_runner(block: Block) -> bool:
    """Return whether a test of its own runs the page of a block."""
    runner = next((runner for runner, pages in RUNNERS.items() if block.page.stem in pages), None)
    return runner is not None and (runner in RUN_COMMANDS or not block.is_command)


def blocks(kind: str) -> list[Any]:
    """Return the blocks of a kind that have to run here."""
    chosen = [block for block in BLOCKS if (block.is_command if kind == "command" else block.language == kind)]
    return [pytest.param(block, id=str(block)) for block in chosen if not block.reason and not has_runner(block)]


@pytest.fixture
def default_layer(redis_server: RedisServer) -> Iterator[ChannelLayerWrapper]:
    """A layer on Redis that delivers at least once, as the default one."""
    layer = RedisChannelLayer(hosts=[redis_server.url], delivery={"orders.*": "at-least-once"})
    wrapper = ChannelLayerWrapper(layer, "default", [])
    old = channel_layers.set("default", wrapper)
    yield wrapper
    channel_layers.set("default", old)
    layer.close()


@pytest.mark.parametrize("block", blocks("python"))
def test_python_runs(block: Block, default_layer: ChannelLayerWrapper, monkeypatch: pytest.MonkeyPatch) -> None:
    """From its first line to its last; settings in it are settings that exist, with values that they take."""
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    names: dict[str, Any] = {"__name__": "example"}
    exec(compile(block.text, str(block), "exec"), names)
    for name, value in names.items():
        if name in conf.SETTINGS:
            assert conf.SETTINGS[name].kind.accepts(value), name
    if "CHANNEL_LAYERS" in names:
        check_layers(names["CHANNEL_LAYERS"])
    if "CONFIG" in names:
        check_layers({"default": {"BACKEND": "channels.layers.redis.RedisChannelLayer", "CONFIG": names["CONFIG"]}})


def check_layers(layers: dict[str, dict[str, Any]]) -> None:
    """Look at layers as the system checks do, without the routing, which is the reader's."""
    entries = {alias: {**entry, "ROUTING": []} for alias, entry in layers.items()}
    with override_settings(CHANNEL_LAYERS=entries, DEBUG=False):
        assert layer_checks.check_layers(None) == []


def test_consumers_of_the_readme_talk() -> None:
    """What the first page shows is a chat."""
    block = next(block for block in blocks_of(ROOT / "README.rst") if block.language == "python")
    names: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), names)
    anna = Connection(names["channel_routing"], path="/chat/")
    old = channel_layers.set("default", anna.layer)
    try:
        ben = Connection(layer=anna.layer, path="/chat/")
        assert anna.connect() == ben.connect() == [{"accept": True}]
        anna.dispatch("websocket.receive", anna.content(text="hello"))
        assert anna.replies() == ben.replies() == [{"text": "hello"}]
        anna.disconnect()
        assert anna.layer.group_channels("chat") == [ben.reply_channel]
    finally:
        channel_layers.set("default", old)


def test_routing_page(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each message of the example finds the consumer that the page says."""
    for name, members in {
        "chat.consumers": ("ws_connect", "ws_receive"),
        "live.consumers": ("Updates",),
        "billing.consumers": ("print_invoice",),
    }.items():
        module = types.ModuleType(name)
        for member in members:
            made = type(member, (WebsocketConsumer,), {}) if member[0].isupper() else partial(print, member)
            setattr(module, member, made)
        monkeypatch.setitem(sys.modules, name.partition(".")[0], types.ModuleType(name.partition(".")[0]))
        monkeypatch.setitem(sys.modules, name, module)
    (block,) = [block for block in blocks_of(ROOT / "docs/routing.rst") if block.language == "python"]
    names: dict[str, Any] = {}
    exec(compile(block.text, str(block), "exec"), names)
    router = Router(names["channel_routing"])
    socket = Connection(path="/chat/tea-room/")
    consumer, kwargs = router.match(socket.message("websocket.connect"))
    assert (consumer.args, kwargs) == (("ws_connect",), {"room": "tea-room"})
    assert router.match(Connection(path="/live/").message("websocket.connect"))[0].__name__ == "Updates"
    assert router.match(socket.message("invoices.print"))[0].args == ("print_invoice",)


# Commands


@pytest.mark.parametrize("block", blocks("command"))
def test_command_exists(block: Block) -> None:
    """Every command names a program, a file, a module or an action that there is, with options that it takes."""
    for line in re.split(r"\n|&&", block.text.replace("\\\n", "")):
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words:
            check_command(words)


def check_command(words: list[str]) -> None:
    """Look whether a command could be run."""
    program, *rest = words
    if words[:3] == ["python", "-m", "pip"] or program == "pip":
        check_pip(rest[2:] if program == "python" else rest)
    elif words[:2] == ["python", "manage.py"]:
        check_manage(rest[1:])
    elif words[:2] == ["python", "-m"]:
        assert find_spec(rest[1]), words
    elif program in ("python", "bash"):
        assert (ROOT / rest[0]).is_file()
    elif program == "uvicorn":
        from uvicorn.main import main

        main.make_context("uvicorn", rest)
    else:
        assert program in {"redis-server", "tox", "npm"}, f"Nobody knows how to look at {words}."


def check_pip(rest: list[str]) -> None:
    """Look whether what is installed is this package, one of its extras, or a program that is named."""
    assert rest[0] == "install"
    for word in [word for word in rest[1:] if not word.startswith("-")]:
        if word not in NAMED_PROGRAMS:
            found = re.fullmatch(r"(?:channels-classic|\.)(?:\[(\w+)\])?", word)
            assert found, word
            assert found[1] is None or f"[{found[1]}]" in EXTRAS, word


def check_manage(rest: list[str]) -> None:
    """Look whether a management command takes its arguments."""
    name = rest[0]
    app = get_commands()[name]
    command = load_command_class(app, name) if isinstance(app, str) else app
    command.create_parser("manage.py", name).parse_args(rest[1:])


# What runs where


def test_pages_with_tests_of_their_own_are_there() -> None:
    """The table above names pages that exist, and modules that name the pages."""
    stems = {page.stem for page in PAGES}
    for runner, pages in RUNNERS.items():
        source = (ROOT / runner).read_text(encoding="utf-8")
        assert set(pages) <= stems
        assert [page for page in pages if f'"{page}' not in source and f"{page}.rst" not in source] == []


def test_typed_page_runs_all_of_its_blocks() -> None:
    """By number. (The other modules insist on all by themselves.)"""
    source = (ROOT / "tests/consumers_typed/test_docs.py").read_text(encoding="utf-8")
    page = [block for block in blocks_of(ROOT / "docs/typed.rst") if block.language == "python" and not block.reason]
    assert {int(number) for number in re.findall(r"page\.run\((\d+)\)", source)} == set(range(len(page)))


def test_little_is_only_shown() -> None:
    """Blocks that nobody runs are few, and each says why."""
    shown = [f"{block}: {block.reason}" for block in BLOCKS if block.reason]
    assert len(shown) <= MOST_SHOWN_ONLY, "\n".join(shown)


def test_blocks_are_found() -> None:
    """The pattern finds every directive of a block that it should."""
    for page in PAGES:
        directives = len(re.findall(r"^ *\.\. code-block::", page.read_text(encoding="utf-8"), re.MULTILINE))
        assert sum(1 for block in blocks_of(page) if block.language not in ("", "look")) == directives, page
