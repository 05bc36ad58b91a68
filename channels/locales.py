"""The language and the time zone that Django keeps for each thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.utils import timezone, translation


@contextmanager
def restored() -> Iterator[None]:
    """Give this thread its language and time zone back, if what runs within activates others."""
    language, zone = translation.get_language(), _active_zone()
    try:
        yield
    finally:
        if translation.get_language() != language:
            translation.activate(language) if language else translation.deactivate_all()
        if _active_zone() is not zone:
            timezone.activate(zone) if zone else timezone.deactivate()


def _active_zone() -> Any:
    # Not that of the settings, which may have none.
    return getattr(timezone._active, "value", None)  # type: ignore[attr-defined]
