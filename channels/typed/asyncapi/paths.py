"""Paths of routes, which are regular expressions, as addresses with parameters."""

import re
from dataclasses import dataclass

from django.utils.regex_helper import normalize

SAMPLES = ("1", "general", "a", "A", "2026-01-31", "00000000-0000-4000-8000-000000000000", "0a")
"""Values that are tried as examples of what a pattern takes."""

_GROUP = re.compile(r"\(\?P<(\w+)>")
_CHOICES = re.compile(r"[\w-]+(?:\|[\w-]+)+")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One part of a path that differs.

    Attributes:
        name: What the consumer gets it as.
        pattern: The regular expression that it matches.
    """

    name: str
    pattern: str

    @property
    def choices(self) -> list[str]:
        """Its values, if the pattern lists them; empty if it does not."""
        return self.pattern.split("|") if _CHOICES.fullmatch(self.pattern) else []

    @property
    def example(self) -> str:
        """A value that it may have; empty if none is known."""
        if self.choices:
            return self.choices[0]
        try:
            return next((sample for sample in SAMPLES if re.fullmatch(self.pattern, sample)), "")
        except re.error:  # It refers to another group.
            return ""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a consumer is found.

    Attributes:
        template: The path with ``{name}`` for its parameters; None if the expression is not one path.
        parameters: In the order of the path.
        pattern: The regular expression.
    """

    template: str | None
    parameters: tuple[Parameter, ...]
    pattern: str


def read_address(patterns: list[str]) -> Address:
    """Return the address of a route.

    Args:
        patterns: Regular expressions of the path: those of each ``include``, then that of the route.
    """
    whole = "".join(pattern.removeprefix("^") for pattern in patterns)
    if not whole:
        return Address("/", (), "")
    try:
        # As Django does it to reverse URLs: one form for each choice of optional parts.
        forms = normalize(whole.replace("%", "%%"))
    except (ValueError, IndexError):  # What Django cannot reverse.
        forms = []
    named = [form for form in forms if form[0] and not any(name.startswith("_") for name in form[1])]
    if not named:
        return Address(None, (), whole)
    template, names = max(named, key=lambda form: len(form[1]))
    found = {name: Parameter(name, _inside(whole, name)) for name in names}
    return Address(template % {name: f"{{{name}}}" for name in names}, tuple(found.values()), whole)


def _inside(pattern: str, name: str) -> str:
    """Return what the group ``name`` of ``pattern`` matches."""
    start = next(found.end() for found in _GROUP.finditer(pattern) if found[1] == name)
    depth, position, is_class = 1, start, False
    while depth:
        character = pattern[position]
        if character == "\\":
            position += 1
        elif is_class:
            # A bracket that comes first, also after a circumflex, is one of the characters.
            is_class = character != "]" or pattern[position - 1 : position] == "[" or pattern[:position].endswith("[^")
        elif character == "[":
            is_class = True
        else:
            depth += {"(": 1, ")": -1}.get(character, 0)
        position += 1
    return pattern[start : position - 1]
