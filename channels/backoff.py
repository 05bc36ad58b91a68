"""How long to wait before a server that cannot be reached is tried again. Computes; never sleeps."""

import random


class Backoff:
    """Growing pauses with jitter, so that many processes do not return at the same moment.

    Args:
        first: Longest first pause, in seconds.
        longest: No pause is longer than this, in seconds.
    """

    def __init__(self, first: float = 0.1, longest: float = 1.0) -> None:
        self._first = first
        self._longest = longest
        self.failures = 0

    def failed(self) -> float:
        """Count a failure and return the seconds to wait: between half and all of a bound that doubles."""
        bound = min(self._longest, self._first * float(1 << min(self.failures, 16)))
        self.failures += 1
        return bound * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret

    def recovered(self) -> bool:
        """Start over; return whether there had been a failure."""
        had_failed = self.failures > 0
        self.failures = 0
        return had_failed
