"""What a process of a live server is given by the test: settings as they are now, databases, what to run.

The test pickles it (``make_handover``), the new process takes it (``take_over``). Overridden settings are found
wherever they were overridden: by decorators, in ``with`` blocks, by fixtures.
"""

import os
import pickle
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import django
from django.conf import Settings, UserSettingsHolder, global_settings, settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

_LATE = frozenset({"CHANNEL_LAYERS"})
"""Settings whose values may need the apps to be ready: routes name consumers, and those import models."""

_MISSING = object()


@dataclass(frozen=True, slots=True)
class Handover:
    """Settings on their way to another process.

    Attributes:
        module: The settings module; None if the project configured its settings without one.
        changed: Pickled values of the settings that differ from it.
        deleted: Settings that were taken away.
    """

    module: str | None
    changed: dict[str, bytes]
    deleted: frozenset[str]


def make_handover(databases: Iterable[str], **more: Any) -> Handover:
    """Return the settings as they are now.

    Args:
        databases: Aliases of the databases to hand over, with the names they have in the test.
        more: Settings that differ in the other process.

    Raises:
        ImproperlyConfigured: A value cannot be pickled.
    """
    module, changed, deleted = _changed_settings()
    changed.update(more, DATABASES={alias: connections[alias].settings_dict for alias in databases})
    return Handover(module, {name: _pickle(name, value) for name, value in changed.items()}, frozenset(deleted))


def _pickle(name: str, value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception as error:
        raise ImproperlyConfigured(
            f"The setting {name} cannot be handed to the processes of the live server: {error}. Use values that can be "
            "pickled, such as dotted paths, and functions that stand at the head of a module."
        ) from error


def _changed_settings() -> tuple[str | None, dict[str, Any], set[str]]:
    """Return the settings module, what differs from it, and what was deleted."""
    changed: dict[str, Any] = {}
    deleted: set[str] = set()
    bool(settings.INSTALLED_APPS)  # Loads them.
    holder: Any = vars(settings)["_wrapped"]
    while isinstance(holder, UserSettingsHolder):
        own = {name: value for name, value in vars(holder).items() if name.isupper()}
        changed = {**{name: value for name, value in own.items() if name not in deleted}, **changed}
        deleted |= vars(holder)["_deleted"] - changed.keys()
        holder = holder.default_settings
    if not isinstance(holder, Settings):
        return None, changed, deleted
    # The test runner sets some on the settings themselves: e-mail must not leave, whatever a consumer does.
    module = import_module(holder.SETTINGS_MODULE)
    for name, value in vars(holder).items():
        written = getattr(module, name, getattr(global_settings, name, _MISSING))
        if name.isupper() and name != "SETTINGS_MODULE" and value is not written and name not in deleted:
            changed.setdefault(name, value)
    return holder.SETTINGS_MODULE, changed, deleted


def take_over(handover: Handover) -> None:
    """Set Django up in this process with the settings of ``handover``."""
    if handover.module is None:
        settings.configure()
    else:
        os.environ["DJANGO_SETTINGS_MODULE"] = handover.module
    for name in handover.deleted:
        if hasattr(settings, name):
            delattr(settings, name)
    _apply(handover, handover.changed.keys() - _LATE)
    django.setup(set_prefix=False)
    _apply(handover, handover.changed.keys() & _LATE)


def _apply(handover: Handover, names: Iterable[str]) -> None:
    for name in names:
        setattr(settings, name, pickle.loads(handover.changed[name]))  # noqa: S301 - its own parent wrote it
