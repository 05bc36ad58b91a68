"""Changes that pages ask for: who may, what the model takes, what the answer to a refused one says."""

import datetime
import json
import logging

import pytest
from django.core.exceptions import ValidationError
from django.db.models import Q
from rest_framework import serializers

from channels import counters
from channels.binding.base import Binding
from channels.binding.websockets import WebsocketBinding
from channels.dispatch import dispatch
from channels.generic.websockets import WebsocketDemultiplexer
from channels.routing import route
from channels.worker import Worker
from tests.binding.conftest import is_postgres
from tests.binding.desk.models import BigCard, Box, Card, Label, Paper, Seat, Ticket
from tests.sessions.conftest import cookie, login, user, visitor
from tests.support.connection import Connection, make_layer

__all__ = ["cookie", "login", "user", "visitor"]

pytestmark = pytest.mark.django_db(transaction=True)


class Open(WebsocketBinding):
    """Everybody may do everything; nobody is told."""

    model = None
    channel_session_user = False

    @classmethod
    def group_names(cls, instance):
        return []

    def has_permission(self, user, action, pk):
        return True


@pytest.fixture
def opened(bind):
    """Return a function that declares a binding which permits everything."""
    return lambda model=Card, base=Open, **body: bind(model, base, group_names=lambda cls, instance: [], **body)


def page_of(bound):
    """Return a connection to a demultiplexer with one binding."""
    made = type("Streams", (WebsocketDemultiplexer,), {"consumers": {"cards": bound.consumer}})
    return Connection([made.as_route()])


def ask(page, action, pk=None, data=None, **more):
    """Send a change and return the frames that came back."""
    payload = {"action": action, "pk": pk, "data": data, **more}
    return [json.loads(reply["text"]) for reply in page.receive(json.dumps({"stream": "cards", "payload": payload}))]


def error_of(frames):
    """Return the error in the one frame that came back on the stream."""
    (frame,) = frames
    assert set(frame) == {"stream", "error"}
    assert frame["stream"] == "cards"
    return frame["error"]


# What is done


def test_create_makes_a_row(opened):
    """Of the fields that are allowed."""
    box = Box.objects.create(name="left")
    assert ask(page_of(opened()), "create", data={"title": "new", "box": box.pk}) == []
    assert Card.objects.get().box == box


def test_create_fills_the_row_that_the_binding_makes(opened):
    """Which gives it what pages may not, such as its owner."""
    bound = opened(make_instance=lambda self: Card(note="made by the server"))
    assert ask(page_of(bound), "create", data={"title": "new", "note": "of the page"}) == []
    card = Card.objects.get()
    assert (card.title, card.note) == ("new", "made by the server")


def test_update_changes_what_it_names(opened):
    """And leaves the rest."""
    card = Card.objects.create(title="a", note="old")
    assert ask(page_of(opened(fields=["title", "note"])), "update", card.pk, {"title": "b"}) == []
    card.refresh_from_db()
    assert (card.title, card.note) == ("b", "old")


def test_delete_takes_the_row_away(opened):
    """Data is not needed."""
    card, other = Card.objects.create(title="a"), Card.objects.create(title="b")
    assert ask(page_of(opened()), "delete", card.pk) == []
    assert list(Card.objects.all()) == [other]


def test_values_are_those_of_json(opened):
    """Dates are texts, relations are keys."""
    labels = [Label.objects.create(name=name) for name in ("red", "blue")]
    page = page_of(opened(fields=["__all__"]))
    keys = [label.pk for label in labels]
    assert ask(page, "create", data={"title": "a", "due": "2030-01-02", "labels": keys, "place": "7"}) == []
    card = Card.objects.get()
    assert (card.due, card.place, set(card.labels.all())) == (datetime.date(2030, 1, 2), 7, set(labels))
    assert ask(page, "update", card.pk, {"labels": [], "due": None}) == []
    card.refresh_from_db()
    assert (card.due, card.labels.count()) == (None, 0)


def test_key_may_be_a_text(opened):
    """UUIDs are, in JSON; permissions see the value that the model has."""
    seen = []
    bound = opened(Ticket, fields=["text"], has_permission=lambda self, user, action, pk: seen.append(pk) or True)
    ticket = Ticket.objects.create(text="a")
    assert ask(page_of(bound), "update", str(ticket.pk), {"text": "b"}) == []
    assert Ticket.objects.get().text == "b"
    assert seen == [ticket.pk]


