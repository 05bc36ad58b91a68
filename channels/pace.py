"""How many messages a worker should take together, by how long the last ones took. Computes; never waits."""

BATCH_SECONDS = 0.002
"""How long the messages taken together may take to run, by what messages took so far."""

_MEMORY = 0.2
"""Weight of the newest message in the average time of a message."""

_OUTLIER = 4.0
"""How many times the average one message counts at most."""


class Pace:
    """The average time of a message: one is taken where consumers are slow, so that others get the rest."""

    def __init__(self) -> None:
        self._average = BATCH_SECONDS

    def batch(self, most: int) -> int:
        """Return how many messages may be taken now, from one to ``most``."""
        return max(1, min(most, int(BATCH_SECONDS / self._average)))

    def took(self, seconds: float) -> None:
        """Take note that a message took so long."""
        # One message that took far longer, because the processor was taken away, says little of the others.
        self._average += _MEMORY * (min(seconds, _OUTLIER * self._average) - self._average)
