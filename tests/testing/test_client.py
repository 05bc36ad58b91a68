"""Client and WSClient: the messages they send, the consumers they run, the replies they show."""

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured

from channels import Channel, Group, route, route_class
from channels.auth import channel_session_user, channel_session_user_from_http, http_session_user
from channels.dispatch import dispatch
from channels.exceptions import ChannelFull, ConsumeLater, DenyConnection, WebsocketCloseException
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketConsumer
from channels.handler import AsgiRequest
from channels.message import Message
from channels.registry import channel_layers
from channels.security.websockets import allowed_hosts_only
from channels.sessions import channel_session, enforce_ordering, http_session
from channels.signals import consumer_finished, consumer_started
from channels.test import ChannelTestCase, Client, WebsocketSession, WSClient, apply_routes
from channels.worker import Worker
from tests.support.asgi import FakeServer, in_loop


class Echo(WebsocketConsumer):
    """Sends back what it gets."""

    def receive(self, text=None, bytes=None, **kwargs):
        self.send(text=text, bytes=bytes)


class JsonEcho(JsonWebsocketConsumer):
    """Sends back what it gets, as JSON."""

    def receive(self, content, **kwargs):
        self.send(content)


class ClientTests(ChannelTestCase):
    """The client without a protocol."""

    def test_reply_channel_is_a_name_of_its_own(self):
        """It begins with the alias and can be received from."""
        one, two = Client(), Client()
        assert one.reply_channel.startswith("default")
        assert one.reply_channel != two.reply_channel
        assert channel_layers["default"].receive([one.reply_channel]) == (None, None)

    def test_send_puts_a_copy_on_the_channel_at_once(self):
        """What the test does to its dict later is not sent; the client is the reply channel."""
        client, content = Client(), {"list": [1]}
        client.send("a", content)
        content["list"].append(2)
        assert client.get_next_message("a").content == {"list": [1], "reply_channel": client.reply_channel}
        assert "reply_channel" not in content

    def test_send_keeps_a_reply_channel_of_the_test(self):
        """A message may be another client's."""
        client = Client()
        client.send("a", {"reply_channel": "other"})
        assert client.get_next_message("a").reply_channel.name == "other"

    def test_send_to_a_full_channel_raises(self):
        """The layers of tests hold ten messages in a channel, as the in-memory layer does."""
        client = Client()
        for _ in range(10):
            client.send("a")
        with pytest.raises(ChannelFull):
            client.send("a")

    def test_client_can_be_sent_as_much_as_a_socket(self):
        """Replies have the room that the interface gives them."""
        client = Client()
        for number in range(200):
            Channel(client.reply_channel).send({"n": number})
        assert [client.receive()["n"] for _ in range(200)] == list(range(200))

    def test_consume_returns_what_the_consumer_returns(self):
        """A function's result, or the instance of a class."""
        client = Client()
        with apply_routes([route("a", lambda message: message["n"] + 1), route_class(Echo)]):
            assert client.send_and_consume("a", {"n": 1}) == 2
            instance = WSClient().send_and_consume("websocket.connect", path="/x/")
        assert isinstance(instance, Echo)
        assert instance.path == "/x/"

    def test_consume_without_a_message_fails(self):
        """Unless the test says that there may be none."""
        with pytest.raises(AssertionError, match="No message for channel a"):
            Client().consume("a")
        assert Client().consume("a", fail_on_none=False) is None

    def test_consume_without_a_route_fails(self):
        """The error shows the message."""
        with pytest.raises(AssertionError, match=r"Can't find consumer for message .*'n': 7"):
            Client().send_and_consume("a", {"n": 7})

    def test_sends_of_a_consumer_leave_when_it_has_ended(self):
        """Nothing is there while it runs; everything in order afterwards."""
        seen = []

        def consumer(message):
            message.reply_channel.send({"n": 1})
            Channel("b").send({"n": 2})
            seen.append(client.receive())

        client = Client()
        with apply_routes(route("a", consumer)):
            client.send_and_consume("a")
        assert seen == [None]
        assert client.receive() == {"n": 1}
        assert client.get_next_message("b").content == {"n": 2}

    def test_sends_leave_also_if_the_consumer_raises(self):
        """As in a worker; the error is the test's, with its own traceback."""

        def consumer(message):
            message.reply_channel.send({"n": 1})
            raise ZeroDivisionError("mine")

        client = Client()
        with apply_routes(route("a", consumer)), pytest.raises(ZeroDivisionError) as caught:
            client.send_and_consume("a")
        assert caught.traceback[-1].name == "consumer"
        assert client.receive() == {"n": 1}

    def test_consume_inside_a_consumer_keeps_the_outer_sends(self):
        """A consumer may run another client's consumer; each sends its own when it ends."""
        inner = Client()

        def outer_consumer(message):
            message.reply_channel.send({"n": "outer"})
            inner.send_and_consume("inner")
            assert inner.receive() == {"n": "inner"}
            assert outer.receive() is None

        outer = Client()
        routes = [route("outer", outer_consumer), route("inner", lambda m: m.reply_channel.send({"n": "inner"}))]
        with apply_routes(routes):
            outer.send_and_consume("outer")
        assert outer.receive() == {"n": "outer"}

    def test_signals_come_from_the_client(self):
        """Their sender is the class of the client."""
        seen = []

        def note(sender, **kwargs):
            seen.append(sender)

        with apply_routes(route("a", lambda message: None)):
            for signal in (consumer_started, consumer_finished):
                signal.connect(note)
            try:
                Client().send_and_consume("a")
            finally:
                for signal in (consumer_started, consumer_finished):
                    signal.disconnect(note)
        assert seen == [Client, Client]

    def test_socket_exception_acts_on_the_client(self):
        """It is not raised in the test."""

        def consumer(message):
            raise WebsocketCloseException(4001)

        client = WSClient()
        with apply_routes(route("websocket.receive", consumer)):
            client.send_and_consume("websocket.receive", text="x")
        assert client.receive() == {"close": 4001}

    def test_refusals_and_retries_are_raised(self):
        """DenyConnection and ConsumeLater reach the test."""
        for error in (DenyConnection, ConsumeLater):

            def consumer(message, error=error):
                raise error

            with apply_routes(route("websocket.connect", consumer)), pytest.raises(error):
                WSClient().send_and_consume("websocket.connect")

    def test_join_group_receives_what_the_group_is_sent(self):
        """Also by the consumer of a class on the same layer."""
        client = Client()
        client.join_group("g")
        Group("g").send({"n": 1})
        assert client.receive() == {"n": 1}

    def test_get_consumer_by_channel_names_the_consumer(self):
        """None where nothing is routed."""

        def consumer(message):
            """Take it."""

        with apply_routes([route("a", consumer)]):
            assert Client().get_consumer_by_channel("a") is consumer
            assert Client().get_consumer_by_channel("b") is None

    def test_consumer_can_be_called_directly(self):
        """With a message that was sent to its channel; what it sends leaves at once."""
        Channel("a").send({"reply_channel": "somebody", "text": "x"})
        message = self.get_next_message("a", require=True)
        assert isinstance(message, Message)
        message.reply_channel.send({"text": "at once"})
        assert self.get_next_message("somebody").content == {"text": "at once"}


