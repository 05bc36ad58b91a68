"""The tutorial does what it says: its code is read from the page, put into modules, and sent messages."""

import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import User
from django.contrib.sessions.backends.db import SessionStore

from channels.dispatch import dispatch
from channels.layers.inmemory import ChannelLayer
from channels.registry import ChannelLayerWrapper, channel_layers

PAGE = Path(__file__).resolve().parents[2] / "docs" / "getting-started.rst"
SECTION = re.compile(r"^(?P<title>\S.*)\n-{3,}\n", re.MULTILINE)
BLOCK = re.compile(r"^\.\. code-block:: python\n\n(?P<body>(?:    .*\n|\n)+)", re.MULTILINE)


def blocks(section: str) -> list[str]:
    """Return the Python blocks of one section of the tutorial."""
    parts = SECTION.split(PAGE.read_text(encoding="utf-8"))
    text = dict(zip(parts[1::2], parts[2::2], strict=True))[section]
    return [textwrap.dedent(found["body"]) for found in BLOCK.finditer(text)]


class Site:
    """A project with one socket, whose interface is the test."""

    def __init__(self) -> None:
        self.layer = ChannelLayerWrapper(ChannelLayer(), "default", [])
        self.session_key = ""

    def write(self, code: str) -> dict[str, Any]:
        """Put ``code`` into the module that its first line names, or a nameless one, and return its names."""
        found = re.match(r"# (\S+)\.py\n", code)
        name = found[1].replace("/", ".") if found else "nameless"
        module = sys.modules[name]
        exec(compile(code, name, "exec"), vars(module))
        if hasattr(module, "channel_routing"):
            self.layer = ChannelLayerWrapper(self.layer.channel_layer, "default", module.channel_routing)
            channel_layers.set("default", self.layer)
        return vars(module)

    def say(self, kind: str, socket: str = "one", path: str = "/lobby/", **content: Any) -> None:
        """Let a worker take a message of ``socket`` and whatever it leads to on channels of the project."""
        content = {"reply_channel": f"websocket.send.test!{socket}", "path": path, **content}
        if kind == "websocket.connect":
            cookie = f"sessionid={self.session_key}".encode()
            content |= {"headers": [[b"cookie", cookie]], "query_string": b"", "order": 0}
        dispatch(self.layer, kind, content, sender=type(self))
        for delivery in self.layer.receive_batch(["chat-messages"], 10):
            dispatch(self.layer, delivery.channels[0], delivery.content, sender=type(self))

    def heard(self) -> dict[str, list[dict[str, Any]]]:
        """Return what each socket was sent since last asked."""
        heard: dict[str, list[dict[str, Any]]] = {}
        for delivery in self.layer.receive_batch(["websocket.send.test!"], 100):
            for channel in delivery.channels:
                heard.setdefault(channel.partition("!")[2], []).append(delivery.content)
        return heard

    def members(self, group: str) -> list[str]:
        """Return which sockets are in ``group``."""
        return sorted(channel.partition("!")[2] for channel in self.layer.group_channels(group))


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A project with empty modules and a layer of its own."""
    for name in ("chat", "chat.consumers", "chat.models", "mysite", "mysite.routing", "mysite.settings", "nameless"):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    site = Site()
    old = channel_layers.set("default", site.layer)
    yield site
    channel_layers.set("default", old)


@pytest.fixture
def user(site: Site, db: None) -> User:
    """Somebody who is logged in, in the browser that connects."""
    user = User.objects.create_user("ada", password="secret")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    site.session_key = str(session.session_key)
    return user


def route_all(site: Site, **consumers: Callable[..., None]) -> None:
    """Route the kinds of WebSocket messages to consumers of a section that shows no routing."""
    routing = {f"websocket.{kind}": consumer for kind, consumer in consumers.items()}
    site.layer = ChannelLayerWrapper(site.layer.channel_layer, "default", routing)
    channel_layers.set("default", site.layer)


def test_first_consumer_answers_a_request_with_its_path(site: Site) -> None:
    """The consumer that takes the place of the views."""
    for code in blocks("The first consumer"):
        site.write(code)
    site.say("http.request", path="/some/where", method="GET")
    (answer,) = site.heard()["one"]
    assert (answer["status"], answer["content"]) == (200, b"You asked for /some/where")


def test_echo_sends_a_frame_back(site: Site) -> None:
    """The shortest WebSocket consumer."""
    for code in blocks("Echo"):
        site.write(code)
    site.say("websocket.receive", text="hello world", order=1)
    assert site.heard() == {"one": [{"text": "hello world"}]}


def test_group_chat_reaches_those_who_are_there(site: Site) -> None:
    """Joining, talking and leaving."""
    for code in blocks("Groups"):
        site.write(code)
    site.say("websocket.connect", "one")
    site.say("websocket.connect", "two")
    assert site.heard() == {"one": [{"accept": True}], "two": [{"accept": True}]}
    site.say("websocket.disconnect", "two", code=1000, order=1)
    site.say("websocket.receive", "one", text="hi", order=1)
    assert site.heard() == {"one": [{"text": "[somebody] hi"}]}


def test_layer_of_the_redis_section_can_be_made(site: Site) -> None:
    """The settings block is a configuration that the layer takes."""
    (code,) = blocks("More than one process")
    config = site.write(code)["CHANNEL_LAYERS"]["default"]
    module, _, name = config["BACKEND"].rpartition(".")
    layer = getattr(__import__(module, fromlist=[name]), name)(**config["CONFIG"])
    layer.close()


@pytest.mark.django_db
def test_channel_session_remembers_the_room(site: Site) -> None:
    """What connect saw in the path, receive and disconnect still know."""
    consumers = site.write(blocks("Remembering a connection")[0])
    route_all(
        site,
        connect=consumers["ws_connect"],
        receive=consumers["ws_receive"],
        disconnect=consumers["ws_disconnect"],
    )
    site.say("websocket.connect", path="/lobby/")
    assert site.members("chat-lobby") == ["one"]
    site.heard()
    site.say("websocket.receive", path="/lobby/", text="hi", order=1)
    assert site.heard() == {"one": [{"text": "hi"}]}
    site.say("websocket.disconnect", path="/lobby/", code=1000, order=2)
    assert site.members("chat-lobby") == []


def test_routing_hands_the_room_to_the_consumer(site: Site) -> None:
    """A named group of the path filter is a keyword argument, and another path does not match."""
    seen = []
    consumers: Any = sys.modules["chat.consumers"]
    consumers.ws_connect = lambda message, room: seen.append(room)
    routing = site.write(blocks("Remembering a connection")[1])["channel_routing"]
    route_all_paths = ChannelLayerWrapper(site.layer.channel_layer, "default", routing)
    assert route_all_paths.router.channels == {"websocket.connect"}
    site.say("websocket.connect", path="/blue-room/")
    assert seen == ["blue-room"]


def test_user_of_the_site_is_known_in_every_message(site: Site, user: User) -> None:
    """The user comes from the cookie at connect and from the channel session later."""
    consumers = site.write(blocks("Users")[0])
    route_all(
        site,
        connect=consumers["ws_connect"],
        receive=consumers["ws_receive"],
        disconnect=consumers["ws_disconnect"],
    )
    site.say("websocket.connect")
    assert site.members("chat-a") == ["one"]
    site.heard()
    site.say("websocket.receive", text="hi", order=1)
    assert site.heard() == {"one": [{"text": "hi"}]}
    site.say("websocket.disconnect", code=1000, order=2)
    assert site.members("chat-a") == []


@pytest.mark.django_db
def test_stranger_is_refused(site: Site) -> None:
    """The connect consumer that admits only users."""
    route_all(site, connect=site.write(blocks("Users")[1])["ws_connect"])
    site.say("websocket.connect")
    assert site.heard() == {"one": [{"close": True}]}


def test_user_is_admitted(site: Site, user: User) -> None:
    """The same consumer, for somebody who is logged in."""
    route_all(site, connect=site.write(blocks("Users")[1])["ws_connect"])
    site.say("websocket.connect")
    assert site.heard() == {"one": [{"accept": True}]}


@pytest.mark.django_db
def test_page_of_another_site_is_refused(site: Site) -> None:
    """The origin check stands before everything else; a handshake without an origin is refused too."""
    route_all(site, connect=site.write(blocks("Users")[2])["ws_connect"])
    site.say("websocket.connect")
    assert site.heard() == {"one": [{"close": True}]}


@pytest.mark.django_db
def test_saved_message_is_broadcast(site: Site) -> None:
    """A frame goes to a channel of the project, whose consumer saves it and tells the room."""
    saved = []

    class ChatMessage:
        """Stands for the model, which needs an app of its own."""

        objects = types.SimpleNamespace(create=lambda **fields: saved.append(fields))

    models: Any = sys.modules["chat.models"]
    models.ChatMessage = ChatMessage
    remembering = site.write(blocks("Remembering a connection")[0])
    _, consumers, routing = blocks("Models")
    connect = remembering["ws_connect"]
    site.write(consumers)
    entries = site.write(routing)["channel_routing"]
    from channels import route

    site.layer = ChannelLayerWrapper(
        site.layer.channel_layer, "default", [*entries, route("websocket.connect", connect)]
    )
    channel_layers.set("default", site.layer)
    site.say("websocket.connect")
    site.heard()
    site.say("websocket.receive", text="hi", order=1)
    assert saved == [{"room": "lobby", "text": "hi"}]
    assert site.heard() == {"one": [{"text": "hi"}]}


def test_ordered_consumers_wait_for_their_turn(site: Site, user: User) -> None:
    """A frame that is early is consumed after the one before it."""
    consumers = site.write(blocks("Order")[0])
    route_all(
        site,
        connect=consumers["ws_connect"],
        receive=consumers["ws_receive"],
        disconnect=consumers["ws_disconnect"],
    )
    site.say("websocket.connect")
    site.say("websocket.receive", text="second", order=2)
    assert site.heard() == {"one": [{"accept": True}]}
    site.say("websocket.receive", text="first", order=1)
    for delivery in site.layer.receive_batch(["websocket.receive"], 10):
        dispatch(site.layer, delivery.channels[0], delivery.content, sender=Site)
    assert site.heard() == {"one": [{"text": "first"}, {"text": "second"}]}
