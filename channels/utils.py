"""Naming things for people who read logs."""

import functools
import inspect
from typing import Any


def printable(text: object) -> str:
    """Return ``text``, which a client chose, in one line and without what a terminal would obey."""
    plain = str(text)
    return plain if plain.isprintable() else plain.encode("unicode_escape").decode("ascii")


def kinds_of(value: object) -> str:
    """Return of which kind ``value`` is, and what is in it: all that may be said of what may hold secrets."""
    name = type(value).__name__
    return f"{name} of {', '.join(map(kinds_of, value))}" if isinstance(value, list | tuple) and value else name


def name_that_thing(thing: Any) -> str:
    """Return the dotted name of a function, class, bound method, partial or instance; its repr if it has none."""
    if isinstance(thing, functools.partial):
        return name_that_thing(thing.func)
    if inspect.ismethod(thing):
        owner = thing.__self__ if inspect.isclass(thing.__self__) else type(thing.__self__)
        return f"{name_that_thing(owner)}.{thing.__name__}"
    if hasattr(thing, "__qualname__") and hasattr(thing, "__module__"):
        return f"{thing.__module__}.{thing.__qualname__}"
    kind = type(thing)
    if kind.__module__ != "builtins":
        return f"{kind.__module__}.{kind.__qualname__}"
    return repr(thing)