@apply_routes(route("a", repr))
class RoutedTests(ChannelTestCase):
    """A class with routes, and one that is derived from it."""

    consumer = repr

    def setUp(self):
        """See the routes already."""
        self.found = Client().get_consumer_by_channel("a")

    def test_class_is_routed(self):
        """By the routes of the class itself."""
        assert self.found is Client().get_consumer_by_channel("a") is type(self).consumer


@apply_routes(route("a", str))
class DerivedRoutedTests(RoutedTests):
    """Its own routes rule, not those of its base."""

    consumer = str

    def setUp(self):
        """Do something first, as test cases do."""
        assert Client().get_consumer_by_channel("a") is str
        super().setUp()


class RoutesTests(ChannelTestCase):
    """What ``apply_routes`` does not take."""

    def test_class_that_is_no_test_case_is_refused(self):
        """Silently routing nothing would be worse."""

        class Plain:
            """A class of pytest."""

        with pytest.raises(TypeError, match=r"Plain is none\. Decorate its methods"):
            apply_routes([])(Plain)

    def test_what_is_no_route_is_refused(self):
        """When it is applied, and nothing is changed then."""
        with pytest.raises(ImproperlyConfigured, match="is not a route"), apply_routes([repr]):
            pass
        with pytest.raises(KeyError, match="no layer 'missing'"), apply_routes([], aliases=["default", "missing"]):
            pass
        assert Client().get_consumer_by_channel("a") is None

    def test_blocks_may_be_nested(self):
        """The inner routes rule alone; then the outer ones again."""
        with apply_routes(route("a", repr)):
            with apply_routes(route("b", str)):
                assert Client().get_consumer_by_channel("a") is None
                assert Client().get_consumer_by_channel("b") is str
            assert Client().get_consumer_by_channel("a") is repr


