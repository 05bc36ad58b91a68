"""What groups are told when rows change: which groups, what, when, and how often it is made."""

import contextlib
import copy
import datetime
import json
import logging

import pytest
from django.contrib.auth import get_user_model
from django.core import serializers
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.db.models import F, signals

from channels import counters
from channels.binding import changes
from channels.binding.websockets import WebsocketBinding, WebsocketBindingWithMembers
from channels.exceptions import LayerUnavailable
from tests.binding.desk.models import Box, Card, Label, Paper, Ticket
from tests.support.connection import Connection, routes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def boxes():
    """Two boxes."""
    return Box.objects.create(name="left"), Box.objects.create(name="right")


@pytest.fixture
def left(boxes):
    """A card in the left box, made before anything is bound."""
    return Card.objects.create(title="card", box=boxes[0])


@pytest.fixture
def pages(listen, boxes):
    """Three pages: one that sees everything, and one for each box."""
    return listen("all"), *(listen(f"box-{box.pk}") for box in boxes)


def heard(pages):
    """Return what became of rows as each of the pages was told."""
    return [[action for action, _ in page.actions()] for page in pages]


# What is sent


def test_frame_of_a_create(bind, pages):
    """Stream, action, key, fields and model."""
    bind(Card)
    card = Card.objects.create(title="new")
    payload = {"action": "create", "pk": card.pk, "data": {"title": "new", "box": None}, "model": "desk.card"}
    assert pages[0].frames() == [{"stream": "cards", "payload": payload}]


def test_frame_of_an_update(bind, left, pages):
    """Relations are primary keys."""
    bind(Card)
    left.title = "changed"
    left.save()
    (payload,) = pages[0].payloads()
    assert payload == {
        "action": "update",
        "pk": left.pk,
        "data": {"title": "changed", "box": left.box_id},
        "model": "desk.card",
    }


def test_frame_of_a_delete(bind, left, pages):
    """The whole row as it was, its many-to-many relations too."""
    left.labels.add(Label.objects.create(name="red"))
    bind(Card, fields=["__all__"])
    pk, label = left.pk, Label.objects.get().pk
    left.delete()
    (payload,) = pages[0].payloads()
    assert (payload["action"], payload["pk"]) == ("delete", pk)
    assert payload["data"]["labels"] == [label]


def test_exclude_leaves_fields_out(bind, pages):
    """All others are sent."""
    bind(Card, exclude=["secret", "labels"])
    Card.objects.create(title="new")
    (payload,) = pages[0].payloads()
    assert set(payload["data"]) == {"title", "note", "place", "due", "is_stamped", "box"}


@pytest.mark.parametrize("fields", ["__all__", ["__all__"]])
def test_all_fields_are_sent_if_asked_for(bind, pages, fields):
    """As a word, and in a list."""
    bind(Card, fields=fields)
    Card.objects.create(title="new")
    assert len(pages[0].payloads()[0]["data"]) == 8


def test_key_that_is_no_number_is_text(bind, listen):
    """As in JSON."""
    page = listen("all")
    bind(Ticket, fields=["text"], group_names=lambda cls, ticket: ["all"])
    ticket = Ticket.objects.create(text="a")
    assert page.actions() == [("create", str(ticket.pk))]


def test_members_are_sent_with_the_fields(bind, boxes, pages):
    """Methods are called; a relation that leads nowhere has no members."""
    bind(Card, WebsocketBindingWithMembers, send_members=["shout", "box.name", "pk"])
    Card.objects.create(title="a", box=boxes[0])
    Card.objects.create(title="b")
    first, second = (payload["data"] for payload in pages[0].payloads())
    assert (first["shout"], first["box__name"]) == ("A", "left")
    assert (second["shout"], second["box__name"]) == ("B", None)


def test_empty_payload_sends_nothing(bind, pages):
    """A binding may have nothing to say."""
    bind(Card, serialize=lambda self, instance, action: {} if action == "create" else {"a": 1})
    Card.objects.create(title="a").delete()
    assert pages[0].payloads() == [{"a": 1}]


def test_protocol_of_its_own(bind, listen):
    """A binding may serialise and encode as it likes; it knows the signal's arguments."""
    page = listen("all")
    seen = []

    def serialize(self, instance, action):
        seen.append((self.instance, self.signal_kwargs["created"], self.signal_kwargs["using"]))
        return [action]

    bind(Card, serialize=serialize, encode=lambda self, stream, payload: {"text": json.dumps([stream, payload])})
    card = Card.objects.create(title="a")
    assert page.frames() == [["cards", ["create"]]]
    assert seen == [(card, True, "default")]


