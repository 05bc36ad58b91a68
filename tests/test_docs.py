"""Documentation that can be checked: its Python compiles, its settings are those of the package, its commands exist."""

import ast
import re
import runpy
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from channels import conf

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.rst", ROOT / "CONTRIBUTING.rst", *sorted((ROOT / "docs").rglob("*.rst"))]

PYTHON_BLOCK = re.compile(
    r"^(?P<indent> *)\.\. code-block:: python *\n(?:\1 +:\w+:.*\n)*(?P<body>(?:\1 +\S.*\n|\s*\n)+)", re.MULTILINE
)
SETTING = re.compile(r"^\.\. py:data:: (\w+)\n   :value: (.+)$", re.MULTILINE)
COMMAND_OPTION = re.compile(r"^``(--[a-z_-]+)", re.MULTILINE)


def python_blocks() -> Iterator[tuple[str, str]]:
    """Yield where each Python block stands, and its text."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in PYTHON_BLOCK.finditer(text):
            line = text.count("\n", 0, found.start()) + 1
            yield f"{page.relative_to(ROOT)}:{line}", textwrap.dedent(found["body"])


BLOCKS = dict(python_blocks())


@pytest.mark.parametrize("where", BLOCKS)
def test_python_block_compiles(where: str) -> None:
    """What a reader copies is Python."""
    ast.parse(BLOCKS[where])


@pytest.mark.parametrize("where", BLOCKS)
def test_python_block_imports_what_exists(where: str) -> None:
    """Names that an example imports from the package are there."""
    imports = [
        node
        for node in ast.walk(ast.parse(BLOCKS[where]))
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "channels"
    ]
    for node in imports:
        exec(compile(ast.Module([node], []), where, "exec"), {})


def test_blocks_are_found() -> None:
    """The pattern that finds blocks still finds them."""
    assert len(BLOCKS) > 20
    assert any(where.startswith("README.rst") for where in BLOCKS)


def test_documented_settings_are_those_of_the_package() -> None:
    """The settings page and ``conf`` agree on names and defaults."""
    text = (ROOT / "docs" / "reference" / "settings.rst").read_text(encoding="utf-8")
    documented = {name: ast.literal_eval(value) for name, value in SETTING.findall(text)}
    assert documented == {name: setting.default for name, setting in conf.SETTINGS.items()}


def test_made_pages_are_as_they_would_be_made_now() -> None:
    """``python docs/generate.py`` brings the reference pages up to date."""
    generated = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]
    assert len(generated) == 2
    for path, page in generated.items():
        assert path.read_text(encoding="utf-8") == page(), f"Run python docs/generate.py: {path.name} is old."


@pytest.mark.parametrize(
    ("page", "command"), [("interface", "runserver"), ("workers", "runworker"), ("delay", "rundelay")]
)
def test_documented_options_exist(page: str, command: str) -> None:
    """Each option in a page's table is one that the command takes, and stands there once."""
    from django.core.management import load_command_class

    app = "channels.delay" if command == "rundelay" else "channels"
    parser = load_command_class(app, command).create_parser("manage.py", command)
    options = COMMAND_OPTION.findall((ROOT / "docs" / f"{page}.rst").read_text(encoding="utf-8"))
    assert options
    assert set(options) - set(parser._option_string_actions) == set()
    assert sorted(options) == sorted(set(options))


def test_readme_commands_lead_somewhere() -> None:
    """The two commands of the README name a file that exists and an extra that is declared."""
    text = (ROOT / "README.rst").read_text(encoding="utf-8")
    script = re.search(r"^    python (\S+\.py)$", text, re.MULTILINE)
    assert script
    assert (ROOT / script[1]).is_file()
    assert 'pip install -e ".[tests]" && python -m pytest' in text
    assert '"tests"' in (ROOT / "setup.py").read_text(encoding="utf-8")