def test_consumers_leave_the_connections_of_a_test_open(channel_layer, channel_routes, monkeypatch):
    """Workers release them before and after each consumer; a test may be in the middle of a transaction."""
    closed = []
    monkeypatch.setattr("channels.signals.close_old_connections", lambda: closed.append(True))
    channel_routes([route("a", lambda message: None), route("websocket.connect", lambda message: None)])
    Client().send_and_consume("a")
    with WebsocketSession():
        pass
    assert closed == []
    dispatch(channel_layer, "a", {}, sender=Worker)
    assert closed == [True, True]


class WSClientTests(ChannelTestCase):
    """The client that looks like a browser."""

    def test_connect_is_accepted_and_swallowed(self):
        """The next reply is the first one that the consumer sends of its own."""
        client = WSClient()
        with apply_routes(Echo.as_route()):
            client.send_and_consume("websocket.connect")
            assert client.receive() is None
            client.send_and_consume("websocket.receive", text="hi")
        assert client.receive(json=False) == "hi"

    def test_undecided_connect_is_accepted(self):
        """By the rule that workers follow."""
        with apply_routes(route("websocket.connect", lambda message: None)):
            WSClient().send_and_consume("websocket.connect")

    def test_undecided_connect_fails_where_the_project_decides(self):
        """CHANNELS_AUTO_ACCEPT is honoured."""
        routes = apply_routes(route("websocket.connect", lambda message: None))
        with self.settings(CHANNELS_AUTO_ACCEPT=False), routes, pytest.raises(AssertionError, match="neither accepted"):
            WSClient().send_and_consume("websocket.connect")

    def test_refused_connect_fails(self):
        """The error shows the reply; without the check it can be received."""
        with apply_routes(route("websocket.connect", lambda m: m.reply_channel.send({"close": True}))):
            with pytest.raises(AssertionError, match=r"Connection rejected: \{'close': True\}"):
                WSClient().send_and_consume("websocket.connect")
            client = WSClient()
            client.send_and_consume("websocket.connect", check_accept=False)
        assert client.receive() == {"close": True}

    def test_reply_that_accepts_and_says_more_is_kept(self):
        """Only the acceptance is swallowed."""
        reply = {"accept": True, "text": '"welcome"'}
        client = WSClient()
        with apply_routes(route("websocket.connect", lambda m: m.reply_channel.send(reply))):
            client.send_and_consume("websocket.connect")
        assert client.receive() == "welcome"

    def test_acceptance_that_is_repeated_is_not_seen(self):
        """As the streams of a demultiplexer repeat it; without the check everything is seen."""

        def connect(message):
            for _ in range(3):
                message.reply_channel.send({"accept": True})
            message.reply_channel.send({"text": "1"})

        with apply_routes(route("websocket.connect", connect)):
            for check_accept, seen in ((True, [1, None]), (False, [{"accept": True}] * 3 + [1])):
                client = WSClient()
                client.send_and_consume("websocket.connect", check_accept=check_accept)
                assert [client.receive() for _ in seen] == seen

    def test_group_messages_wait_for_the_end_of_the_handshake(self):
        """They decide nothing and are received after it, as by a browser."""

        def connect(message):
            Group("g").add(message.reply_channel)
            Group("g").send({"text": "1"})
            message.reply_channel.send({"accept": True})

        client = WSClient()
        with apply_routes(route("websocket.connect", connect)):
            client.send_and_consume("websocket.connect")
        assert client.receive() == 1
        assert client.receive() is None

    def test_receive_reads_json_unless_told_not_to(self):
        """Text that is no JSON says so; a content without text comes whole."""
        client = WSClient()
        with apply_routes(JsonEcho.as_route()):
            for _ in range(2):
                client.send_and_consume("websocket.receive", text={"a": [1, None]})
        assert client.receive() == {"a": [1, None]}
        assert client.receive(json=False) == '{"a": [1, null]}'
        Channel(client.reply_channel).send({"text": "no json"})
        with pytest.raises(ValueError, match="'no json' is not JSON"):
            client.receive()
        Channel(client.reply_channel).send({"bytes": b"x"})
        assert client.receive() == {"bytes": b"x"}
        assert client.receive() is None

    def test_text_may_stand_in_the_content(self):
        """As a str or as something to encode; empty text is text."""
        client = WSClient()
        client.send("websocket.receive", {"text": {"a": 1}})
        client.send("websocket.receive", text="")
        assert self.get_next_message("websocket.receive")["text"] == '{"a": 1}'
        assert self.get_next_message("websocket.receive")["text"] == ""

    def test_path_and_query_are_as_servers_give_them(self):
        """Decoded path, raw query; later messages have the path only, and by default that of the connect."""
        client = WSClient()
        client.send("websocket.connect", path="/caf%C3%A9/?a=%20b")
        client.send("websocket.receive", text="x")
        client.send("websocket.receive", text="x", path="/other/?q=1")
        connect = self.get_next_message("websocket.connect")
        assert (connect["path"], connect["query_string"]) == ("/caf\u00e9/", b"a=%20b")
        frame, other = (self.get_next_message("websocket.receive") for _ in range(2))
        assert frame["path"] == "/caf\u00e9/"
        assert other["path"] == "/other/"
        assert "query_string" not in other

    def test_cookie_header_has_its_own_method(self):
        """So that cookies and the session do not overwrite each other."""
        with pytest.raises(ValueError, match="Use set_cookie method for cookie header"):
            WSClient().set_header("Cookie", "a=b")

    def test_session_cookie_is_sent_with_the_first_message_only(self):
        """Other cookies stay."""
        client = WSClient()
        client.set_cookie("a", "b c")
        assert client.get_cookies().keys() == {"a", "sessionid"}
        assert client._session_cookie
        client.send("x")
        assert not client._session_cookie
        assert client.get_cookies() == {"a": "b c"}
        assert client.headers == {"cookie": b'a="b c"'}

    def test_headers_reach_the_consumer_in_the_shape_of_messages(self):
        """Origin checks see them."""
        consumer = allowed_hosts_only(lambda message: message.reply_channel.send({"accept": True}))
        client = WSClient()
        client.set_header("Origin", "http://localhost")
        with apply_routes(route("websocket.connect", consumer)):
            client.send_and_consume("websocket.connect")
            with pytest.raises(DenyConnection):
                WSClient().send_and_consume("websocket.connect")

    def test_ordered_client_numbers_its_messages(self):
        """And refuses numbers of the test's."""
        client = WSClient(ordered=True)
        for channel in ("websocket.connect", "websocket.receive", "own"):
            client.send(channel)
        channels = ("websocket.connect", "websocket.receive", "own")
        assert [self.get_next_message(channel)["order"] for channel in channels] == [0, 1, 2]
        assert client.order == 3
        with pytest.raises(ValueError, match='Do not use "order" manually with "ordered=True"'):
            client.send("own", {"order": 3})

    def test_unordered_client_sends_the_order_of_the_interface(self):
        """An order of the test's is kept, and counted on from."""
        client = WSClient()
        client.send("websocket.connect")
        client.send("websocket.receive", {"order": 5})
        client.send("own")
        client.send("websocket.disconnect")
        channels = ("websocket.connect", "websocket.receive", "own", "websocket.disconnect")
        assert [self.get_next_message(channel).get("order") for channel in channels] == [0, 5, None, 6]

    def test_ordered_consumer_gets_messages_in_their_order(self):
        """A message that is early comes back to its channel after the one before it."""
        seen = []

        @enforce_ordering
        def consumer(message):
            seen.append(message["order"])

        client = WSClient()
        with apply_routes([route("websocket.connect", consumer), route("websocket.receive", consumer)]):
            client.send_and_consume("websocket.connect")
            client.send_and_consume("websocket.receive", {"order": 2})
            client.send_and_consume("websocket.receive", {"order": 1})
            client.consume("websocket.receive")
        assert seen == [0, 1, 2]

    def test_request_can_be_made_from_its_message(self):
        """It has everything that Django's request needs."""
        client = WSClient()
        client.set_cookie("a", "b")
        client.send("http.request", {"method": "POST", "body": b"q"}, path="/page/?x=1")
        request = AsgiRequest(self.get_next_message("http.request"))
        assert (request.method, request.path, request.GET["x"], request.body) == ("POST", "/page/", "1", b"q")
        assert request.COOKIES["a"] == "b"
        assert request.get_host() == "testserver"

    def test_get_content_can_be_overridden(self):
        """Projects of 1.x fill in their own headers there."""

        class Mine(WSClient):
            def _get_content(self, content=None, text=None, path="/"):
                return {**super()._get_content(content, text, path), "mine": path}

        Mine().send("websocket.connect", path="/x/?y=1")
        message = self.get_next_message("websocket.connect")
        assert message["mine"] == "/x/?y=1"
        assert message["headers"][0][0] == b"cookie"