def test_stream_must_be_there_to_send(bind, layer):
    """The error says so before anything is committed."""
    bind(Card, stream=None)
    with pytest.raises(ValueError, match="You must set the stream attribute"), transaction.atomic():
        Card.objects.create(title="a")
    assert not Card.objects.exists()


def test_groups_that_are_one_text_stop_the_change(bind, layer):
    """Each of its letters would be a group."""
    bind(Card, group_names=lambda cls, card: "all")
    with pytest.raises(TypeError, match="Groups must be a list of names, not the text 'all'"), transaction.atomic():
        Card.objects.create(title="card")
    assert not Card.objects.exists()


def test_group_name_that_is_none_stops_the_change(bind, layer):
    """The mistake is seen where it can still be rolled back."""
    bind(Card, group_names=lambda cls, card: ["no good name"])
    with pytest.raises(TypeError, match="Group name"), transaction.atomic():
        Card.objects.create(title="a")
    assert not Card.objects.exists()


# Who is told


def test_move_is_a_delete_an_update_and_a_create(bind, boxes, left, pages):
    """Each group is told what it is to it."""
    bind(Card)
    left.box = boxes[1]
    left.save()
    assert heard(pages) == [["update"], ["delete"], ["create"]]


def test_group_that_is_left_is_told_what_it_knew(bind, boxes, left, pages):
    """The new values are not for it."""
    bind(Card)
    left.box, left.title = boxes[1], "private"
    left.save()
    assert pages[1].payloads()[0]["data"] == {"title": "card", "box": boxes[0].pk}


def test_order_is_delete_update_create(bind, boxes, left, listen):
    """For a page that is in several groups."""
    page = listen("all", *(f"box-{box.pk}" for box in boxes))
    bind(Card)
    left.box = boxes[1]
    left.save()
    assert [action for action, _ in page.actions()] == ["delete", "update", "create"]


def test_binding_sees_only_its_model(bind, pages):
    """Others are saved in peace."""
    bind(Card)
    Label.objects.create(name="red")
    assert heard(pages) == [[], [], []]


def test_no_groups_no_serialisation(bind, layer):
    """What nobody sees is not made."""
    bind(Card, group_names=lambda cls, card: [], serialize=lambda self, instance, action: 1 / 0)
    Card.objects.create(title="a").delete()


def test_several_bindings_of_one_model(bind, pages, django_assert_num_queries):
    """Each sends on its stream; the stored row is read once for all of them."""
    bind(Card, stream="one")
    bind(Card, stream="two")
    card = Card.objects.create(title="a")
    with django_assert_num_queries(2):
        card.save()
    assert [frame["stream"] for frame in pages[0].frames()] == ["one", "two"] * 2


def test_new_row_is_not_looked_for(bind, layer, django_assert_num_queries):
    """Where the database makes the key, there is no row to ask for."""
    bind(Card)
    with django_assert_num_queries(1):
        Card.objects.create(title="a")


# The stored row counts


def test_row_that_was_read_by_another_object(bind, boxes, left, pages):
    """An instance that never held the old values moves the row all the same."""
    bind(Card)
    Card(pk=left.pk, title="other", box=boxes[1]).save()
    assert heard(pages) == [["update"], ["delete"], ["create"]]


def test_stale_instance_moves_the_row_from_where_it_is(bind, boxes, left, pages):
    """Whatever it was when it was read."""
    stale = Card.objects.get(pk=left.pk)
    Card.objects.filter(pk=left.pk).update(box=boxes[1])
    bind(Card)
    stale.save()
    assert heard(pages) == [["update"], ["create"], ["delete"]]


def test_roll_back_leaves_the_old_groups(bind, boxes, left, pages):
    """The instance keeps values that the database never got; the next save goes by the database."""
    bind(Card)
    left.box = boxes[1]
    with contextlib.suppress(RuntimeError), transaction.atomic():
        left.save()
        raise RuntimeError
    assert heard(pages) == [[], [], []]
    left.save()
    assert heard(pages) == [["update"], ["delete"], ["create"]]


def test_refresh_takes_changes_back(bind, boxes, left, pages):
    """What was never saved is no move."""
    bind(Card)
    left.box = boxes[1]
    left.refresh_from_db()
    left.save()
    assert heard(pages) == [["update"], ["update"], []]


