"""WebsocketSession: the interface and consumers with frames in and frames out."""

import asyncio
import gc

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import User

from channels import Channel, Group, route
from channels.asgi import get_asgi_application, make_application
from channels.auth import channel_session_user, channel_session_user_from_http
from channels.exceptions import DenyConnection
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketConsumer
from channels.security.websockets import allowed_hosts_only
from channels.test import ChannelTestCase, SocketClosed, SocketRefused, WebsocketSession, WSClient, apply_routes

SEEN = []


class Room(WebsocketConsumer):
    """Everybody hears everything."""

    strict_ordering = True
    groups = ("room",)

    def receive(self, text=None, bytes=None, **kwargs):
        if text == "leave":
            self.close(4001)
        elif text == "fail":
            raise ZeroDivisionError("asked to fail")
        else:
            self.group_send("room", text=text, bytes=bytes)

    def disconnect(self, message, **kwargs):
        SEEN.append(message["code"])


class JsonEcho(JsonWebsocketConsumer):
    """Sends back what it gets, as JSON."""

    def receive(self, content, **kwargs):
        self.send({"you said": content})


class SessionTests(ChannelTestCase):
    """A session on the layer of a test case."""

    def setUp(self):
        SEEN.clear()
        self.enter(apply_routes([Room.as_route(path="^/room/"), JsonEcho.as_route(path="^/json/")]))

    def enter(self, context):
        """Enter a context until the end of the test."""
        result = context.__enter__()
        self.addCleanup(context.__exit__, None, None, None)
        return result

    def test_frames_go_in_and_come_out(self):
        """Text, bytes and JSON."""
        with WebsocketSession("/room/") as socket:
            socket.send("hello")
            assert socket.receive() == "hello"
            socket.send(bytes=b"\x00")
            assert socket.receive() == b"\x00"
        with WebsocketSession("/json/") as socket:
            socket.send_json({"a": [1]})
            assert socket.receive_json() == {"you said": {"a": [1]}}

    def test_two_sockets_talk(self):
        """Waiting for one lets the other go on."""
        with WebsocketSession("/room/") as one, WebsocketSession("/room/") as two:
            one.send("1")
            assert [one.receive(), two.receive()] == ["1", "1"]
            two.send("2")
            assert one.receive() == "2"
        assert SEEN == [1000, 1000]

    def test_frames_keep_their_order(self):
        """However many are sent before the test waits."""
        with WebsocketSession("/room/") as socket:
            for number in range(30):
                socket.send(str(number))
            assert [socket.receive() for _ in range(30)] == [str(number) for number in range(30)]

    def test_end_of_the_block_closes_the_socket(self):
        """The consumer of the disconnect has run then, with the code of the client."""
        with WebsocketSession("/room/") as socket:
            socket.close(3001)
        assert SEEN == [3001]

    def test_close_of_a_consumer_is_seen(self):
        """As the close code, or as an error where the test expected a frame."""
        with WebsocketSession("/room/") as socket:
            socket.send("leave")
            assert socket.receive_close() == 4001
            with pytest.raises(SocketClosed, match="code 4001"):
                socket.receive()
        assert SEEN == [4001]

    def test_silence_is_noticed(self):
        """Waiting for nothing is quick; waiting for a frame that does not come fails."""
        with WebsocketSession("/room/") as socket:
            assert socket.receive_nothing()
            with pytest.raises(AssertionError, match=r"sent nothing within 0.1 seconds"):
                socket.receive(timeout=0.1)
            socket.send("x")
            assert not socket.receive_nothing(30)
            with pytest.raises(AssertionError, match="sent 'x' instead of closing"):
                socket.receive_close()

    def test_error_of_a_consumer_is_raised_in_the_test(self):
        """With its own traceback; the socket lives on, as in production."""
        with WebsocketSession("/room/") as socket:
            socket.send("fail")
            with pytest.raises(ZeroDivisionError) as caught:
                socket.receive()
            assert caught.traceback[-1].name == "receive"
            socket.send("x")
            assert socket.receive() == "x"

    def test_error_that_nobody_waits_for_is_raised_at_the_end(self):
        """A test cannot miss it."""
        with pytest.raises(ZeroDivisionError), WebsocketSession("/room/") as socket:
            socket.send("fail")

    def test_errors_can_be_left_to_the_log(self):
        """To see what the client sees then."""

        def connect(message):
            raise ZeroDivisionError

        routes = apply_routes(route("websocket.connect", connect))
        with routes, pytest.raises(SocketRefused) as caught, WebsocketSession(raise_errors=False):
            pass
        assert caught.value.status == 500

    def test_refusal_has_status_and_body(self):
        """What the server would send."""

        def connect(message):
            raise DenyConnection(status=410, reason="Gone for good.")

        with (
            apply_routes(route("websocket.connect", connect)),
            pytest.raises(SocketRefused, match="410") as caught,
            WebsocketSession(),
        ):
            pass
        assert (caught.value.status, caught.value.body) == (410, b"Gone for good.")

    def test_unrouted_path_is_answered_as_by_workers(self):
        """Accepted, or refused where the project says so."""
        with WebsocketSession("/nowhere/") as socket:
            assert socket.receive_nothing()
        with (
            self.settings(CHANNELS_REJECT_UNROUTED=True),
            pytest.raises(SocketRefused, match="404"),
            WebsocketSession("/nowhere/"),
        ):
            pass

    def test_scope_reaches_the_consumer(self):
        """Path, query, headers, cookies and subprotocols, through the interface."""
        seen = []

        def connect(message):
            seen.append(message.content)
            message.reply_channel.send({"accept": True, "subprotocol": "b"})

        with (
            apply_routes(route("websocket.connect", connect)),
            WebsocketSession(
                "/caf%C3%A9/?q=%20", headers={"X-A": "1"}, cookies={"c": "d e"}, subprotocols=["a", "b"]
            ) as socket,
        ):
            assert socket.subprotocol == "b"
        (content,) = seen
        assert (content["path"], content["query_string"]) == ("/caf\u00e9/", b"q=%20")
        assert content["headers"] == [[b"x-a", b"1"], [b"cookie", b'c="d e"']]

    def test_address_may_be_written_as_people_read_it(self):
        """Browsers send it as UTF-8 with percent signs; both clients do."""
        seen = []

        def connect(message):
            seen.append((message["path"], message["query_string"]))
            message.reply_channel.send({"accept": True})

        address = "/caf\u00e9/\u65e5 1/?q=\u65e5"
        with apply_routes(route("websocket.connect", connect)):
            with WebsocketSession(address):
                pass
            WSClient().send_and_consume("websocket.connect", path=address)
        assert seen == [("/caf\u00e9/\u65e5 1/", b"q=%E6%97%A5")] * 2

    def test_origin_checks_see_the_header(self):
        """A page of another site is refused."""
        consumer = allowed_hosts_only(lambda message: message.reply_channel.send({"accept": True}))
        with apply_routes(route("websocket.connect", consumer)):
            with WebsocketSession(headers=[("Origin", "http://localhost")]):
                pass
            with pytest.raises(SocketRefused, match="403"), WebsocketSession(headers={"origin": "http://evil.example"}):
                pass

    def test_login_of_djangos_client_is_carried_over(self):
        """Consumers see the database of the test, transaction and all."""

        def say_name(message):
            message.reply_channel.send({"text": message.user.get_username()})

        self.client.force_login(User.objects.create_user("ada"))
        routes = [
            route("websocket.connect", channel_session_user_from_http(say_name)),
            route("websocket.receive", channel_session_user(say_name)),
        ]
        with apply_routes(routes), WebsocketSession(cookies=self.client.cookies) as socket:
            assert socket.receive() == "ada"
            socket.send("who am I?")
            assert socket.receive() == "ada"

    def test_consumers_of_the_project_run_too(self):
        """A chain over a channel of its own ends at the socket."""

        def receive(message):
            Channel("later").send({"reply_channel": message.reply_channel.name, "text": message["text"]})

        def later(message):
            message.reply_channel.send({"text": message["text"].upper()})

        with (
            apply_routes([route("websocket.receive", receive), route("later", later)]),
            WebsocketSession() as socket,
        ):
            socket.send("x")
            assert socket.receive() == "X"

    def test_test_can_send_to_the_socket(self):
        """As a view would, through a group."""
        with WebsocketSession("/room/") as socket:
            Group("room").send({"text": "from a view"})
            assert socket.receive() == "from a view"

    def test_application_of_the_project_may_be_wrapped(self):
        """Middleware around it is part of what is tested."""
        paths = []
        inner = get_asgi_application()

        async def middleware(scope, receive, send):
            if scope["type"] == "websocket":
                paths.append(scope["path"])
            await inner(scope, receive, send)

        with (
            WebsocketSession("/room/", application=middleware) as one,
            WebsocketSession("/room/", application=middleware) as two,
        ):
            one.send("x")
            assert two.receive() == "x"
        assert paths == ["/room/"] * 2
        assert not inner.is_serving

    def test_application_of_another_layer_is_refused(self):
        """It would wait for ever for consumers that listen elsewhere."""
        from channels.layers.inmemory import ChannelLayer

        application = make_application()
        application.layer = ChannelLayer()
        with (
            pytest.raises(ValueError, match="another layer than the one in use"),
            WebsocketSession(application=application),
        ):
            pass

    def test_application_that_fails_fails_the_test(self):
        """With its own error."""

        async def broken(scope, receive, send):
            raise ZeroDivisionError("in the application")

        with pytest.raises(ZeroDivisionError), WebsocketSession(application=broken):
            pass

    def test_undecided_handshake_fails(self):
        """Not for ever: after the timeout of a test, not that of the interface."""
        routes = apply_routes(route("websocket.connect", lambda message: None))
        with (
            self.settings(CHANNELS_AUTO_ACCEPT=False),
            routes,
            pytest.raises(AssertionError, match="sent nothing"),
            WebsocketSession(),
        ):
            pass

    async def test_async_test_is_told_what_to_do(self):
        """The session's event loop cannot run inside that of the test; a plain function can have one."""

        def use():
            with WebsocketSession("/room/") as session:
                session.send("hello")
                return session.receive()

        with pytest.raises(RuntimeError, match="sync_to_async"):
            use()
        assert await sync_to_async(use)() == "hello"

    def test_nothing_stays_behind(self):
        """Tasks, loops and services of the application end with the block."""
        with WebsocketSession("/room/") as socket:
            loop = socket._stage.loop
            application = socket._application
        assert loop.is_closed()
        assert asyncio.all_tasks(loop) == set()
        assert not application.is_serving
        gc.collect()
