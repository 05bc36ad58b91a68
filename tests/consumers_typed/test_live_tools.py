"""``LiveTypedSocket`` to a live server: what it sends, what it waits for, and how it says what did not come."""

from http.cookies import SimpleCookie

import pytest
from asgiref.sync import async_to_sync
from django.test import override_settings

from channels.test import SocketClosed, SocketRefused
from channels.test.live import live_server
from channels.test.typed import CapturedEvent, LiveTypedSocket, capture_channel_events, override_typed_settings
from channels.typed import PingMessage
from tests.consumers_typed.rooms import ChatConsumer, ChatMessage, ChatPayload, NotifyEvent

SECONDS = 30
PONG = {"action": "pong", "payload": None}
COMPLETE = {"action": "complete", "payload": None}


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """Where a live server listens; it needs no database."""
    files = "django.contrib.sessions.backends.file"
    layer = {
        "BACKEND": "channels.layers.inmemory.ChannelLayer",
        "TEST_CONFIG": {},
        "ROUTING": "tests.consumers_typed.live.routing",
    }
    changed = override_settings(
        CHANNEL_LAYERS={"default": layer},
        SESSION_ENGINE=files,
        SESSION_FILE_PATH=str(tmp_path_factory.mktemp("sessions")),
        CHANNELS_TYPED={"SEND_COMPLETION": True},
    )
    with changed, live_server(databases=(), raise_errors=False) as live:
        yield live.ws_url


@pytest.fixture
def opened(address):
    """A socket that is open."""
    with LiveTypedSocket(f"{address}/chat/a/", proxy=None) as socket:
        yield socket


def test_messages_are_read_until_their_completion(opened):
    """Without the completion."""
    opened.assert_authenticated_status_ok(SECONDS)
    opened.send_message(PingMessage())
    assert opened.receive_all_json(SECONDS) == [PONG]


def test_messages_are_read_until_an_action(opened):
    """With the last one, or without."""
    opened.wait_for_auth(SECONDS)
    for _ in range(2):
        opened.send_json({"action": "ping"})
    assert opened.receive_until_action("complete", SECONDS, inclusive=True) == [PONG, COMPLETE]
    assert opened.receive_until_action("complete", SECONDS) == [PONG]


def test_completion_of_a_group_message_is_waited_for(opened, address):
    """By another member."""
    with LiveTypedSocket(f"{address}/chat/a/", proxy=None) as other:
        for socket in (opened, other):
            socket.assert_authenticated_status_ok(SECONDS)
        opened.send_message(ChatMessage(payload=ChatPayload(content="hi")))
        (heard,) = other.receive_all_json(SECONDS, wait_group=True)
    assert heard == {"action": "chat_group", "payload": {"content": "hi"}, "is_mine": False, "is_current": False}
    assert opened.receive_all_json(SECONDS) == []


def test_binary_frames_are_sent(opened):
    """Consumers take none, and say so."""
    opened.wait_for_auth(SECONDS)
    opened.send(bytes=b"\x00")
    assert opened.receive_json(SECONDS)["payload"][0]["type"] == "binary_frame"


@pytest.mark.parametrize("cookies", [{"theme": "dark"}, SimpleCookie({"theme": "dark"})])
def test_handshake_carries_what_it_is_given(address, cookies):
    """Headers, cookies as names and values or as Django's test client has them, options of the client."""
    options = {"headers": {"X-Test": "yes"}, "cookies": cookies, "subprotocols": ["b", "c"]}
    with LiveTypedSocket(f"{address}/welcome/", proxy=None, **options) as socket:
        socket.assert_authenticated_status_ok(SECONDS)
        assert socket.receive_json(SECONDS)["payload"] == [{"theme": "dark"}, "yes", ["b", "c"]]


def test_refusal_by_a_message_is_asserted(address):
    """The status and why; then the close."""
    with LiveTypedSocket(f"{address}/guarded/", proxy=None) as socket:
        with pytest.raises(AssertionError, match="The client was not admitted: status_code=403"):
            socket.assert_authenticated_status_ok(SECONDS)
        assert socket.assert_closed(SECONDS) == 1000
        with pytest.raises(SocketClosed):
            socket.receive_json(SECONDS)


def test_refused_handshake_is_told(address):
    """By its status and body."""
    with pytest.raises(SocketRefused) as caught, LiveTypedSocket(f"{address}/refused/", proxy=None):
        pass
    assert (caught.value.status, caught.value.body) == (403, b"Authentication credentials were not provided.")


def test_message_that_does_not_come_is_told(opened):
    """After which time, and what came instead."""
    opened.wait_for_auth(SECONDS)
    with pytest.raises(AssertionError, match=r"The server sent nothing within 0\.1 seconds"):
        opened.receive_json(0.1)
    opened.send_json({"action": "ping"})
    opened.receive_json(SECONDS)
    with pytest.raises(AssertionError, match=r"'nonsense' came within 2\.5 seconds, only \[.*complete") as caught:
        opened.receive_until_action("nonsense", 2.5)
    assert "SEND_COMPLETION" not in str(caught.value)


def test_message_instead_of_a_close_is_told(opened):
    """With what it is."""
    with pytest.raises(AssertionError, match=r"authentication.* instead of closing the socket"):
        opened.assert_closed(SECONDS)


def test_missing_completion_has_a_hint(opened):
    """Since a setting is needed for it."""
    with pytest.raises(AssertionError, match="Is SEND_COMPLETION on, in CHANNELS_TYPED or on the consumer"):
        opened.receive_all_json(0.1)


def test_sockets_speak_the_spelling_of_the_project():
    """Messages are spelled for clients, and read as clients spell them."""

    class Echo(LiveTypedSocket):
        def send(self, text=None, bytes=None):
            self.sent = text

        def receive(self, timeout=5.0):
            return self.sent

    socket = Echo("ws://nowhere")
    with override_typed_settings(MESSAGE_ACTION_KEY="kind", CAMELIZE=True):
        socket.send_message(ChatMessage(payload=ChatPayload(content="hi", to_all=True, groups=None)))
        assert socket.receive_json()["kind"] == "chat"
        assert socket.receive_json()["payload"]["toAll"] is True
        assert socket.receive_until_action("chat", inclusive=True) == [socket.receive_json()]


def test_events_of_asynchronous_code_are_captured():
    """Like those of other code, with their groups."""
    note = NotifyEvent(payload=NotifyEvent.Payload(content="x"))
    with capture_channel_events(ChatConsumer) as captured:
        ChatConsumer.send_channel_event("a", note)
        async_to_sync(ChatConsumer.asend_channel_event)("b", note)
    assert captured == [CapturedEvent(note, "a"), CapturedEvent(note, "b")]