def test_update_fields_move_only_what_they_name(bind, boxes, left, pages):
    """The instance has another box; the row has not, and its groups are told what it is."""
    bind(Card, fields=["title", "box"])
    left.box, left.title = boxes[1], "changed"
    left.save(update_fields=["title"])
    told = pages[1].payloads()
    assert [payload["data"] for payload in told] == [{"title": "changed", "box": boxes[0].pk}]
    assert pages[2].payloads() == []


def test_expression_is_sent_as_its_value(bind, left, pages):
    """The database knows what it came to."""
    bind(Card, fields=["place"])
    left.place = F("place") + 5
    left.save()
    assert pages[0].payloads()[0]["data"] == {"place": 5}


def test_deferred_fields_are_read(bind, left, pages):
    """An instance that was read in part tells the whole row."""
    bind(Card)
    Card.objects.only("note").get(pk=left.pk).save()
    assert pages[1].payloads()[0]["data"] == {"title": "card", "box": left.box_id}


def test_raw_save_counts(bind, boxes, left, pages):
    """Fixtures that are loaded change rows like others."""
    text = serializers.serialize("json", [left]).replace(f'"box": {boxes[0].pk}', f'"box": {boxes[1].pk}')
    bind(Card)
    for record in serializers.deserialize("json", text):
        record.save()
    assert heard(pages) == [["update"], ["delete"], ["create"]]


FIXTURE = [
    {"model": "desk.paper", "pk": 1, "fields": {"title": "above", "below": 2, "labels": [1]}},
    {"model": "desk.paper", "pk": 2, "fields": {"title": "below"}},
    {"model": "desk.label", "pk": 1, "fields": {"name": "paper"}},
]


def test_fixture_may_name_rows_that_come_later(bind, listen, tmp_path, caplog):
    """Nobody is told of a row whose groups follow from them; it is loaded, logged and counted."""
    bind(
        Paper,
        fields=["title", "labels"],
        group_names=lambda cls, paper: ["all", *([f"below-{paper.below.title}"] if paper.below_id else [])],
    )
    page, before = listen("all"), counters.snapshot().get("change.dropped.incomplete", 0)
    path = tmp_path / "papers.json"
    path.write_text(json.dumps(FIXTURE))
    with caplog.at_level(logging.INFO, "django.channels"):
        call_command("loaddata", path, verbosity=0)
    assert Paper.objects.get(pk=1).labels.count() == 1
    assert page.actions() == [("create", 2)]
    assert counters.snapshot()["change.dropped.incomplete"] > before
    assert "Nobody is told of desk.Paper, a row of a fixture" in caplog.text


def test_row_that_is_not_of_a_fixture_fails_where_its_groups_do(bind, layer):
    """Whoever saves it is to know."""
    bind(Paper, fields=["title"], group_names=lambda cls, paper: [f"box-{Box.objects.get(pk=0)}"])
    with pytest.raises(Box.DoesNotExist):
        Paper.objects.create(title="paper")


@pytest.mark.parametrize(
    ("name", "given", "told"),
    [
        ("due", "2030-01-02T03:04:05Z", "2030-01-02T03:04:05Z"),
        ("due", datetime.datetime(2030, 1, 2, tzinfo=datetime.timezone.utc), "2030-01-02T00:00:00Z"),
        ("place", "7", 7),
        ("place", 7.0, 7),
        ("title", 5, "5"),
    ],
)
def test_values_are_told_as_they_are_stored(bind, listen, name, given, told):
    """Django takes texts for dates and numbers; groups get what the database has."""
    page = listen("all")
    bind(Paper, fields=[name], group_names=lambda cls, paper: ["all"])
    Paper.objects.create(**{"title": "paper", name: given})
    (payload,) = page.payloads()
    assert payload["data"] == {name: told}
    assert type(payload["data"][name]) is type(told)


def test_values_that_the_database_makes_are_told(bind, listen):
    """Those of new rows and of changed ones."""
    page = listen("all")
    bind(Paper, fields=["loud"], group_names=lambda cls, paper: ["all"])
    paper = Paper.objects.create(title="one")
    paper.title = "two"
    paper.save()
    assert [payload["data"] for payload in page.payloads()] == [{"loud": "ONE"}, {"loud": "TWO"}]