def test_permission_sees_the_key_as_the_model_does(opened):
    """A check that compares numbers is not got round with a text."""
    seen = []
    bound = opened(has_permission=lambda self, user, action, pk: seen.append(pk) or False)
    ask(page_of(bound), "delete", "5")
    assert seen == [5]


def test_change_from_a_page_reaches_the_groups(bind, listen):
    """After the answer, that is, after the transaction of the change."""
    page = listen("all")
    bound = bind(Card, Open, group_names=lambda cls, card: ["all"])
    ask(page_of(bound), "create", data={"title": "a"})
    assert [action for action, _ in page.actions()] == ["create"]


def test_plain_consumer_without_a_demultiplexer(opened):
    """Frames are then payloads."""
    page = Connection([route("websocket.receive", opened().consumer)])
    assert page.receive(json.dumps({"action": "create", "data": {"title": "a"}})) == []
    assert Card.objects.count() == 1
    (reply,) = page.receive(json.dumps({"action": "fly"}))
    assert json.loads(reply["text"])["stream"] == "cards"


@pytest.mark.parametrize("event", ["connect", "disconnect"])
def test_connect_and_disconnect_are_not_for_bindings(opened, event):
    """The socket is accepted by the demultiplexer, and that is all."""
    assert getattr(page_of(opened()), event)() == ([{"accept": True}] if event == "connect" else [])


class DatagramBinding(Binding):
    """Takes changes of a protocol of its own: a line of action, key and title."""

    model = None
    channel_session_user = False

    def deserialize(self, message):
        action, key, title = message["data"].decode().split(" ")
        return action, key or None, {"title": title}

    def has_permission(self, user, action, pk):
        return True

    def create(self, data):
        Card.objects.create(**data)

    def update(self, pk, data):
        Card.objects.filter(pk=pk).update(**data)


def test_other_protocols_have_other_channels(bind):
    """A binding of a protocol of its own takes what its server sends."""
    bound = bind(Card, DatagramBinding, group_names=lambda cls, instance: [])
    layer = make_layer([route("udp.receive", bound.consumer)])
    dispatch(layer, "udp.receive", {"data": b"create  a"}, sender=Worker)
    dispatch(layer, "udp.receive", {"data": b"update %d b" % Card.objects.get().pk}, sender=Worker)
    assert Card.objects.get().title == "b"


def test_own_actions(opened):
    """A binding may know more actions."""

    def run_action(self, action, pk, data):
        if action == "stamp":
            Card.objects.filter(pk=pk).update(is_stamped=True)
        else:
            Open.run_action(self, action, pk, data)

    card = Card.objects.create(title="a")
    page = page_of(opened(run_action=run_action))
    assert ask(page, "stamp", card.pk) == []
    assert Card.objects.get().is_stamped
    assert error_of(ask(page, "fly"))["code"] == "unknown_action"


def test_arguments_of_the_route_are_at_hand(opened):
    """A binding may look at the path."""
    seen = []
    bound = opened(has_permission=lambda self, user, action, pk: seen.append(self.kwargs["room"]) or True)
    made = type("Streams", (WebsocketDemultiplexer,), {"consumers": {"cards": bound.consumer}})
    ask(Connection([made.as_route(path=r"^/(?P<room>\w+)/$")], path="/tea/"), "delete", 1)
    assert seen == ["tea"]


def test_rows_can_be_left_out(opened):
    """What ``get_queryset`` does not return is not there."""
    card = Card.objects.create(title="a")
    bound = opened(get_queryset=lambda self: Card.objects.exclude(title="a"))
    for action in ("update", "delete"):
        assert error_of(ask(page_of(bound), action, card.pk, {"title": "b"}))["code"] == "not_found"


# Who may


