"""How often something may happen: a bucket that fills by itself and is emptied by what happens."""


class Bucket:
    """Holds ``size`` turns, of which ``per_second`` come back.

    Args:
        size: Turns that may be taken at once.
        per_second: Turns that come back in a second.
        now: Seconds, by the clock that ``take`` is told as well.
    """

    __slots__ = ("_left", "_per_second", "_size", "_then")

    def __init__(self, size: float, per_second: float, now: float) -> None:
        self._size = size
        self._per_second = per_second
        self._left = size
        self._then = now

    def take(self, now: float) -> bool:
        """Take a turn and return True, or return False because there is none."""
        self._fill(now)
        if self._left < 1:
            return False
        self._left -= 1
        return True

    def is_full(self, now: float) -> bool:
        """Return whether nothing happened for long enough that this bucket is like a new one."""
        self._fill(now)
        return self._left >= self._size

    def _fill(self, now: float) -> None:
        self._left = min(self._size, self._left + (now - self._then) * self._per_second)
        self._then = now
