"""What the migration report says: one finding is one place in a file, what is wrong there and what to do."""

from dataclasses import asdict, dataclass
from enum import Enum


class Weight(str, Enum):
    """How much a finding matters."""

    BREAKS = "breaks"
    """The project does not start, or this code fails when it runs."""
    DIFFERS = "differs"
    """It runs, and behaves differently from 1.x."""
    TIDY = "tidy"
    """It runs as before; there is a better way to write it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that needs attention.

    Attributes:
        path: The file, as it was reached from the path given.
        line: Its line, from 1.
        code: A short name of the kind of finding; the documentation has one paragraph on each.
        weight: How much it matters.
        what: One sentence on what is there.
        fix: One sentence on what to do.
    """

    path: str
    line: int
    code: str
    weight: Weight
    what: str
    fix: str

    def as_dict(self) -> dict[str, object]:
        """Return the finding as JSON can hold it."""
        return {**asdict(self), "weight": self.weight.value}

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.code} ({self.weight.value}): {self.what}\n    {self.fix}"