@pytest.mark.parametrize("is_distinct", [True, False])
def test_rows_may_be_left_out_by_relations(opened, is_distinct):
    """By those of which there may be none, or several: whatever a queryset joins, the row can be locked."""

    def get_queryset(self):
        rows = Card.objects.filter(Q(box__name="left") | Q(labels__name__in=["red", "blue"]))
        return rows.distinct() if is_distinct else rows

    seen, other = Card.objects.create(title="a"), Card.objects.create(title="b")
    seen.labels.set([Label.objects.create(name=name) for name in ("red", "blue")])
    page = page_of(opened(get_queryset=get_queryset))
    assert ask(page, "update", seen.pk, {"title": "c"}) == []
    assert error_of(ask(page, "update", other.pk, {"title": "c"}))["code"] == "not_found"
    assert sorted(map(str, Card.objects.all())) == ["b", "c"]
    assert ask(page, "delete", seen.pk) == []


def test_nobody_may_unless_the_binding_says_so(bind):
    """Bindings that only send are safe."""
    bound = bind(Card, channel_session_user=False)
    error = error_of(ask(page_of(bound), "create", data={"title": "forged"}))
    assert (error["code"], error["action"], error["pk"]) == ("permission_denied", "create", None)
    assert not Card.objects.exists()


@pytest.mark.parametrize("action", ["create", "update", "delete"])
def test_refused_change_is_answered_logged_and_counted(opened, action, caplog):
    """And nothing is changed."""
    card = Card.objects.create(title="a")
    bound = opened(has_permission=lambda self, user, action, pk: False)
    before = counters.value("message.dropped.permission_denied")
    with caplog.at_level(logging.INFO, "django.channels"):
        error = error_of(ask(page_of(bound), action, card.pk, {"title": "b"}))
    assert (error["code"], error["action"], error["pk"]) == ("permission_denied", action, card.pk)
    assert [str(each) for each in Card.objects.all()] == ["a"]
    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert counters.value("message.dropped.permission_denied") == before + 1


def test_user_is_that_of_the_session(bind, user, login, cookie):
    """As the demultiplexer opened it."""
    seen = []
    bound = bind(Card, has_permission=lambda self, user, action, pk: seen.append(str(user)) or True)
    made = type("D", (WebsocketDemultiplexer,), {"consumers": {"cards": bound.consumer}, "http_user": True})
    page = Connection([made.as_route()], headers=cookie(login(user)))
    page.connect()
    ask(page, "delete", 1)
    assert seen == ["ada"]


@pytest.mark.parametrize("channel_session_user", [True, False])
def test_user_is_anonymous_without_a_login(bind, channel_session_user):
    """Whether a session is opened or not."""
    seen = []
    bound = bind(
        Card,
        channel_session_user=channel_session_user,
        has_permission=lambda self, user, action, pk: seen.append(user.is_authenticated) or True,
    )
    ask(page_of(bound), "delete", 1)
    assert seen == [False]


def test_strict_ordering_of_a_binding_orders_the_socket(opened):
    """A demultiplexer asks the class whose method its consumer is."""
    bound = opened(strict_ordering=True)
    page = page_of(bound)
    page.order = 2
    assert ask(page, "create", data={"title": "second"}) == []
    assert not Card.objects.exists()
    page.order = 1
    ask(page, "create", data={"title": "first"})
    page.work()
    assert [str(card) for card in Card.objects.order_by("pk")] == ["first", "second"]


# What the model takes


@pytest.mark.parametrize("action", ["create", "update"])
@pytest.mark.parametrize("limits", [{"fields": ["title"]}, {"fields": ["__all__"], "exclude": ["secret"]}])
def test_fields_that_are_not_allowed_are_left_alone(opened, action, limits):
    """On every path: what is not sent cannot be set."""
    card = Card.objects.create(title="a")
    ask(page_of(opened(**limits)), action, card.pk, {"title": "b", "secret": "forged"})
    assert [each.secret for each in Card.objects.all()] == ["safe"] * Card.objects.count()
    assert Card.objects.filter(title="b").exists()


@pytest.mark.parametrize("action", ["create", "update"])
def test_fields_that_are_not_editable_are_left_alone(opened, action):
    """The model would not check them."""
    card = Card.objects.create(title="a")
    ask(page_of(opened(fields="__all__")), action, card.pk, {"title": "b", "is_stamped": True})
    assert not Card.objects.filter(is_stamped=True).exists()


