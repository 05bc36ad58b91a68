"""Everything that reads what comes from outside, tried with what hypothesis makes up."""

import pytest
from hypothesis import given

from tests.abuse.strategies import fuzz
from tests.abuse.target import Target
from tests.abuse.targets import TARGETS


@pytest.mark.django_db
@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_input_from_outside_is_taken_or_refused(target: Target) -> None:
    """As the target says, and without a traceback in the log."""
    with target.checks() as check:

        @fuzz(60)
        @given(target.examples)
        def try_one(value: object) -> None:
            check(value)

        try_one()
