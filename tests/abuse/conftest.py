"""Fixtures of the tests of abuse."""

import logging
from collections.abc import Iterator

import pytest

from tests.support.loudness import Log


@pytest.fixture
def log() -> Iterator[Log]:
    """What is logged during the test, everything included."""
    handler = Log()
    root = logging.getLogger("django")
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield handler
    root.setLevel(before)
    root.removeHandler(handler)