@pytest.mark.parametrize("action", ["create", "update"])
def test_key_in_the_data_takes_no_other_row(opened, action):
    """A create never writes over a row, an update never makes a copy."""
    card, other = Card.objects.create(title="a"), Card.objects.create(title="b")
    ask(page_of(opened(fields="__all__")), action, card.pk, {"id": other.pk, "title": "c"})
    other.refresh_from_db()
    assert other.title == "b"
    assert Card.objects.count() == (3 if action == "create" else 2)


def test_key_of_several_fields_takes_no_other_row(opened):
    """No part of it is changed, so that an update neither makes a copy nor writes over what it may not."""
    Seat.objects.create(row="a", number=1)
    Seat.objects.create(row="b", number=2)
    bound = opened(Seat, fields="__all__", get_queryset=lambda self: Seat.objects.filter(row="a"))
    assert ask(page_of(bound), "update", ["a", 1], {"row": "b", "number": 2, "note": "forged"}) == []
    assert sorted(map(str, Seat.objects.all())) == ["a1: forged", "b2: "]


def test_new_child_takes_no_parent_of_others(opened):
    """Its link to its parent is not the page's to choose."""
    card = Card.objects.create(title="a", secret="own")
    ask(page_of(opened(BigCard, fields="__all__")), "create", data={"card_ptr": card.pk, "title": "b"})
    assert list(Card.objects.order_by("pk").values_list("title", "secret")) == [("a", "own"), ("b", "safe")]


@pytest.mark.parametrize("action", ["create", "update"])
@pytest.mark.parametrize(
    ("data", "fields"),
    [
        ({"title": ""}, {"title"}),
        ({"title": None}, {"title"}),
        ({"title": "x" * 21}, {"title"}),
        ({"place": "many"}, {"place"}),
        ({"place": [1]}, {"place"}),
        ({"due": [1]}, {"due"}),
        ({"due": "soon"}, {"due"}),
        ({"due": ""}, {"due"}),
        ({"box": 999}, {"box"}),
        ({"box": "left"}, {"box"}),
        ({"labels": [999]}, {"labels"}),
        ({"labels": [None]}, {"labels"}),
        ({"labels": ["red"]}, {"labels"}),
        ({"labels": 1}, {"labels"}),
        ({"place": "many", "due": "soon"}, {"place", "due"}),
        ({"note": "same", "title": "same"}, {"__all__"}),
    ],
)
def test_values_are_checked_by_the_model(opened, action, data, fields):
    """The answer says which are wrong, and why; nothing is changed."""
    card = Card.objects.create(title="a")
    error = error_of(
        ask(page_of(opened(fields="__all__")), action, card.pk, {"title": "b", **data} if action == "create" else data)
    )
    assert error["code"] == "invalid"
    assert set(error["fields"]) == fields
    assert all(isinstance(text, str) for texts in error["fields"].values() for text in texts)
    assert [str(each) for each in Card.objects.all()] == ["a"]


@pytest.mark.parametrize("action", ["create", "update"])
@pytest.mark.parametrize("name", ["scan", "source"])
def test_paths_of_files_are_left_alone(opened, action, name):
    """Whoever could choose one could read what is not his."""
    paper = Paper.objects.create(title="a")
    ask(page_of(opened(Paper, fields="__all__")), action, paper.pk, {"title": "b", name: "/etc/passwd"})
    assert Paper.objects.filter(title="b").exists()
    assert not any(getattr(each, name) for each in Paper.objects.all())


@pytest.mark.parametrize("number", ["1e999", "-1e999", "NaN", "Infinity", '"nan"', '"inf"'])
def test_numbers_that_json_lacks_are_refused(opened, number):
    """No page could read the row any more."""
    text = f'{{"action": "create", "data": {{"title": "a", "weight": {number}}}}}'
    page = page_of(opened(Paper, fields=["title", "weight"]))
    (reply,) = page.receive(f'{{"stream": "cards", "payload": {text}}}')
    assert set(json.loads(reply["text"])["error"]["fields"]) == {"weight"}
    assert not Paper.objects.exists()


def test_relations_are_limited_as_in_forms(opened):
    """To what the field may refer to, and to some where there must be some."""
    paper = Paper.objects.create(title="a")
    allowed, other = Label.objects.create(name="paper"), Label.objects.create(name="card")
    page = page_of(opened(Paper, fields=["labels"]))
    for keys in ([other.pk], [allowed.pk, other.pk], []):
        assert set(error_of(ask(page, "update", paper.pk, {"labels": keys}))["fields"]) == {"labels"}
    assert ask(page, "update", paper.pk, {"labels": [allowed.pk]}) == []
    assert list(paper.labels.all()) == [allowed]