class SessionTests(ChannelTestCase):
    """The session of a client."""

    def test_session_is_that_of_the_connection(self):
        """What the test stores, the consumer sees, and the other way round."""

        @channel_session
        def consumer(message):
            message.channel_session["back"] = message.channel_session["there"] + 1

        client = WSClient()
        client.session["there"] = 1
        client.session.save()
        with apply_routes(route("websocket.receive", consumer)):
            client.send_and_consume("websocket.receive", text="")
        assert client.session["back"] == 2

    def test_session_is_also_that_of_the_cookie(self):
        """Consumers find it as the visitor's."""
        seen = []
        client = WSClient()
        client.session["a"] = 1
        client.session.save()
        with apply_routes(route("websocket.connect", http_session(lambda m: seen.append(m.http_session["a"])))):
            client.send_and_consume("websocket.connect")
        assert seen == [1]

    def test_session_needs_its_app(self):
        """The error says what to install; without sessions there is no cookie."""
        with self.modify_settings(INSTALLED_APPS={"remove": ["django.contrib.sessions"]}):
            with pytest.raises(EnvironmentError, match=r"Add django.contrib.sessions to the INSTALLED_APPS"):
                WSClient().session  # noqa: B018
            assert WSClient().headers == {}

    def test_login_checks_the_password(self):
        """And says whether it was right."""
        User.objects.create_user("ada", password="right")
        assert not WSClient().login(username="ada", password="wrong")
        client = WSClient()
        assert client.login(username="ada", password="right")
        assert self.users(client) == ["ada", "ada"]

    def test_force_login_needs_no_password(self):
        """The user is known in all messages of the socket."""
        client = WSClient()
        client.force_login(User.objects.create_user("ada"))
        assert self.users(client) == ["ada", "ada"]

    def test_login_of_another_user_takes_the_place_of_the_first(self):
        """As in a browser."""
        client = WSClient()
        client.force_login(User.objects.create_user("ada"))
        client.force_login(User.objects.create_user("ben"))
        assert self.users(client) == ["ben", "ben"]

    def test_nobody_is_logged_in_at_first(self):
        """A new client is anonymous, whoever was logged in to another."""
        WSClient().force_login(User.objects.create_user("ada"))
        assert self.users(WSClient()) == ["", ""]

    def users(self, client):
        """Return the users that consumers of the two kinds of message see."""
        seen = []

        def note(message):
            seen.append(message.user.get_username())

        routes = [
            route("websocket.connect", channel_session_user_from_http(note)),
            route("websocket.receive", channel_session_user(note)),
        ]
        with apply_routes(routes):
            client.send_and_consume("websocket.connect")
            client.send_and_consume("websocket.receive", text="")
        return seen

    def test_first_message_may_be_a_frame(self):
        """A test of the frame's consumer alone needs no connect."""
        client = WSClient()
        client.force_login(User.objects.create_user("ada"))
        seen = []
        consumer = http_session_user(lambda message: seen.append(message.user.get_username()))
        with apply_routes(route("websocket.receive", consumer)):
            client.send_and_consume("websocket.receive", text="")
        assert seen == ["ada"]


