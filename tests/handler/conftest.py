"""The pages of the handler tests, for each of them, and a clock for their cookies."""

from types import SimpleNamespace

import pytest


@pytest.fixture(autouse=True)
def pages(settings, db):
    """Serve ``tests.handler.urls``, with no middleware unless the test adds some, inside a transaction.

    The end of a request closes connections outside of one, which only tests with a database may do.
    """
    settings.ROOT_URLCONF = "tests.handler.urls"
    settings.MIDDLEWARE = []


@pytest.fixture
def frozen_cookies(monkeypatch):
    """Let cookies end at the same time whichever second they are made in, so that responses can be compared."""
    monkeypatch.setattr("django.http.response.time", SimpleNamespace(time=lambda: 1_800_000_000.0))
