"""Logs as a handler keeps them: what was said, and whether there was a traceback in it."""

import logging


class Log(logging.Handler):
    """Keeps every record as text."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.setFormatter(logging.Formatter("%(levelname)s %(name)s %(message)s"))
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep ``record``."""
        self.lines.append(self.format(record))

    @property
    def tracebacks(self) -> list[str]:
        """Those lines that show where an exception came from."""
        return [line for line in self.lines if "Traceback (most recent call last)" in line]

    def clear(self) -> None:
        """Forget everything."""
        self.lines.clear()
