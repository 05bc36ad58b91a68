"""Attributes that the handshake sets on a consumer: there on every later message of the connection, and on no other."""

import functools

import pytest
from django.contrib.auth.models import Group as Room
from rest_framework.authentication import SessionAuthentication

from channels.registry import channel_layers
from channels.typed import PingMessage, TypedConsumer, event_handler, ws_handler
from tests.binding.desk.models import Seat
from tests.consumers_typed.rooms import Answer, ChatMessage, NotifyEvent

SAY = {"action": "chat", "payload": {"content": "more"}}


class Noting(TypedConsumer):
    """Sets what it is given on itself, and tells what it finds."""

    permission_classes = []
    authentication_classes = []
    groups = ["noting"]
    noted = "by the class"

    def build_groups(self):
        self.group_name = "noting.own"
        assert self.computed == 1
        return [self.group_name]

    def post_authentication(self):
        self.note()

    def note(self):
        """Set something."""

    @functools.cached_property
    def computed(self):
        """A value of each message's own."""
        return 1 if self.connecting else 2

    def find(self):
        """Return what to tell."""
        return self.found

    @ws_handler
    def tell(self, message: PingMessage) -> Answer:
        return Answer(payload=self.find())

    @ws_handler
    def change(self, message: ChatMessage) -> Answer:
        self.found.append(message.payload.content)
        return Answer(payload=self.find())

    @event_handler
    def hear(self, event: NotifyEvent) -> Answer:
        self.found = [event.payload.content]
        return Answer(payload="heard")


@pytest.fixture
def ask(open_socket):
    """Return a function that opens a socket to a ``Noting`` with these methods, and one that asks it."""

    def opened(note, find=Noting.find, **attributes):
        route = Noting.as_route({"note": note, "find": find, **attributes}, path=r"^/chat/(?P<room>\w+)/$")
        socket = open_socket(routes=[route])

        def asked(content=None):
            socket.send_json(content or {"action": "ping"})
            return socket.receive_json()["payload"]

        asked.socket = socket
        return asked

    return opened


def test_json_values_are_kept(ask):
    """As they were, nested too; also what ``build_groups`` set, and in the place of a value on the class."""

    def note(self):
        self.found = {"a": [1, None, {"b": 2.5}]}
        self.noted = "by the handshake"

    def find(self):
        return [self.found, self.noted, self.group_name, self.computed]

    assert ask(note, find)() == [{"a": [1, None, {"b": 2.5}]}, "by the handshake", "noting.own", 2]


def test_connections_do_not_share_attributes(ask):
    """Each finds its own; on the class nothing changes."""
    first = ask(lambda self: setattr(self, "found", 1))
    second = ask(lambda self: setattr(self, "found", 2))
    assert [first(), second(), first()] == [1, 2, 1]
    assert not hasattr(Noting, "found")


def test_changes_are_kept(ask):
    """Those of messages, also in place, and those of events."""
    asked = ask(lambda self: setattr(self, "found", ["first"]))
    assert asked(SAY) == ["first", "more"]
    assert asked(SAY) == ["first", "more", "more"]
    Noting.send_channel_event("noting", NotifyEvent(payload=NotifyEvent.Payload(content="event")))
    assert asked.socket.receive_json()["payload"] == "heard"
    assert asked() == ["event"]


def test_attributes_that_only_a_message_sets_are_not_kept(ask):
    """As for every consumer: the next message has an instance of its own."""

    def find(self):
        if hasattr(self, "later"):
            return "kept"
        self.later = 1
        return "new"

    asked = ask(lambda self: None, find)
    assert [asked(), asked()] == ["new", "new"]


@pytest.mark.parametrize("attributes", [{}, {"found": None}])
def test_instances_of_models_are_read_again(ask, attributes):
    """As the database has them now."""
    room = Room.objects.create(name="den")
    asked = ask(lambda self: setattr(self, "found", room), lambda self: self.found.name, **attributes)
    assert asked() == "den"
    Room.objects.update(name="lair")
    assert asked() == "lair"


def test_instances_with_a_key_of_several_fields_are_read_again(ask):
    """The object of the socket, too."""
    Seat.objects.create(row="a", number=1, note="here")
    asked = ask(
        lambda self: setattr(self, "found", self.obj),
        lambda self: [self.obj.note, self.found.note],
        queryset=Seat.objects,
        lookup_field="row",
        lookup_url_kwarg="room",
    )
    assert asked() == ["here", "here"]


def test_user_may_be_kept_under_another_name(open_socket, user):
    """It is an instance of a model, however lazily it was read."""
    attributes = {
        "post_authentication": lambda self: setattr(self, "found", self.message.user),
        "find": lambda self: [self.found.pk, self.found.username],
        "authentication_classes": [SessionAuthentication],
    }
    socket = open_socket(routes=[Noting.as_route(attributes)], user=user)
    socket.send_json({"action": "ping"})
    assert socket.receive_json()["payload"] == [user.pk, "ada"]


def test_instance_that_is_gone_closes(ask):
    """Like the object of the socket."""
    room = Room.objects.create(name="den")
    asked = ask(lambda self: setattr(self, "found", room), lambda self: self.found.name)
    room.delete()
    asked.socket.send_json({"action": "ping"})
    assert asked.socket.receive_close() == 4404


@pytest.mark.parametrize("value", [object(), {1: "a"}, {"a": {1, 2}}, (1, 2), Room(name="unsaved")])
def test_other_values_are_missed_with_a_reason(ask, caplog, value):
    """Not lost without a word: whoever asks for one is told what can be kept."""
    asked = ask(lambda self: setattr(self, "found", value))
    assert asked() == {"detail": "Failed to process message"}
    assert f"Noting.found was set in the handshake to a {type(value).__name__}" in caplog.text
    assert "functools.cached_property" in caplog.text


def test_missing_attribute_is_told_as_ever(ask, caplog):
    """One that nobody set, and one that a property of the project fails to find."""
    broken = property(lambda self: self.user.nonsense)
    assert ask(lambda self: None, lambda self: self.found)() == {"detail": "Failed to process message"}
    assert "'Noting' object has no attribute 'found'" in caplog.text
    ask(lambda self: None, lambda self: self.broken, broken=broken)()
    assert "'AnonymousUser' object has no attribute 'nonsense'" in caplog.text


def test_attributes_are_there_at_the_end(ask):
    """``disconnect`` may use them."""
    ended = []
    asked = ask(
        lambda self: setattr(self, "found", "kept"), disconnect=lambda self, message, **kwargs: ended.append(self.found)
    )
    asked.socket.close()
    assert asked.socket.receive_nothing()
    assert ended == ["kept"]


def test_groups_are_left_also_when_an_instance_is_gone(ask):
    """Nobody else would end the memberships."""
    room = Room.objects.create(name="den")
    asked = ask(lambda self: setattr(self, "found", room), found=None)
    layer = channel_layers["default"]
    assert len(layer.group_channels("noting")) == 1
    room.delete()
    asked.socket.close()
    assert asked.socket.receive_nothing()
    assert layer.group_channels("noting") == []
