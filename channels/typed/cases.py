"""Keys in camelCase, as clients of many projects write them, and in snake_case, as models have them."""

import functools
import re
from collections.abc import Callable
from typing import Any

_NAME = re.compile(r"[a-z][a-zA-Z0-9_]*")
_UNDERSCORED = re.compile(r"_([a-z])")
_CAPITAL = re.compile(r"[A-Z]")

# One undoes the other for every name in snake_case, which those of pydantic do not: digits stay where they are, and
# each capital letter is one word. Keys that begin otherwise than such a name are data, not names.


@functools.lru_cache(maxsize=1024)
def camel(key: str) -> str:
    """Return ``key`` in camelCase, if it is a name."""
    return _UNDERSCORED.sub(lambda found: found[1].upper(), key) if _NAME.fullmatch(key) else key


@functools.lru_cache(maxsize=1024)
def snake(key: str) -> str:
    """Return ``key`` in snake_case, if it is a name."""
    return _CAPITAL.sub(lambda found: f"_{found[0].lower()}", key) if _NAME.fullmatch(key) else key


def _map_keys(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {change(key) if isinstance(key, str) else key: _map_keys(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_map_keys(item, change) for item in value]
    return value


def camelize(value: Any) -> Any:
    """Return ``value`` with every key that is a name in camelCase."""
    return _map_keys(value, camel)


def decamelize(value: Any) -> Any:
    """Return ``value`` with every key that is a name in snake_case."""
    return _map_keys(value, snake)
