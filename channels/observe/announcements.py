"""What a process says of itself, as it is read: whoever can write to the layer can say anything, so kinds are checked.

What processes say, and when, is in ``presence`` and ``start``.
"""

from collections.abc import Callable, Mapping
from typing import Any

from channels import names
from channels.types import Content

Check = Callable[[Any], bool]

LARGEST = 2**53
"""Of a time or duration in seconds: what can still be told from the next number in any language."""


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()  # It is shown on terminals, which obey some characters.


def _is_text_or_none(value: Any) -> bool:
    return value is None or _is_text(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= LARGEST


def _are(check: Check) -> Check:
    return lambda value: isinstance(value, list | tuple) and all(map(check, value))


def _are_by_name(check: Check) -> Check:
    return lambda value: isinstance(value, dict) and all(map(_is_text, value)) and all(map(check, value.values()))


def _is_timing(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) == 2 and _is_count(value[0]) and _is_number(value[1])


_KINDS: Mapping[str, Check] = {
    "kind": _is_text,
    "host": _is_text,
    "pid": _is_count,
    "version": _is_text,
    "started": _is_number,
    "time": _is_number,
    "counters": _are_by_name(_is_count),
    "consumers": _are_by_name(_is_timing),
    "channels": _are(names.is_channel_name),
    "threads": _is_count,
    "busy": _is_count,
    "only_channels": _are(_is_text),
    "exclude_channels": _are(_is_text),
    "connections": _is_count,
    "metrics": _is_text_or_none,
}


def read(content: Content) -> Content:
    """Return what of ``content`` is known here; what another version says beside it is left out.

    Raises:
        ValueError: A value is of the wrong kind, or nothing is known.
    """
    known = {key: value for key, value in content.items() if key in _KINDS}
    if not known:
        raise ValueError("it says nothing that is known here")
    for key, value in known.items():
        if not _KINDS[key](value):
            raise ValueError(f"its {key!r} cannot be {value!r:.100}")
    return known
