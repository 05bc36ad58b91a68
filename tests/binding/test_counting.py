"""Changes that bindings refuse, counted by the reason."""

import pytest

from tests.binding.desk.models import Card, Ticket
from tests.binding.test_inbound import ask, opened, page_of
from tests.support.counting import grows

__all__ = ["opened"]

pytestmark = pytest.mark.django_db(transaction=True)


def test_refused_changes_are_counted_by_the_reason(opened):
    """The row is not there, others refer to it, or nobody knows the action."""
    page = page_of(opened())
    with grows("message.dropped.not_found"):
        ask(page, "delete", 999)
    with grows("message.dropped.unknown_action"):
        ask(page, "fly", data={})
    with grows("message.dropped.invalid"):
        ask(page, "create", data={})
    card = Card.objects.create(title="a")
    Ticket.objects.create(text="b", card=card)
    with grows("message.dropped.conflict"):
        ask(page, "delete", card.pk)
