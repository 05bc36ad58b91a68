"""Messages of any content on the channels that workers consume, and names of any kind."""

import json
import re
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from hypothesis import strategies as st

from channels import names
from channels.delay.models import DelayedMessage
from channels.delay.receiving import InvalidDelay, read_request
from tests.abuse.strategies import CONTENTS, NAMES, VALUES
from tests.abuse.target import Check, target

DELAYS = st.sampled_from([0, 1, -1, 1e300, float("nan"), float("inf"), 2**63, 10**400]) | VALUES


@target(CONTENTS | st.fixed_dictionaries({"channel": NAMES | VALUES, "content": CONTENTS | VALUES, "delay": DELAYS}))
def delays() -> Iterator[Check]:
    """Requests to send something later: refused, or kept as they were."""

    def check(content: Any) -> None:
        try:
            found = read_request(content)
        except InvalidDelay:
            return
        with transaction.atomic():
            found.save()
            kept = DelayedMessage.objects.get(pk=found.pk)
            transaction.set_rollback(True)
        names.require_channel_name(kept.channel_name)
        assert isinstance(json.loads(kept.content), dict)

    yield check


FORMS = ((names.require_channel_name, r"[\w.-]+([?!][\w.-]*)?"), (names.require_group_name, r"[\w.-]+"))
"""What takes names, and what they must look like."""

CHARACTERS = st.text(st.sampled_from("aZ0-_.!?\n\0 ä\u0660٣") | st.characters(), max_size=6)


@target(CHARACTERS | st.tuples(CHARACTERS, st.integers(90, 110)).map(lambda pair: pair[0] * pair[1]) | VALUES)
def channel_and_group_names() -> Iterator[Check]:
    """Names of channels and groups: what is taken is plain ASCII of at most 99 characters."""

    def check(name: Any) -> None:
        for require, form in FORMS:
            try:
                taken = require(name)
            except TypeError:
                continue
            assert len(taken.encode("ascii")) <= 99
            assert re.fullmatch(form, taken, re.ASCII)

    yield check
