"""The shape of the package: what import-linter cannot see, the names of 1.x, docstrings and sizes."""

import ast
import functools
import graphlib
import importlib
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

import channels

PACKAGE = Path(channels.__file__).parent
SOURCES = sorted(path for path in PACKAGE.rglob("*.py") if "migrations" not in path.parts)
MODULE_NAMES = [info.name for info in pkgutil.walk_packages([str(PACKAGE)], "channels.")]

MODULE_LINES = 300
FUNCTION_LINES = 40

PUBLIC_NAMES = {
    "channels": "Channel Group channel_layers route route_class include DEFAULT_CHANNEL_LAYER __version__",
    "channels.asgi": "get_channel_layer channel_layers ChannelLayerManager ChannelLayerWrapper "
    "InvalidChannelLayerError get_asgi_application",
    "channels.auth": "transfer_user channel_session_user http_session_user channel_session_user_from_http "
    "channel_and_http_session_user_from_http",
    "channels.binding": "Binding",
    "channels.binding.base": "Binding BindingMetaclass CREATE UPDATE DELETE",
    "channels.binding.websockets": "WebsocketBinding WebsocketBindingWithMembers",
    "channels.channel": "Channel Group",
    "channels.delay.models": "DelayedMessage",
    "channels.delay.worker": "Worker",
    "channels.delay.management.commands.rundelay": "Command",
    "channels.exceptions": "ConsumeLater ResponseLater RequestTimeout RequestAborted DenyConnection "
    "ChannelSocketException WebsocketCloseException SendNotAvailableOnDemultiplexer",
    "channels.generic": "BaseConsumer",
    "channels.generic.base": "BaseConsumer",
    "channels.generic.websockets": "WebsocketConsumer JsonWebsocketConsumer WebsocketMultiplexer "
    "WebsocketDemultiplexer",
    "channels.handler": "AsgiRequest AsgiHandler ViewConsumer",
    "channels.log": "setup_logger",
    "channels.management.commands.runserver": "Command",
    "channels.management.commands.runworker": "Command",
    "channels.message": "Message PendingMessageStore pending_message_store",
    "channels.routing": "Router Route RouteClass Include route route_class include",
    "channels.security.websockets": "BaseOriginValidator AllowedHostsOnlyOriginValidator allowed_hosts_only",
    "channels.sessions": "session_for_reply_channel channel_session enforce_ordering http_session "
    "channel_and_http_session",
    "channels.signals": "consumer_started consumer_finished worker_ready worker_process_ready",
    "channels.staticfiles": "StaticFilesHandler StaticFilesConsumer",
    "channels.test": "ChannelTestCase TransactionChannelTestCase Client WSClient HttpClient apply_routes "
    "ChannelLiveServerTestCase",
    "channels.test.base": "ChannelTestCaseMixin ChannelTestCase TransactionChannelTestCase Client apply_routes",
    "channels.test.http": "HttpClient",
    "channels.test.liveserver": "ChannelLiveServerTestCase ProtocolServerProcess WorkerProcess",
    "channels.test.websocket": "WSClient",
    "channels.utils": "name_that_thing",
    "channels.worker": "Worker WorkerGroup",
}
"""Module path of 1.x to the names that stood there; each must still."""

SAME_OBJECT = [
    ("channels.Channel", "channels.channel.Channel"),
    ("channels.Group", "channels.channel.Group"),
    ("channels.route", "channels.routing.route"),
    ("channels.channel_layers", "channels.asgi.channel_layers"),
    ("channels.asgi.InvalidChannelLayerError", "channels.exceptions.InvalidChannelLayerError"),
    ("channels.binding.Binding", "channels.binding.base.Binding"),
    ("channels.generic.BaseConsumer", "channels.generic.base.BaseConsumer"),
    ("channels.test.WSClient", "channels.test.websocket.WSClient"),
]
"""Pairs of paths under which 1.x showed one thing."""


def relative(path: Path) -> str:
    """Return ``path`` as seen from the package."""
    return path.relative_to(PACKAGE).as_posix()


def is_module(name: str) -> bool:
    """Return whether ``name`` is a module directly below the package root."""
    return (PACKAGE / f"{name}.py").exists() or (PACKAGE / name / "__init__.py").exists()


def root_imports(tree: ast.Module, path: Path) -> Iterator[str]:
    """Yield each import in ``tree`` that takes something other than a module from the package root."""
    depth = len(path.relative_to(PACKAGE).parts)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (f"line {node.lineno}: import channels" for alias in node.names if alias.name == "channels")
        elif isinstance(node, ast.ImportFrom) and (
            (node.module == "channels" and not node.level) or (node.module is None and node.level == depth)
        ):
            for alias in node.names:
                if not is_module(alias.name):
                    yield f"line {node.lineno}: from channels import {alias.name}"


