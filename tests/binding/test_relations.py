"""Many-to-many relations, and models that share rows: what groups are told, and what they are not."""

import contextlib

import pytest
from django.db import connection, transaction
from django.db.models import signals

from channels.binding.websockets import WebsocketBindingWithMembers
from tests.binding.desk.models import BigCard, Box, Card, Label, Memo
from tests.binding.test_inbound import Open, ask, page_of

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = ["title", "labels"]


@pytest.fixture
def card():
    """A card, made before anything is bound."""
    return Card.objects.create(title="card")


@pytest.fixture
def red():
    """A label."""
    return Label.objects.create(name="red")


@pytest.fixture
def blue():
    """Another one."""
    return Label.objects.create(name="blue")


def by_label(cls, instance):
    """Groups of a card: those of its labels."""
    return [f"label-{label.name}" for label in instance.labels.all()]


def labels(page):
    """Return what the page was told since the last look: actions and labels."""
    return [(payload["action"], payload["data"]["labels"]) for payload in page.payloads()]


# Many-to-many relations


def test_change_of_a_relation_is_an_update(bind, listen, card, red, blue):
    """After the row; it is told as it is then. ``set`` takes away and adds: two updates."""
    bind(Card, fields=FIELDS)
    page = listen("all")
    card.labels.add(red)
    card.labels.set([blue])
    card.labels.clear()
    assert labels(page) == [("update", [red.pk]), ("update", []), ("update", [blue.pk]), ("update", [])]


def test_relation_that_stays_as_it_is_is_not_told(bind, listen, card, red):
    """Nothing was added that was there."""
    card.labels.add(red)
    bind(Card, fields=FIELDS)
    page = listen("all")
    card.labels.add(red)
    card.labels.set([red])
    assert page.payloads() == []


def test_change_from_the_other_side_tells_every_row(bind, listen, card, red):
    """Each row on the side of the binding, and no other."""
    bind(Card, fields=FIELDS)
    page = listen("all")
    other = Card.objects.create(title="other")
    page.frames()
    red.card_set.add(card, other)
    assert sorted(page.actions()) == [("update", card.pk), ("update", other.pk)]
    red.card_set.remove(card)
    assert page.actions() == [("update", card.pk)]
    red.card_set.clear()
    assert page.actions() == [("update", other.pk)]


def test_groups_may_follow_from_a_relation(bind, listen, card, red, blue):
    """The old group is told of a delete, with the row as it knew it."""
    card.labels.add(red)
    bind(Card, fields=FIELDS, group_names=by_label)
    old, new = listen("label-red"), listen("label-blue")
    card.labels.add(blue)
    assert (labels(old), labels(new)) == ([("update", [red.pk, blue.pk])], [("create", [red.pk, blue.pk])])
    card.labels.remove(red)
    assert (labels(old), labels(new)) == ([("delete", [red.pk, blue.pk])], [("update", [blue.pk])])


def test_relation_that_is_not_sent_is_not_told(bind, listen, card, red):
    """And costs nothing: nobody listens to it."""
    bind(Card, fields=["title"])
    page = listen("all")
    receivers = signals.m2m_changed.has_listeners(Card.labels.through)
    card.labels.add(red)
    assert (page.payloads(), receivers) == ([], False)


def test_binding_that_does_not_send_the_relation_is_left_alone(bind, listen, card, red):
    """Another one of the model does."""
    bind(Card, fields=["title"], group_names=lambda cls, instance: ["titles"])
    bind(Card, fields=FIELDS)
    titles, page = listen("titles"), listen("all")
    card.labels.add(red)
    assert (titles.payloads(), labels(page)) == ([], [("update", [red.pk])])


def test_values_that_are_not_saved_are_not_told(bind, listen, card, red):
    """The relation is stored at once, the fields are not."""
    bind(Card, fields=FIELDS)
    page = listen("all")
    card.title = "not saved"
    card.labels.add(red)
    assert [payload["data"]["title"] for payload in page.payloads()] == ["card"]


def test_relation_that_is_rolled_back_is_not_told(bind, listen, card, red):
    """As with rows."""
    bind(Card, fields=FIELDS)
    page = listen("all")
    with transaction.atomic():
        card.labels.add(red)
        transaction.set_rollback(True)
    assert page.payloads() == []


def test_failed_change_of_a_relation_leaves_nothing_behind(bind, listen, card, red):
    """The next one is told as if there had been none."""
    bind(Card, fields=FIELDS)
    page = listen("all")

    def fail(execute, sql, *rest):
        if "INSERT" in sql:
            raise RuntimeError
        return execute(sql, *rest)

    with connection.execute_wrapper(fail), contextlib.suppress(RuntimeError):
        card.labels.add(red)
    assert page.payloads() == []
    card.labels.add(red)
    assert labels(page) == [("update", [red.pk])]


def test_relation_from_a_page_is_told(bind, listen, red):
    """First the new row, then its relations."""
    bound = bind(Card, Open, fields=FIELDS)
    page = listen("all")
    ask(page_of(bound), "create", data={"title": "new", "labels": [red.pk]})
    assert labels(page) == [("create", []), ("update", [red.pk])]


