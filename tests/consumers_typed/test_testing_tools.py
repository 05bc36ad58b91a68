"""``channels.test.typed``: sockets that speak messages, in the process of the test and to a live server."""

import pytest
from django.conf import settings
from django.contrib.auth.models import User

from channels.test import SocketClosed, WSClient, apply_routes
from channels.test.typed import (
    CapturedEvent,
    TypedTestCase,
    capture_channel_events,
    override_typed_settings,
)
from channels.typed import PingMessage
from tests.consumers_typed.conftest import ROUTES
from tests.consumers_typed.rooms import ChatConsumer, ChatMessage, ChatPayload, NotifyEvent

PONG = {"action": "pong", "payload": None}
NOTE = NotifyEvent(payload=NotifyEvent.Payload(content="x"))


@apply_routes(ROUTES)
@override_typed_settings(SEND_COMPLETION=True)
class TestCommunicators(TypedTestCase):
    """A case with a path opens sockets for the user of its client."""

    ws_path = "/chat/a/"

    def setUp(self):
        self.client.force_login(User.objects.create_user("ada"))

    def test_first_socket_is_the_users(self):
        """The login of Django's test client is that of the socket."""
        self.auth_communicator.assert_authenticated_status_ok()
        self.auth_communicator.send_json({"action": "who"})
        (answer,) = self.auth_communicator.receive_all_json()
        assert answer["payload"]["user"] == "ada"

    def test_sockets_are_told_apart(self):
        """The one of the case stays the same, whatever is opened before it or after it."""
        other = self.create_communicator()
        first = self.auth_communicator
        assert len({other, first, self.create_communicator()}) == 3
        assert self.auth_communicator is first

    def test_messages_are_read_until_completion(self):
        """The completion itself is left out."""
        socket = self.auth_communicator
        socket.wait_for_auth()
        socket.send_message(PingMessage())
        assert socket.receive_all_json() == [PONG]

    def test_messages_are_read_until_an_action(self):
        """With that message or without."""
        socket = self.auth_communicator
        socket.wait_for_auth()
        for inclusive, expected in ((True, [PONG]), (False, [{"action": "complete", "payload": None}])):
            socket.send_message(PingMessage())
            assert socket.receive_until_action("pong", inclusive=inclusive) == expected

    def test_group_completion_is_waited_for(self):
        """A second socket gets the message to the group, then its completion."""
        sender, other = self.auth_communicator, self.create_communicator()
        for socket in (sender, other):
            socket.assert_authenticated_status_ok()
        sender.send_message(ChatMessage(payload=ChatPayload(content="hi")))
        (heard,) = other.receive_all_json(wait_group=True)
        assert heard["payload"] == {"content": "hi"}
        assert sender.receive_all_json() == []

    def test_missing_action_says_what_came(self):
        """So that the test's author sees what went wrong."""
        self.auth_communicator.wait_for_auth()
        with pytest.raises(AssertionError, match=r"only .*Is SEND_COMPLETION on"):
            self.auth_communicator.receive_all_json(timeout=0.2)

    def test_closed_socket_is_asserted(self):
        """The close code is at hand; a message instead of a close fails."""
        socket = self.create_communicator(ws_path="/rooms/1/")
        assert socket.wait_for_auth().payload.status_code == 404
        assert socket.assert_closed() == 1000
        with pytest.raises(SocketClosed):
            socket.receive_all_json()
        with pytest.raises(AssertionError, match="instead of closing"):
            self.create_communicator().assert_closed()

    def test_camel_case_is_read(self):
        """The outcome of the authentication is found in the spelling of the project."""
        with override_typed_settings(CAMELIZE=True, MESSAGE_ACTION_KEY="kind"):
            self.auth_communicator.assert_authenticated_status_ok()

    def test_events_are_captured(self):
        """Nothing is sent unless that is asked for."""
        socket = self.auth_communicator
        socket.wait_for_auth()
        with capture_channel_events(ChatConsumer) as captured:
            ChatConsumer.send_channel_event("announcements", NOTE)
        assert captured == [CapturedEvent(NOTE, "announcements")]
        assert socket.receive_nothing()
        with capture_channel_events(ChatConsumer, suppress=False) as captured:
            ChatConsumer.send_channel_event("announcements", NOTE)
        assert len(captured) == 1
        assert socket.receive_json()["payload"] == "INFO: x for ada"

    def test_plain_client_hears_its_own_part(self):
        """``WSClient`` picks from messages to groups as the interface does."""
        user = User.objects.get()
        sender, tab, other = WSClient(), WSClient(), WSClient()
        for client in (sender, tab):
            client.force_login(user)
        for client in (sender, tab, other):
            client.send_and_consume("websocket.connect", path="/chat/a/")
            assert client.receive()["action"] == "authentication"
        sender.send_and_consume("websocket.receive", text={"action": "chat", "payload": {"content": "hi"}})
        assert tab.receive()["is_mine"] is True
        assert other.receive()["is_mine"] is False
        assert sender.receive()["action"] == "complete"


class TestNoPath(TypedTestCase):
    """A case that has not said where its sockets are."""

    def test_missing_path_is_told(self):
        """By the name of the class."""
        with pytest.raises(AttributeError, match="ws_path is not set in TestNoPath"):
            _ = self.auth_communicator


def test_settings_are_changed_one_by_one():
    """What is not named keeps its value, and all is as before afterwards."""
    with override_typed_settings(CAMELIZE=True), override_typed_settings(SEND_COMPLETION=True):
        assert settings.CHANNELS_TYPED == {"CAMELIZE": True, "SEND_COMPLETION": True}
    assert not hasattr(settings, "CHANNELS_TYPED")