@in_loop
async def test_messages_have_the_keys_of_the_interface():
    """Each message of a client has the same keys, and kinds of values, as that of a real connection."""
    from channels.interface.application import ChannelsApplication
    from channels.layers.inmemory import ChannelLayer
    from channels.registry import ChannelLayerWrapper

    layer = ChannelLayer()
    server = FakeServer(
        ChannelsApplication(layer), type="websocket", path="/x/", headers=[(b"cookie", b"a=b")], server=("h", 80)
    )
    server.put(type="websocket.connect")
    real = {}
    ((_, content, _),) = await layer.areceive_batch(["websocket.connect"], timeout=5)
    real["websocket.connect"] = content
    layer.send(content["reply_channel"], {"accept": True})
    await server.take()
    server.put(type="websocket.receive", text="hello")
    ((_, real["websocket.receive"], _),) = await layer.areceive_batch(["websocket.receive"], timeout=5)
    server.put(type="websocket.disconnect", code=1001)
    ((_, real["websocket.disconnect"], _),) = await layer.areceive_batch(["websocket.disconnect"], timeout=5)
    await server.end()

    old = channel_layers.set("default", ChannelLayerWrapper(ChannelLayer(), "default", []))
    try:
        client = WSClient()
        client.set_cookie("a", "b")
        client.send("websocket.connect", path="/x/")
        client.send("websocket.receive", text="hello")
        client.send("websocket.disconnect", {"code": 1001})
        for channel, content in real.items():
            sent = client.get_next_message(channel).content
            assert sent.keys() == content.keys(), channel
            for key, value in content.items():
                assert type(sent[key]) is type(value), (channel, key)
            for key in {"path", "query_string", "order", "text", "code", "scheme", "subprotocols"} & content.keys():
                assert sent[key] == content[key], (channel, key)
    finally:
        channel_layers.set("default", old)