@pytest.mark.parametrize("depth", [202, 950, 960, 970, 980, 990, 9_900, 9_990])
def test_values_that_are_nested_too_deeply_are_answered(opened, depth):
    """Some could be read, and not be saved."""
    text = '{"action": "create", "data": {"title": "a", "notes": %s}}' % ("[" * depth + "]" * depth)
    bound = opened(Paper, fields=["title", "notes"])
    for page, frame in (
        (Connection([route("websocket.receive", bound.consumer)]), text),
        (page_of(bound), f'{{"stream": "cards", "payload": {text}}}'),
    ):
        (reply,) = page.receive(frame)
        assert json.loads(reply["text"])["error"]["code"] == "invalid_json"
    assert not Paper.objects.exists()


def test_constraints_are_checked_by_the_model(opened):
    """Also those over a field that the change does not name."""
    box = Box.objects.create(name="left")
    Card.objects.create(title="a", box=box, place=1)
    second = Card.objects.create(title="b", box=box, place=2)
    error = error_of(ask(page_of(opened(fields=["place"])), "update", second.pk, {"place": 1}))
    assert error["code"] == "invalid"


def test_what_only_the_database_refuses_is_answered(opened):
    """A save of the project's own may break a constraint."""

    def create(self, data):
        Label.objects.create(name="red")

    Label.objects.create(name="red")
    assert error_of(ask(page_of(opened(create=create)), "create", data={}))["code"] == "conflict"


@pytest.mark.parametrize(
    ("error", "fields"),
    [
        (ValidationError("No more."), {"__all__": ["No more."]}),
        (ValidationError({"title": "Not this."}), {"title": ["Not this."]}),
    ],
)
def test_what_a_save_refuses_is_answered(opened, error, fields):
    """Models check values there, too, and so do signals."""

    def create(self, data):
        Label.objects.create(name="red")
        raise error

    answer = error_of(ask(page_of(opened(create=create)), "create", data={}))
    assert (answer["code"], answer["fields"]) == ("invalid", fields)
    assert not Label.objects.exists()


def test_text_that_cannot_be_stored_is_answered(opened):
    """Half of a surrogate pair is JSON, and no text."""
    error = error_of(ask(page_of(opened()), "create", data={"title": "\ud800"}))
    assert error["code"] == "invalid"
    if is_postgres():
        assert error_of(ask(page_of(opened()), "create", data={"title": "\0"}))["code"] == "invalid"


def test_protected_row_is_not_deleted(opened):
    """Others refer to it."""
    card = Card.objects.create(title="a")
    Ticket.objects.create(text="b", card=card)
    assert error_of(ask(page_of(opened()), "delete", card.pk))["code"] == "conflict"


# Frames that say nothing


@pytest.mark.parametrize("pk", [999, None, "x", "", True, [1], [1, 2], [], {"a": 1}, 10**30, 1.5e300, "\0"])
@pytest.mark.parametrize("action", ["update", "delete"])
def test_row_that_is_not_there(opened, action, pk):
    """Whatever stands in the place of the key."""
    Card.objects.create(title="a")
    error = error_of(ask(page_of(opened()), action, pk, {"title": "b"}))
    assert error["code"] == "not_found"
    assert str(Card.objects.get()) == "a"


@pytest.mark.parametrize("text", ["\ud800", "\0", "a\0"])
def test_key_that_is_no_text_of_databases(opened, text):
    """Permissions may look for the row before it is changed."""
    bound = opened(Seat, has_permission=lambda self, user, action, pk: not Seat.objects.filter(pk=pk).exists())
    assert error_of(ask(page_of(bound), "update", [text, 1], {}))["code"] == "not_found"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({}, "invalid_payload"),
        ({"action": None}, "invalid_payload"),
        ({"action": ["create"]}, "invalid_payload"),
        ({"action": "create"}, "invalid_payload"),
        ({"action": "create", "data": []}, "invalid_payload"),
        ({"action": "create", "data": "title"}, "invalid_payload"),
        ({"action": "CREATE", "data": {}}, "unknown_action"),
        ({"action": "__init__", "data": {}}, "unknown_action"),
    ],
)
def test_payload_of_another_shape(opened, payload, code):
    """The answer says what was expected."""
    frames = page_of(opened()).receive(json.dumps({"stream": "cards", "payload": payload}))
    error = error_of([json.loads(reply["text"]) for reply in frames])
    assert error["code"] == code
    assert error["detail"]


