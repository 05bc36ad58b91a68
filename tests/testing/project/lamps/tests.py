"""Tests with Django's runner; also run by pytest."""

# ruff: noqa: PT009, RUF012 (as projects write them)

import json
import urllib.request

from django.contrib.auth.models import User
from django.core.signals import setting_changed
from django.test import override_settings
from websockets.sync.client import connect

from channels import Channel, Group, channel_layers, route
from channels.layers.inmemory import ChannelLayer
from channels.test import (
    ChannelLiveServerTestCase,
    ChannelTestCase,
    Client,
    TransactionChannelTestCase,
    WebsocketSession,
    WSClient,
    apply_routes,
)
from lamps.models import Lamp


class Switching:
    """Tests that hold in both kinds of test case."""

    def setUp(self):
        """There is a lamp. ``super().setUp()`` is not called: nothing depends on it."""
        Lamp.objects.create(name="desk")

    def test_frame_switches_the_lamp(self):
        client = WSClient()
        client.send_and_consume("websocket.connect", path="/lamps/desk/")
        client.send_and_consume("websocket.receive", text={"on": True})
        self.assertEqual(client.receive(), {"on": True})
        self.assertTrue(Lamp.objects.get().is_on)

    def test_session_without_sockets(self):
        with WebsocketSession("/lamps/desk/") as socket:
            socket.send_json({"on": True})
            self.assertEqual(socket.receive_json(), {"on": True})
        self.assertTrue(Lamp.objects.get().is_on)

    def test_layer_is_empty_one(self):
        self.check_layer()

    def test_layer_is_empty_two(self):
        self.check_layer()

    def check_layer(self):
        """What the other of the two tests sent is not there."""
        self.assertIsInstance(channel_layers["default"].channel_layer, ChannelLayer)
        self.assertIsNone(self.get_next_message("leftover"))
        self.assertEqual(Group("leftover").channels(), [])
        Channel("leftover").send({})
        Group("leftover").add("leftover")

    def test_required_message_is_missed(self):
        with self.assertRaisesMessage(AssertionError, "Expected a message on channel a, got none"):
            self.get_next_message("a", require=True)
        Channel("a").send({"n": 1})
        self.assertEqual(self.get_next_message("a", require=True)["n"], 1)

    def test_overridden_layers_are_replaced_too(self):
        redis = {"BACKEND": "channels.layers.redis.RedisChannelLayer", "ROUTING": {"own": "builtins.repr"}}
        with self.settings(CHANNEL_LAYERS={"default": redis}):
            self.assertIsInstance(channel_layers["default"].channel_layer, ChannelLayer)
            self.assertIs(Client().get_consumer_by_channel("own"), repr)
        self.assertIsInstance(channel_layers["default"].channel_layer, ChannelLayer)
        self.assertIsNone(Client().get_consumer_by_channel("own"))


class InTransaction(Switching, ChannelTestCase):
    @classmethod
    def setUpTestData(cls):
        # The layers are replaced already: the project's own would not answer.
        Channel("from-class").send({})

    def test_nothing_of_the_class_is_in_the_layer(self):
        self.assertIsNone(self.get_next_message("from-class"))


class WithoutTransaction(Switching, TransactionChannelTestCase):
    pass


two_layers = {
    alias: {"BACKEND": "channels.layers.redis.RedisChannelLayer", "ROUTING": {}} for alias in ("default", "other")
}


@override_settings(CHANNEL_LAYERS=two_layers)
class TwoLayers(ChannelTestCase):
    test_channel_aliases = ["default", "other"]

    def test_routing_may_be_a_dict(self):
        self.assertEqual(channel_layers["other"].router.channels, set())

    def test_layers_are_apart(self):
        Channel("a", alias="other").send({"n": 1})
        self.assertIsNone(self.get_next_message("a"))
        self.assertEqual(self.get_next_message("a", alias="other")["n"], 1)

    def test_routes_are_applied_to_the_aliases_named(self):
        with apply_routes([route("a", repr)], aliases=["other"]):
            self.assertIsNone(Client().get_consumer_by_channel("a"))
            self.assertIs(Client("other").get_consumer_by_channel("a"), repr)
        self.assertIsNone(Client("other").get_consumer_by_channel("a"))
        with apply_routes([[route("a", repr)], [route("b", str)]], aliases=["default", "other"]):
            for alias in ("default", "other"):
                self.assertIs(Client(alias).get_consumer_by_channel("b"), str)

    @apply_routes(route("a", repr))
    def test_routes_are_applied_to_a_function(self):
        self.assertIs(Client().get_consumer_by_channel("a"), repr)

    def test_routes_end_with_the_function(self):
        self.assertIsNone(Client().get_consumer_by_channel("a"))

    @apply_routes({"a": repr})
    async def test_routes_are_applied_to_a_coroutine(self):
        self.assertIs(Client().get_consumer_by_channel("a"), repr)

    def test_client_answers_are_received_on_its_own_layer(self):
        client = Client("other")
        with apply_routes({"a": lambda message: message.reply_channel.send({"n": 1})}, aliases="other"):
            client.send_and_consume("a")
        self.assertEqual(client.receive(), {"n": 1})


@apply_routes([route("a", repr)])
class DecoratedClass(ChannelTestCase):
    def setUp(self):
        self.assertIs(Client().get_consumer_by_channel("a"), repr)

    def test_one(self):
        self.assertIs(Client().get_consumer_by_channel("a"), repr)

    def test_two(self):
        self.assertEqual(channel_layers["default"].router.channels, {"a"})


class AfterDecoratedClass(ChannelTestCase):
    def test_routes_ended_with_the_class(self):
        self.assertIsNone(Client().get_consumer_by_channel("a"))

    def test_nothing_listens_any_more(self):
        """One test's and one class's receiver of changed settings, not those of former tests."""
        ours = [receiver for receiver in setting_changed.receivers if "fresh_layers" in repr(receiver)]
        self.assertEqual(len(ours), 2)


@override_settings(COLOUR="blue")
class Live(ChannelLiveServerTestCase):
    def setUp(self):
        Lamp.objects.create(name="desk")
        self.user = User.objects.create_user("ada")

    def test_socket_and_page_see_the_database_of_the_test(self):
        with connect(f"{self.live_server_ws_url}/lamps/desk/") as socket:
            socket.send(json.dumps({"on": True}))
            self.assertEqual(json.loads(socket.recv(10)), {"on": True})
        self.assertTrue(Lamp.objects.get().is_on)
        with urllib.request.urlopen(f"{self.live_server_url}/", timeout=10) as page:
            self.assertEqual(page.read(), b"desk")

    def test_test_sends_to_the_socket(self):
        with connect(f"{self.live_server_ws_url}/lamps/desk/") as socket:
            socket.send('"who"')
            socket.recv(10)
            Group("lamp.desk").send({"text": "from the test"})
            self.assertEqual(socket.recv(10), "from the test")

    def test_settings_and_login_are_carried_over(self):
        self.client.force_login(self.user)
        cookie = f"sessionid={self.client.cookies['sessionid'].value}"
        address = f"{self.live_server_ws_url}/lamps/desk/"
        with connect(address, additional_headers={"Cookie": cookie}) as socket:
            socket.send('"who"')
            pid, colour, user = json.loads(socket.recv(10))
        self.assertEqual((colour, user), ("blue", "ada"))
        self.assertEqual(pid, self.live_server.processes[-1].pid)
        self.assertTrue(self.live_server_url.startswith("http://localhost:"))
