"""Bindings on PostgreSQL: the tests of this directory once more, on its transactions and locks."""

import re

import pytest

from tests.support.suites import run_on_postgres, serve_postgres

postgres = pytest.fixture(scope="module")(serve_postgres)


@pytest.mark.slow
def test_bindings_on_postgresql(postgres):
    """All that holds on SQLite holds there, and nothing is left out."""
    files = [f"tests/binding/test_{name}.py" for name in ("outbound", "inbound", "relations")]
    status, printed = run_on_postgres(postgres, *files)
    assert status == 0, printed
    assert re.search(r"^\d+ passed(?!.*skipped)", printed, re.MULTILINE), printed