@pytest.mark.parametrize("frame", ["{", "[]", '"text"', "[" * 100_000])
def test_frame_that_is_no_object(opened, frame):
    """Without a demultiplexer, which would have refused it."""
    (reply,) = Connection([route("websocket.receive", opened().consumer)]).receive(frame)
    assert json.loads(reply["text"])["error"]["code"] in ("invalid_json", "invalid_payload")


def test_binary_frame(opened):
    """Bindings speak JSON."""
    (reply,) = Connection([route("websocket.receive", opened().consumer)]).receive(data=b"\0")
    assert json.loads(reply["text"])["error"]["code"] == "invalid_json"


def test_refusals_have_the_shape_that_the_binding_gives_them(opened):
    """Packages that run actions of their own have answers of their own."""

    def refuse(self, refused):
        self.message.reply_channel.send(self.encode(self.stream, {"status": refused.code, "action": self.action}))

    bound = opened(refuse=refuse, run_action=lambda self, *args: None, has_permission=lambda self, *args: False)
    assert ask(page_of(bound), "list") == [
        {"stream": "cards", "payload": {"status": "permission_denied", "action": "list"}}
    ]


def test_run_action_refuses_what_it_does_not_know(opened):
    """Called by hand, as in tests of projects."""
    with pytest.raises(ValueError, match="Bad action 'fly'"):
        opened()().run_action("fly", None, None)


# Serializers of REST framework


class CardSerializer(serializers.ModelSerializer):
    """Says the title in capitals, and takes no short ones."""

    loud = serializers.SerializerMethodField()

    class Meta:
        model = Card
        fields = ("id", "title", "loud", "secret")

    def get_loud(self, card):
        return card.title.upper()

    def validate_title(self, title):
        if len(title) < 2:
            raise serializers.ValidationError("Too short.")
        return title


def test_rest_framework_serializes(bind, listen):
    """What the serializer says, as far as the binding allows."""
    page = listen("all")
    bind(Card, serializer_class=CardSerializer, fields=["title", "loud"], group_names=lambda cls, card: ["all"])
    Card.objects.create(title="new")
    assert page.payloads()[0]["data"] == {"title": "new", "loud": "NEW"}


def test_rest_framework_validates_and_saves(opened):
    """On create and on update; fields that the binding does not allow do not reach it."""
    page = page_of(opened(serializer_class=CardSerializer, exclude=["secret"]))
    assert ask(page, "create", data={"title": "new", "secret": "forged"}) == []
    card = Card.objects.get()
    assert ask(page, "update", card.pk, {"title": "newer", "secret": "forged"}) == []
    card.refresh_from_db()
    assert (card.title, card.secret) == ("newer", "safe")


@pytest.mark.parametrize("action", ["create", "update"])
def test_rest_framework_refuses(opened, action):
    """Its errors are the answer's."""
    card = Card.objects.create(title="old")
    page = page_of(opened(serializer_class=CardSerializer, fields="__all__"))
    error = error_of(ask(page, action, card.pk, {"title": "x"}))
    assert (error["code"], error["fields"]) == ("invalid", {"title": ["Too short."]})
    assert str(Card.objects.get()) == "old"


def test_rest_framework_serializer_knows_the_user(opened):
    """In its context."""
    seen = []

    class Noting(CardSerializer):
        def validate(self, data):
            seen.append((self.context["user"].is_anonymous, self.context["binding"].action))
            return data

    ask(page_of(opened(serializer_class=Noting)), "create", data={"title": "new"})
    assert seen == [(True, "create")]


def test_layer_of_the_page_is_not_needed(opened):
    """A refused message without a reply channel is only logged."""
    layer = make_layer([route("websocket.receive", opened().consumer)])
    layer.send("websocket.receive", {"text": "{"})
    assert Connection(layer=layer).work() == 1
