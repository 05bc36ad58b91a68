"""Console logging for the management commands; projects configure everything else themselves."""

import logging
import sys


class _CommandHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to stderr, unless another handler of the project already writes the record to the console."""

    def filter(self, record: logging.LogRecord) -> bool | logging.LogRecord:  # type: ignore[override]
        return False if self._is_on_console_already(record) else super().filter(record)

    def _is_on_console_already(self, record: logging.LogRecord) -> bool:
        logger: logging.Logger | None = logging.getLogger(record.name)
        while logger is not None:
            for other in logger.handlers:
                if (
                    other is not self
                    and isinstance(other, logging.StreamHandler)
                    and other.stream in (sys.stderr, sys.stdout)
                    and record.levelno >= other.level
                    and other.filter(record)
                ):
                    return True
            logger = logger.parent if logger.propagate else None
        return False


handler = _CommandHandler()
"""The handler that ``setup_logger`` attaches; replace it to send command output elsewhere."""


def setup_logger(name: str, verbosity: int = 1) -> logging.Logger:
    """Make the logger ``name`` write to the console and return it.

    Records still reach the handlers of the project's root logger, and a second call adds nothing.

    Args:
        name: Name of the logger, such as ``"django.channels"``.
        verbosity: 0 for warnings, 1 for INFO, 2 and more for DEBUG.
    """
    level = logging.WARNING if verbosity < 1 else logging.DEBUG if verbosity > 1 else logging.INFO
    handler.setFormatter(logging.Formatter("%(asctime)s - %(levelname)s - %(module)s - %(message)s"))
    logger = logging.getLogger(name)
    logger.setLevel(level)
    if handler not in logger.handlers:
        logger.addHandler(handler)
    return logger
