"""The pages of the handler tests, for each of them."""

import pytest


@pytest.fixture(autouse=True)
def pages(settings, db):
    """Serve ``tests.handler.urls``, with no middleware unless the test adds some, inside a transaction.

    The end of a request closes connections outside of one, which only tests with a database may do.
    """
    settings.ROOT_URLCONF = "tests.handler.urls"
    settings.MIDDLEWARE = []
