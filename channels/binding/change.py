"""One change of a row while it is under way, and who is told of it. When it begins and ends is in ``changes``."""

from typing import Any, Protocol

from django.db.models import Model

CREATE = "create"
UPDATE = "update"
DELETE = "delete"

_CHANGE = "_binding_change"
_GROUP_NAMES = "_binding_group_names"
_MOST_NESTED = 16


class Listener(Protocol):
    """Who is told of changes: a binding class."""

    def allows(self, name: str) -> bool:
        """Return whether the field ``name`` is sent."""

    def many_to_many_names(self) -> list[str]:
        """Return the many-to-many fields that are sent."""

    def pre_change_receiver(self, instance: Any, action: str) -> None:
        """Take note of ``instance`` before it changes."""

    def post_change_receiver(self, instance: Any, action: str, **kwargs: Any) -> None:
        """Tell what became of ``instance``."""


class Change:
    """One save or delete of an instance, from the signal before it to the signal after it.

    Args:
        stored: The row as the database had it; None if there was none.
        outer: The change of the same instance during which this one began, if any.

    Attributes:
        after: The row as the database has it now; the stored one while that is not known.
        group_names: Binding to the groups that saw the stored row.
        bindings: Binding to the object that serialises for it.
    """

    def __init__(self, stored: Model | None, outer: "Change | None") -> None:
        self.stored = stored
        self.after = stored
        # A save that fails is never heard of again: its change stays below those that follow.
        self.depth: int = 0 if outer is None or outer.depth >= _MOST_NESTED else outer.depth + 1
        self.outer: Change | None = outer if self.depth else None
        self.group_names: dict[Listener, set[str]] = {}
        self.bindings: dict[Listener, Any] = {}


def change_of(instance: Model) -> Change | None:
    """Return the change of ``instance`` that is under way."""
    change: Change | None = vars(instance).get(_CHANGE)
    return change


def group_names_of(instance: Model) -> dict[Listener, set[str]]:
    """Return which groups saw the stored row of ``instance``, by binding; to be noted, and taken back."""
    noted: dict[Listener, set[str]] = vars(instance).setdefault(_GROUP_NAMES, {})
    return noted


def set_change(instance: Model, change: Change | None) -> None:
    """Let ``change`` be the one of ``instance`` that is under way; None: there is none."""
    if change is None:
        vars(instance).pop(_CHANGE, None)
        vars(instance).pop(_GROUP_NAMES, None)
    else:
        vars(instance).update({_CHANGE: change, _GROUP_NAMES: change.group_names})