def imported(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the modules of the package that ``body`` imports, also in functions, but not for type checkers alone."""
    waiting: list[ast.AST] = list(body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULE_NAMES)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULE_NAMES else str(node.module)
        else:
            waiting.extend(ast.iter_child_nodes(node))


def module_name(path: Path) -> str:
    """Return the name that ``path`` is imported by."""
    return ".".join((PACKAGE.name, *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def find_cycle(imports: dict[str, set[str]]) -> tuple[str, ...]:
    """Return modules that import each other in a ring, or nothing if there are none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return tuple(error.args[1])
    return ()


def public_functions(module: ModuleType) -> Iterator[tuple[str, object]]:
    """Yield what ``module`` defines for others: classes, their public methods, and functions."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        if inspect.isclass(value):
            yield name, value
            for method, defined in vars(value).items():
                if isinstance(defined, functools.partialmethod):
                    continue  # Django gives these to models.
                if not method.startswith("_") and inspect.isroutine(inspect.unwrap(getattr(value, method))):
                    yield f"{name}.{method}", getattr(value, method)
        elif inspect.isfunction(value):
            yield name, value


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines of ``function`` without its docstring and decorators."""
    total = (function.end_lineno or function.lineno) - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        total -= (first.end_lineno or first.lineno) - first.lineno + 1
    return total


@pytest.mark.parametrize(
    "path", [path for path in SOURCES if path.parent != PACKAGE or path.stem != "__init__"], ids=relative
)
def test_module_takes_nothing_from_the_package_root(path: Path) -> None:
    """Import-linter does not see ``from channels import Group``, the knot that 1.x was tied with."""
    assert list(root_imports(ast.parse(path.read_text()), path)) == []


@pytest.mark.parametrize(
    "source", ["from channels import Group", "import channels", "def f():\n    from channels import route"]
)
def test_root_import_check_sees(source: str) -> None:
    """The check above fails on each form of the knot."""
    assert list(root_imports(ast.parse(source), PACKAGE / "channel.py"))


def test_no_modules_import_each_other_in_a_ring() -> None:
    """Import-linter sees rings between floors; one within a package goes unseen, and late imports hide it."""
    imports = {module_name(path): set(imported(ast.parse(path.read_text()).body)) for path in SOURCES}
    assert find_cycle(imports) == ()


@pytest.mark.parametrize(
    ("source", "ring"),
    [
        ("from channels.delay import models", True),
        ("import channels.delay.models", True),
        ("def f():\n    from channels.delay.models import DelayedMessage", True),
        ("if TYPE_CHECKING:\n    from channels.delay.models import DelayedMessage", False),
        ("if typing.TYPE_CHECKING:\n    pass\nelse:\n    from channels.delay import models", True),
    ],
)
def test_ring_check_sees(source: str, ring: bool) -> None:
    """The check above counts every import that can run."""
    imports = {
        "channels.delay.models": {"channels.delay.sending"},
        "channels.delay.sending": set(imported(ast.parse(source).body)),
    }
    assert bool(find_cycle(imports)) is ring


@pytest.mark.parametrize("module", PUBLIC_NAMES)
def test_path_of_1x_resolves(module: str) -> None:
    """Projects of 1.x import these names from these modules."""
    found = importlib.import_module(module)
    assert [name for name in PUBLIC_NAMES[module].split() if not hasattr(found, name)] == []


@pytest.mark.parametrize(("one", "other"), SAME_OBJECT)
def test_two_paths_lead_to_one_object(one: str, other: str) -> None:
    """A name that is shown twice is one thing: patching, catching and comparing agree."""
    first, second = (path.rpartition(".") for path in (one, other))
    assert getattr(importlib.import_module(first[0]), first[2]) is getattr(
        importlib.import_module(second[0]), second[2]
    )


@pytest.mark.parametrize("name", MODULE_NAMES)
def test_public_name_has_a_docstring(name: str) -> None:
    """What others may call says what it promises; an overriding method may inherit the promise."""
    module = importlib.import_module(name)
    source = Path(str(module.__file__))
    silent = [label for label, thing in public_functions(module) if not inspect.getdoc(thing)]
    if source.read_text().strip() and not module.__doc__:
        silent.append("the module itself")
    assert silent == []


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_module_stays_within_its_size(path: Path) -> None:
    """A module that grows past its budget holds two things; so does a function."""
    text = path.read_text()
    assert len(text.splitlines()) <= MODULE_LINES
    functions = [n for n in ast.walk(ast.parse(text)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [f.name for f in functions if code_lines(f) > FUNCTION_LINES] == []


def test_importing_the_package_leaves_django_handlers_alone() -> None:
    """The view system is loaded by those who serve views; it would triple the time of the import."""
    script = "import sys, channels; sys.exit('django.core.handlers.asgi' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_version_can_be_read_without_django() -> None:
    """Tools that ask for nothing else need not install it."""
    script = "import sys; sys.modules['django'] = None; import channels; print(channels.__version__)"
    asked = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (asked.stdout.strip(), asked.stderr) == (channels.__version__, "")
