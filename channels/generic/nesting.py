"""How deep JSON of clients may be nested. Decoding it is for others."""

from typing import Any

MOST_NESTED = 200
"""Levels of lists and objects. Far more can be decoded than encoded again, or saved, without a RecursionError."""


def require_shallow(content: Any, text: str) -> Any:
    """Return ``content``, which is what ``text`` says.

    Raises:
        ValueError: It is nested deeper than ``MOST_NESTED``.
    """
    if text.count("[") + text.count("{") > MOST_NESTED:
        level = [content]
        for _ in range(MOST_NESTED):
            level = [item for each in level for item in _inside(each)]
        if any(isinstance(each, list | dict) for each in level):
            raise ValueError(f"It is nested deeper than {MOST_NESTED} levels.")
    return content


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
