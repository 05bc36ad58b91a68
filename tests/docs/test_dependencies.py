"""What an installation pulls is what the page on it explains."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.test_reference import API, DIRECTIVE
from tests.support.processes import ROOT

PAGE = (ROOT / "docs" / "installation.rst").read_text(encoding="utf-8")
TABLE = PAGE.partition("What is installed\n---")[2].partition("Extras\n---")[0]
EXTRAS = PAGE.partition("Extras\n---")[2].partition("\nRedis\n---")[0]
PYTHONS = {"3.10": "3.10.0", "3.11": "3.11.0", "3.12": "3.12.0", "3.13": "3.13.0"}
PLATFORMS = [
    {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"},
    {"sys_platform": "darwin", "platform_system": "Darwin", "os_name": "posix"},
]
ENVIRONMENTS = [
    {**platform, "python_version": version, "python_full_version": full, "implementation_name": "cpython"}
    for platform in PLATFORMS
    for version, full in PYTHONS.items()
]


def names_in(text: str) -> set[str]:
    """Return the distributions that a part of the page names."""
    return {canonicalize_name(name) for name in re.findall(r"``([A-Za-z0-9-]+)``", text)}


def required_by(name: str, extras: frozenset[str], environment: dict[str, str]) -> set[tuple[str, frozenset[str]]]:
    """Return what a distribution requires itself, with the extras it wants of each."""
    try:
        texts = metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        return set()  # Wanted on another platform or Python only.
    found = set()
    for requirement in map(Requirement, texts):
        marker = requirement.marker
        if marker is None or any(marker.evaluate({**environment, "extra": extra}) for extra in extras or {""}):
            found.add((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def pulled(wanted: Iterable[tuple[str, frozenset[str]]] = (("channels-classic", frozenset()),)) -> set[str]:
    """Return what an installation pulls, by default of this package without extras, on any platform and Python."""
    names = set()
    for environment in ENVIRONMENTS:
        waiting, seen = list(wanted), set()
        while waiting:
            name, extras = waiting.pop()
            if (name, extras) not in seen:
                seen.add((name, extras))
                waiting += required_by(name, extras, environment)
        names |= {name for name, _ in seen}
    return names - {"channels-classic"}


def test_page_explains_everything_that_is_installed() -> None:
    """No stranger comes, on any platform and Python. (Later releases of others may bring less.)"""
    assert pulled() - names_in(TABLE) == set()


def test_first_column_is_what_the_package_requires_itself() -> None:
    """Each has a row of its own."""
    rows = set(re.findall(r"^``(\S+)``  ", TABLE, re.MULTILINE))
    required = {name for name, _ in required_by("channels-classic", frozenset(), ENVIRONMENTS[0])}
    assert {canonicalize_name(row) for row in rows} == required


def test_extras_of_the_page_are_those_of_the_package() -> None:
    """Each with what it installs."""
    rows = dict(re.findall(r"^``channels-classic\[(\w+)\]`` +(.+)$", EXTRAS, re.MULTILINE))
    assert set(rows) == set(metadata.metadata("channels-classic").get_all("Provides-Extra") or ())
    for extra, text in rows.items():
        if extra not in ("tests", "docs"):
            without = required_by("channels-classic", frozenset(), ENVIRONMENTS[0])
            added = required_by("channels-classic", frozenset({extra}), ENVIRONMENTS[0]) - without
            assert {name for name, _ in added} == names_in(text), extra


def extras() -> dict[str, list[str]]:
    """Return the extras of the package as its source has them: what is installed here may be older."""
    tree = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    parts = [node for node in tree.body if isinstance(node, ast.Assign) and "EXTRAS" in ast.unparse(node.targets[0])]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(parts, []), "setup.py", "exec"), names)
    return dict(names["EXTRAS"])


def test_reference_is_made_with_what_the_extra_docs_installs() -> None:
    """Its modules can be imported where nothing else is."""
    wanted = [(each.name, frozenset(each.extras)) for each in map(Requirement, extras()["docs"])]
    there = pulled(wanted) | pulled()
    blocked = [
        module
        for module, distributions in metadata.packages_distributions().items()
        if module != "channels" and not {canonicalize_name(name) for name in distributions} & there
    ]
    assert "websocket" in blocked  # Of selenium. Python 3.10 finds only the modules that a distribution lists.
    kinds = ("module", "class", "function", "exception")
    paths = [
        path if kind == "module" else path.rpartition(".")[0]
        for kind, path, _ in DIRECTIVE.findall(API)
        if kind in kinds
    ]
    code = f"""
import importlib, sys
sys.modules.update(dict.fromkeys({blocked!r}))
from django.conf import settings
settings.configure(INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions",
                                   "channels", "channels.delay"])
import django
django.setup()
for path in {sorted(set(paths))!r}:
    importlib.import_module(path)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