def test_deleted_other_side_is_not_told(bind, listen, card, red):
    """The row is as it was; only the label is gone."""
    card.labels.add(red)
    bind(Card, fields=FIELDS)
    page = listen("all")
    red.delete()
    assert page.payloads() == []


def test_relation_ends_with_its_last_binding(bind, card, red):
    """No receiver is left."""
    bound = bind(Card, fields=FIELDS)
    assert signals.m2m_changed.has_listeners(Card.labels.through)
    bound.unregister()
    assert not signals.m2m_changed.has_listeners(Card.labels.through)


# Models that share rows


def test_proxy_is_a_model_of_its_own(bind, listen):
    """As Django's signals have it: who saves by one name is not heard by the other."""
    bind(Card)
    page = listen("all")
    memo = Memo.objects.create(title="by proxy")
    memo.delete()
    assert page.payloads() == []


def test_proxy_can_be_bound(bind, listen):
    """With its own methods and label; who saves the model itself is not heard."""
    bind(Memo, WebsocketBindingWithMembers, send_members=["short"])
    page = listen("all")
    memo = Memo.objects.create(title="by proxy")
    Card.objects.create(title="by itself")
    (payload,) = page.payloads()
    assert (payload["model"], payload["pk"], payload["data"]["short"]) == ("desk.memo", memo.pk, "by ")


def test_both_can_be_bound_to_the_same_groups(bind, listen):
    """Then every change is heard, by whatever name."""
    bind(Card)
    bind(Memo)
    page = listen("all")
    card = Card.objects.create(title="card")
    memo = Memo.objects.get(pk=card.pk)
    memo.title = "memo"
    memo.save()
    assert page.actions() == [("create", card.pk), ("update", card.pk)]


def test_both_are_told_of_a_relation(bind, listen, card, red):
    """It is the same one, by whatever name it is changed."""
    bind(Card, fields=FIELDS)
    bind(Memo, fields=FIELDS)
    page = listen("all")
    card.labels.add(red)
    red.card_set.remove(card)
    told = [(payload["model"], payload["data"]["labels"]) for payload in page.payloads()]
    assert told == [("desk.card", [red.pk]), ("desk.memo", [red.pk]), ("desk.card", []), ("desk.memo", [])]


def test_proxy_moves_between_groups(bind, listen):
    """Old groups are those of the stored row, by whichever name it is read."""
    left, right = Box.objects.create(name="left"), Box.objects.create(name="right")
    memo = Memo.objects.create(title="memo", box=left)
    bind(Memo)
    pages = listen(f"box-{left.pk}"), listen(f"box-{right.pk}")
    memo.box = right
    memo.save()
    assert [page.actions() for page in pages] == [[("delete", memo.pk)], [("create", memo.pk)]]


def test_page_writes_through_a_proxy(bind, listen):
    """And gets rows of that class."""
    bound = bind(Memo, Open, group_names=lambda cls, instance: [])
    ask(page_of(bound), "create", data={"title": "new"})
    assert Memo.objects.get().short() == "new"


def test_child_with_a_table_of_its_own_sends_the_fields_of_its_parent(bind, listen):
    """Both are its own; the binding of the parent hears of it only when it is deleted, as its row is then."""
    bind(BigCard, fields=["title", "box", "labels", "size"])
    bind(Card, group_names=lambda cls, instance: ["parents"])
    page, parents = listen("all"), listen("parents")
    big = BigCard.objects.create(title="big", size=20)
    (payload,) = page.payloads()
    assert payload["data"] == {"title": "big", "box": None, "labels": [], "size": 20}
    assert parents.payloads() == []
    pk = big.pk
    big.delete()
    assert (page.actions(), parents.actions()) == ([("delete", pk)], [("delete", pk)])


def test_relation_of_a_parent_is_told_to_each_as_its_own_row(bind, listen, card, red):
    """Whichever of the two is at hand; a parent that is no child concerns the child's binding not at all."""
    bind(Card, fields=["__all__"], group_names=lambda cls, instance: ["parents"])
    bind(BigCard, fields=["size", "labels"], group_names=lambda cls, instance: [f"size-{instance.size}"])
    page, parents = listen("size-20"), listen("parents")
    card.labels.add(red)
    red.card_set.clear()
    assert (page.payloads(), parents.actions()) == ([], [("update", card.pk)] * 2)
    big = BigCard.objects.create(title="big", size=20)
    page.frames()
    for change in (
        lambda: big.labels.add(red),
        lambda: Card.objects.get(pk=big.pk).labels.remove(red),
        lambda: red.card_set.add(big.card_ptr),
    ):
        change()
        (payload,) = page.payloads()
        assert (payload["model"], set(payload["data"])) == ("desk.bigcard", {"size", "labels"})
        (payload,) = parents.payloads()
        assert payload["model"] == "desk.card"
        assert "size" not in payload["data"]
