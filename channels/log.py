"""Console logging for the management commands; projects configure everything else themselves."""

import logging

handler = logging.StreamHandler()
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
