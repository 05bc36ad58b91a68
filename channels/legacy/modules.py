"""Python files of a project as syntax trees, and what the names in them stand for. Nothing is imported or run."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Module:
    """One parsed file.

    Attributes:
        path: The file, as it is shown.
        name: Its dotted name, seen from the project's directory.
        tree: Its syntax tree.
        is_package: It is an ``__init__.py``.
    """

    path: str
    name: str
    tree: ast.Module
    is_package: bool = False

    @cached_property
    def imports(self) -> dict[str, str]:
        """Local name to the dotted name it was imported from."""
        found: dict[str, str] = {}
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    found[alias.asname or alias.name.split(".")[0]] = (
                        alias.name if alias.asname else alias.name.split(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                source = self.source_of(node)
                for alias in node.names:
                    found[alias.asname or alias.name] = f"{source}.{alias.name}"
        return found

    def source_of(self, node: ast.ImportFrom) -> str:
        """Return the dotted name of the module that ``node`` imports from, relative ones resolved."""
        if not node.level:
            return node.module or ""
        parts = self.name.split(".")
        kept = parts[: len(parts) - node.level + self.is_package]
        return ".".join([*kept, node.module] if node.module else kept)

    def dotted(self, node: ast.AST) -> str | None:
        """Return what a name or attribute stands for, as a dotted name; None if that cannot be read from the file."""
        if isinstance(node, ast.Name):
            return self.imports.get(node.id, f"{self.name}.{node.id}")
        if isinstance(node, ast.Attribute):
            owner = self.dotted(node.value)
            return f"{owner}.{node.attr}" if owner else None
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        return None

    def assignments(self) -> Iterator[tuple[str, ast.expr, int]]:
        """Yield name, value and line of each assignment at the top of the module."""
        for node in self.tree.body:
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name):
                        yield target.id, node.value, node.lineno


@dataclass
class Project:
    """All modules of a project, and its functions and classes by dotted name."""

    modules: list[Module] = field(default_factory=list)

    @cached_property
    def definitions(self) -> dict[str, tuple[Module, Function | ast.ClassDef]]:
        """Dotted name to function or class, for those at the top of a module."""
        return {
            f"{module.name}.{node.name}": (module, node)
            for module in self.modules
            for node in module.tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        }

    def find(self, dotted: str | None) -> tuple[Module, Function | ast.ClassDef] | None:
        """Return the definition that ``dotted`` names, also when the project lies deeper than its import path says."""
        if dotted is None:
            return None
        if dotted in self.definitions:
            return self.definitions[dotted]
        ends = [name for name in self.definitions if name.endswith(f".{dotted}") or dotted.endswith(f".{name}")]
        return self.definitions[ends[0]] if len(ends) == 1 else None
