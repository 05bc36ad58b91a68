"""1. Consumers, with ``WSClient``: nothing runs but the test itself.

``ChannelTestCase`` is Django's ``TestCase`` with an empty channel layer for each test. A ``WSClient`` stands for one
page. It puts messages on the layer as the server would, and runs their consumers as a worker would, here and now.
"""

# ruff: noqa: PT009, PT027 (unittest, as its users write it)

from django.contrib.auth.models import User
from django.urls import reverse

from channels.exceptions import DenyConnection
from channels.test import ChannelTestCase, WebsocketSession, WSClient
from chat.models import Message, Room

PIXEL = b"\x89PNG\r\n\x1a\n" + b"\x00" * 20


class RoomTests(ChannelTestCase):
    """What happens on the sockets of one room."""

    def setUp(self):
        """Open a room, and make two users who have logged in."""
        self.room = Room.objects.create(slug="attic", title="Attic")
        self.anna = User.objects.create_user("anna")
        self.ben = User.objects.create_user("ben")

    def enter(self, user):
        """Return a client that is connected to the room, as the page of ``user`` would be."""
        client = WSClient()
        client.force_login(user)
        # The consumer lets only our own pages in, and a browser says which page it is.
        client.set_header("Origin", "http://localhost")
        # The path leads to the consumer, by the routes of the project. The test fails if the socket is not accepted.
        client.send_and_consume("websocket.connect", path="/rooms/attic/socket/")
        return client

    def send(self, client, stream, **payload):
        """Send what the page's script sends: a frame that names its stream. Dicts are sent as JSON."""
        client.send_and_consume("websocket.receive", text={"stream": stream, "payload": payload})

    def hear(self, client, stream):
        """Return what a client was sent on one stream since last asked."""
        frames = iter(client.receive, None)  # ``receive`` reads JSON, and returns None when there is no more.
        return [frame["payload"] for frame in frames if frame["stream"] == stream]

    def test_message_is_shown_to_everyone_in_the_room(self):
        """Two sockets are two clients. What one says, both hear."""
        anna, ben = self.enter(self.anna), self.enter(self.ben)
        self.send(anna, "chat", action="say", text="Hello!", key="1")
        (heard,) = self.hear(ben, "chat")
        self.assertEqual((heard["event"], heard["author"], heard["text"]), ("message", "anna", "Hello!"))
        self.assertEqual(self.hear(anna, "chat"), [heard])

    def test_message_is_stored(self):
        """Consumers use the database of the test, and what they store is rolled back with it."""
        self.send(self.enter(self.anna), "chat", action="say", text="Hello!", key="1")
        message = Message.objects.get()
        self.assertEqual((message.room, message.author, message.text), (self.room, self.anna, "Hello!"))

    def test_repeated_message_is_stored_once(self):
        """A page that did not hear the answer sends its message again, with the same key."""
        anna = self.enter(self.anna)
        for _ in range(2):
            self.send(anna, "chat", action="say", text="Hello!", key="same")
        self.assertEqual(Message.objects.count(), 1)

    def test_empty_message_is_answered_with_a_problem(self):
        """The answer is for the sender alone."""
        anna, ben = self.enter(self.anna), self.enter(self.ben)
        self.send(anna, "chat", action="say", text="  ", key="1")
        self.assertEqual([payload["event"] for payload in self.hear(anna, "chat")], ["problem"])
        self.assertEqual(self.hear(ben, "chat"), [])

    def test_picture_is_a_binary_frame(self):
        """Binary frames stand in the content of the message, as ``bytes``."""
        anna = self.enter(self.anna)
        anna.send_and_consume("websocket.receive", {"bytes": PIXEL})
        (heard,) = self.hear(anna, "chat")
        self.client.force_login(self.anna)
        self.assertEqual(self.client.get(heard["picture"]).content, PIXEL)

    def test_room_knows_who_is_here(self):
        """Those who are here hear who comes and goes."""
        anna = self.enter(self.anna)
        ben = self.enter(self.ben)
        self.assertEqual(self.hear(anna, "presence")[-1]["users"], ["anna", "ben"])
        ben.send_and_consume("websocket.disconnect")
        self.assertEqual(self.hear(anna, "presence")[-1]["users"], ["anna"])

    def test_stranger_is_turned_away(self):
        """What a consumer raises, the test can expect."""
        client = WSClient()
        client.set_header("Origin", "http://localhost")
        with self.assertRaises(DenyConnection):
            client.send_and_consume("websocket.connect", path="/rooms/attic/socket/")

    def test_page_of_another_site_is_turned_away(self):
        """Browsers would send it our cookies."""
        client = WSClient()
        client.force_login(self.anna)
        client.set_header("Origin", "http://elsewhere.example")
        with self.assertRaises(DenyConnection):
            client.send_and_consume("websocket.connect", path="/rooms/attic/socket/")

    def test_logout_closes_the_sockets_of_the_user(self):
        """A view sends to sockets, too: Django's client runs the view, ours receives."""
        anna = self.enter(self.anna)
        self.hear(anna, "presence")
        self.client.force_login(self.anna)
        self.client.post(reverse("logout"))
        self.assertEqual(anna.receive(), {"close": 4001})

    def test_whole_way_of_a_message(self):
        """A ``WebsocketSession`` is a step further from the consumer: the project's ASGI application is in between.

        The consumers run while the test waits for a frame. Django's client lends its login.
        """
        self.client.force_login(self.anna)
        origin = {"Origin": "http://localhost"}
        with WebsocketSession("/rooms/attic/socket/", headers=origin, cookies=self.client.cookies) as page:
            self.assertEqual(page.receive_json()["payload"]["users"], ["anna"])
            page.receive_json()
            page.send_json({"stream": "chat", "payload": {"action": "say", "text": "Hello!", "key": "1"}})
            self.assertEqual(page.receive_json()["payload"]["text"], "Hello!")
