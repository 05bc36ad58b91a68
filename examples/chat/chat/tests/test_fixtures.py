"""2. The same with pytest: fixtures in the place of a ``TestCase``.

The package brings them: ``ws_client`` is a ``WSClient`` on an empty layer, ``channel_routes`` routes otherwise for a
test, ``live_channels_server`` is what the next part is about.
"""

import pytest

from channels import route
from channels.generic.websockets import WebsocketMultiplexer
from chat.consumers import ChatConsumer
from chat.models import Room

pytestmark = pytest.mark.django_db


@pytest.fixture
def room():
    """An open room."""
    return Room.objects.create(slug="attic", title="Attic")


@pytest.fixture
def page(ws_client, room, django_user_model):
    """A client in the room, who has heard already who is here."""
    ws_client.force_login(django_user_model.objects.create_user("anna"))
    ws_client.set_header("Origin", "http://localhost")
    ws_client.send_and_consume("websocket.connect", path="/rooms/attic/socket/")
    while ws_client.receive():
        pass
    return ws_client


def say(page, text):
    """Say something and return the answer."""
    payload = {"action": "say", "text": text, "key": text[:40]}
    page.send_and_consume("websocket.receive", text={"stream": "chat", "payload": payload})
    return page.receive()["payload"]


@pytest.mark.parametrize(("text", "event"), [("Hello!", "message"), (" ", "problem"), ("x" * 4001, "problem")])
def test_message_has_a_length(page, text, event):
    """From 1 to 4000 characters."""
    assert say(page, text)["event"] == event


def test_history_comes_in_its_order(page):
    """A page that was away asks for what it missed."""
    first = say(page, "first")["id"]
    say(page, "second")
    say(page, "third")
    payload = {"action": "catch up", "after": first}
    page.send_and_consume("websocket.receive", text={"stream": "chat", "payload": payload})
    assert [message["text"] for message in page.receive()["payload"]["messages"]] == ["second", "third"]


def test_consumer_alone(ws_client, channel_routes, room):
    """With routes of the test's own, one stream can be tested without the demultiplexer before it."""

    def consumer(message):
        multiplexer = WebsocketMultiplexer("chat", message.reply_channel)
        content = {"action": "catch up", "after": 0}
        return ChatConsumer(message, multiplexer=multiplexer, slug=room.slug).receive(content, multiplexer, room.slug)

    channel_routes(route("websocket.disconnect", consumer))
    ws_client.send_and_consume("websocket.disconnect")
    assert ws_client.receive() == {"stream": "chat", "payload": {"event": "history", "messages": []}}
