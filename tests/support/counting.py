"""How much a counter of this process grows."""

from collections.abc import Iterator
from contextlib import contextmanager

from channels import counters


class Growth:
    """How much one counter has grown since this was made.

    Args:
        name: Of the counter; one that is known.
    """

    def __init__(self, name: str) -> None:
        assert name in counters.KNOWN
        self._name = name
        self._before = counters.value(name)

    @property
    def amount(self) -> int:
        """By how much."""
        return counters.value(self._name) - self._before


@contextmanager
def grows(name: str, by: int = 1) -> Iterator[Growth]:
    """Insist on the counter ``name`` growing by so much within the ``with`` block."""
    growth = Growth(name)
    yield growth
    assert growth.amount == by, f"{name} grew by {growth.amount}"
