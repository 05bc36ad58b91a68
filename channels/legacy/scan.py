"""From directories to findings: which files are read, and which rules see them."""

import ast
import os
import re
import tokenize
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

from channels.legacy import consumer_rules, django_rules, names, text_rules
from channels.legacy.findings import Finding, Weight
from channels.legacy.modules import Module, Project

_SKIPPED = {"node_modules", "site-packages", "__pycache__", "build", "dist"}
_REQUIREMENTS = re.compile(r"(requirements|constraints).*\.(txt|in)|Pipfile|pyproject\.toml|setup\.(py|cfg)|tox\.ini")
_PROCESSES = re.compile(
    r"Procfile.*|Dockerfile.*|.*\.(sh|service|conf|ini|ya?ml)|supervisord?\..*|Makefile|fabfile\.py", re.IGNORECASE
)
_TEMPLATES = re.compile(r".*\.(html|txt|xml)")
_PER_MODULE = (names.check_names, django_rules.check_calls, consumer_rules.check_slight, consumer_rules.check_strings)
_PER_PROJECT = (
    django_rules.check_settings,
    consumer_rules.check_session_engine,
    consumer_rules.check_connects,
)


def scan(paths: Iterable[Path]) -> list[Finding]:
    """Return what needs attention under ``paths``, by file and line.

    Args:
        paths: Directories of projects (those with ``manage.py``), or single files.

    Raises:
        FileNotFoundError: A path does not exist.
    """
    found: list[Finding] = []
    for root in paths:
        if not root.exists():
            raise FileNotFoundError(f"There is no file or directory {str(root)!r}.")
        project = Project()
        for path in [root] if root.is_file() else _files_of(root):
            found += _read(path, root, project)
        for module in project.modules:
            for check in _PER_MODULE:
                found += check(module)
        for check_project in _PER_PROJECT:
            found += check_project(project)
    return sorted(found, key=lambda finding: (finding.path, finding.line, finding.code))


def _files_of(root: Path) -> Iterator[Path]:
    for directory, children, files in os.walk(root):
        here = Path(directory)
        children[:] = sorted(
            child
            for child in children
            if child not in _SKIPPED and not child.startswith(".") and not (here / child / "pyvenv.cfg").exists()
        )
        yield from (here / name for name in sorted(files))


def _read(path: Path, root: Path, project: Project) -> Iterator[Finding]:
    shown = str(path)
    is_python = path.suffix == ".py"
    is_text = any(kind.fullmatch(path.name) for kind in (_REQUIREMENTS, _PROCESSES, _TEMPLATES))
    if not is_python and not is_text:
        return
    try:
        text = _text_of(path)
    except (OSError, UnicodeDecodeError, SyntaxError) as error:
        yield Finding(shown, 1, "unreadable", Weight.BREAKS, f"The file cannot be read: {error}.", "Save it as UTF-8.")
        return
    if _REQUIREMENTS.fullmatch(path.name) or path.parent.name == "requirements":
        yield from text_rules.check_requirements(shown, text)
    elif _TEMPLATES.fullmatch(path.name):
        yield from text_rules.check_template(shown, text)
    if _PROCESSES.fullmatch(path.name):
        yield from text_rules.check_process_lines(shown, text)
    if is_python:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # Old escapes in strings are not our subject.
                tree = ast.parse(text)
        except (ValueError, RecursionError, MemoryError) as error:  # A null byte; one expression of thousands of parts.
            what = f"Python cannot parse the file: {error or 'it is too complex'}."
            fix = "Look at it yourself; it was left out of this report."
            yield Finding(shown, 1, "unreadable", Weight.DIFFERS, what, fix)
        except SyntaxError as error:
            what = f"Not Python 3: {error.msg}."
            fix = "Translate the file; everything else in it was left out of this report."
            yield Finding(shown, error.lineno or 1, "python-2", Weight.BREAKS, what, fix)
        else:
            project.modules.append(Module(shown, _dotted_name(path, root), tree, path.name == "__init__.py"))


def _text_of(path: Path) -> str:
    if path.suffix == ".py":
        with tokenize.open(path) as file:
            return file.read()
    return path.read_text(encoding="utf-8")


def _dotted_name(path: Path, root: Path) -> str:
    relative = path.relative_to(root) if root.is_dir() else Path(path.name)
    parts = list(relative.with_suffix("").parts)
    if parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)