def test_numbers_that_json_lacks_are_null(bind, listen):
    """Pages can read the rest of the row."""
    page = listen("all")
    bind(Paper, fields=["title", "weight"], group_names=lambda cls, paper: ["all"])
    Paper.objects.create(title="paper", weight=float("inf"))
    assert page.payloads()[0]["data"] == {"title": "paper", "weight": None}


def test_value_that_its_field_cannot_read_is_as_the_database_has_it():
    """Fields of others may fail on values that they save; nobody's save fails for it."""
    paper = Paper.objects.create(title="paper")
    paper.due = "no date"
    assert changes._read_saved(paper, "default", None).due is None


def test_delete_of_a_changed_instance(bind, boxes, left, pages):
    """Those who saw the row are told, not those who would have."""
    bind(Card)
    left.box = boxes[1]
    left.delete()
    assert heard(pages) == [["delete"], ["delete"], []]


def test_delete_of_a_row_that_is_gone(bind, left, pages):
    """Who deleted it has told everybody."""
    Card.objects.filter(pk=left.pk).delete()
    bind(Card)
    left.delete()
    assert heard(pages) == [[], [], []]


def test_delete_by_a_queryset(bind, boxes, left, pages, django_assert_max_num_queries):
    """Each row is told of, without reading it once more."""
    Card.objects.bulk_create(Card(title=str(number), box=boxes[1]) for number in range(20))
    bind(Card)
    with django_assert_max_num_queries(8):
        Card.objects.all().delete()
    assert [len(each) for each in heard(pages)] == [21, 1, 20]


def test_delete_by_a_queryset_of_parts(bind, boxes, left, pages):
    """What it had not read is read before it is gone."""
    bind(Card)
    Card.objects.only("note").delete()
    assert pages[1].payloads()[0]["data"] == {"title": "card", "box": boxes[0].pk}


def test_delete_by_a_cascade(bind, boxes, left, pages):
    """The box goes, and its cards with it."""
    bind(Card)
    boxes[0].delete()
    assert heard(pages) == [["delete"], ["delete"], []]


def test_new_key_is_a_new_row(bind, left, pages):
    """A copy is a create; the original stays."""
    bind(Card)
    left.pk = None
    left.save()
    assert heard(pages) == [["create"], ["create"], []]


def test_updates_of_querysets_are_not_seen(bind, left, pages):
    """They send no signals."""
    bind(Card)
    Card.objects.update(title="all")
    assert heard(pages) == [[], [], []]


def test_save_within_a_save(bind, boxes, left, pages):
    """A receiver that saves the row again, before the bindings heard of it, does not lose the first move."""
    third = Box.objects.create(name="third")

    def move_on(instance, **kwargs):
        if instance.box_id == boxes[1].pk:
            instance.box = third
            instance.save()

    signals.post_save.connect(move_on, sender=Card)
    try:
        bind(Card)
        left.box = boxes[1]
        left.save()
    finally:
        signals.post_save.disconnect(move_on, sender=Card)
    everybody, *rest = heard(pages)
    assert everybody == ["update", "update"]
    assert rest == [["delete"], ["delete"]]


def test_failed_saves_leave_nothing_behind(bind, boxes, left, pages):
    """An instance may fail again and again, be copied, and then be saved."""
    bind(Card)
    Card.objects.create(title="other", box=boxes[1], place=1)
    pages[0].frames(), pages[2].frames()
    left.box, left.place = boxes[1], 1
    for _ in range(40):
        with pytest.raises(IntegrityError), transaction.atomic():
            left.save()
    left = copy.deepcopy(left)
    left.place = 2
    left.save()
    assert heard(pages) == [["update"], ["delete"], ["create"]]


def test_instance_is_clean_after_a_change(bind, left, layer):
    """What a change needs is on the instance only while it lasts."""
    before = set(vars(left))
    noted = []
    bound = bind(Card, serialize=lambda self, instance, action: noted.append(hasattr(left, "_binding_group_names")))
    bound.encode = lambda self, stream, payload: {}
    left.save()
    assert noted == [True]
    assert set(vars(left)) == before


def test_receivers_can_be_replaced(bind, layer):
    """Packages for 1.x keep the groups themselves."""
    calls = []

    class Own(WebsocketBinding):
        model = None

        @classmethod
        def pre_change_receiver(cls, instance, action):
            instance._binding_group_names[cls] = {"before"}
            calls.append(("pre", action))

        @classmethod
        def post_change_receiver(cls, instance, action, **kwargs):
            calls.append(("post", action, instance._binding_group_names[cls], kwargs["using"]))

    bind(Card, Own)
    Card.objects.create(title="a")
    assert calls == [("pre", "create"), ("post", "create", {"before"}, "default")]


