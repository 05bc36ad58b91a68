"""Commits in a ``TestCase``, whose transaction is never committed: what waits for one leaves all the same.

Only what bindings send is concerned. Other callbacks of ``on_commit`` are for ``captureOnCommitCallbacks``.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.models import signals

from channels.binding.changes import GroupSend

_CHANGED = (signals.post_save, signals.post_delete, signals.m2m_changed)


def settle_commits(**kwargs: Any) -> None:
    """Send what bindings have to tell, unless a transaction is open besides those of a ``TestCase``.

    Takes what signals are sent with, and ignores it.
    """
    for connection in connections.all(initialized_only=True):
        blocks = connection.atomic_blocks
        if connection.run_on_commit and blocks and all(block._from_testcase for block in blocks):  # type: ignore[attr-defined]
            for send in reversed(_find_unsent(connection.run_on_commit)):
                send()


def _find_unsent(entries: Sequence[tuple[Any, ...]]) -> list[GroupSend]:
    """Return what is to be sent yet, last first. All that stands before one that was sent was sent as well."""
    found: list[GroupSend] = []
    for _, callback, *_ in reversed(entries):
        if isinstance(callback, GroupSend):
            if callback.is_sent:
                break
            found.append(callback)
    return found


@contextmanager
def settling_commits() -> Iterator[None]:
    """Settle after each change of a row, for the length of a ``with`` block.

    What a change within a transaction of the project leaves behind waits for the next call of ``settle_commits``.
    """
    settle_commits()
    for signal in _CHANGED:
        signal.connect(settle_commits)
    try:
        yield
    finally:
        for signal in _CHANGED:
            signal.disconnect(settle_commits)