# When it is sent


def test_sends_wait_for_the_commit(bind, pages):
    """Nobody hears of what may yet be rolled back."""
    bind(Card)
    with transaction.atomic():
        Card.objects.create(title="a")
        assert heard(pages) == [[], [], []]
    assert heard(pages) == [["create"], [], []]


def test_savepoint_that_is_rolled_back_sends_nothing(bind, pages):
    """The rest of the transaction does."""
    bind(Card)
    with transaction.atomic():
        Card.objects.create(title="a")
        with contextlib.suppress(RuntimeError), transaction.atomic():
            Card.objects.create(title="b")
            raise RuntimeError
    assert [payload["data"]["title"] for payload in pages[0].payloads()] == ["a"]


def test_changes_of_one_transaction_keep_their_order(bind, boxes, left, pages):
    """Each with the values that it had."""
    bind(Card)
    with transaction.atomic():
        for title in "abc":
            left.title = title
            left.save()
        left.delete()
    told = [(payload["action"], payload["data"]["title"]) for payload in pages[0].payloads()]
    assert told == [("update", "a"), ("update", "b"), ("update", "c"), ("delete", "c")]


def test_inside_a_consumer_sends_wait_for_its_end(bind, listen, layer):
    """As all sends of consumers do."""
    page = listen("all")
    seen = []

    def consumer(message):
        Card.objects.create(title="a")
        seen.append(page.actions())

    bind(Card)
    with layer.rerouted(routes(receive=consumer)):
        Connection(layer=layer).receive("go")
    assert seen == [[]]
    assert [action for action, _ in page.actions()] == ["create"]


def test_layer_that_is_gone_does_not_undo_the_save(bind, layer, monkeypatch, caplog):
    """What was committed has happened; what could not be sent is logged and counted."""

    def fail(batch):
        raise LayerUnavailable("gone")

    bind(Card)
    monkeypatch.setattr(layer, "send_batch", fail, raising=False)
    before = counters.value("message.dropped.refused")
    Card.objects.create(title="a")
    assert Card.objects.count() == 1
    assert counters.value("message.dropped.refused") == before + 1
    assert "gone" in caplog.text


def test_all_groups_are_sent_to_in_one_write(bind, layer, monkeypatch):
    """However many they are."""
    batches = []
    real = layer.send_batch
    monkeypatch.setattr(layer, "send_batch", lambda batch: batches.append(len(batch)) or real(batch), raising=False)
    bind(Card, group_names=lambda cls, card: [f"group-{number}" for number in range(50)])
    Card.objects.create(title="a")
    assert batches == [50]


# How often it is made


def test_row_is_serialised_once_however_many_groups(bind, left, layer):
    """Groups that see it for the first time get what the others get."""
    made = []

    class Counting(WebsocketBinding):
        model = None

        def serialize_data(self, instance):
            made.append(instance.title)
            return super().serialize_data(instance)

    groups = {"card": {f"old-{n}" for n in range(50)} | {f"both-{n}" for n in range(50)}}
    groups["changed"] = {f"new-{n}" for n in range(50)} | {f"both-{n}" for n in range(50)}
    bind(Card, Counting, group_names=lambda cls, card: groups[card.title])
    left.title = "changed"
    left.save()
    # Once as those knew it who see it no more, once as it is.
    assert made == ["card", "changed"]


def test_two_that_move_one_row_see_each_other(bind, boxes, left, pages):
    """In a transaction the stored row is locked before it is read, where the database can."""
    if not connection.features.has_select_for_update:
        pytest.skip("needs row locks; runs on PostgreSQL")
    bind(Card)
    locked = []
    with (
        transaction.atomic(),
        connection.execute_wrapper(
            lambda execute, sql, *rest: locked.append("FOR NO KEY UPDATE" in sql) or execute(sql, *rest)
        ),
    ):
        left.save()
    assert locked == [True, False]


def test_users_can_be_bound(bind, listen):
    """Models of others too."""
    page = listen("all")
    bind(get_user_model(), fields=["username"], group_names=lambda cls, user: ["all"])
    get_user_model().objects.create_user("ada")
    assert page.payloads()[0]["data"] == {"username": "ada"}
