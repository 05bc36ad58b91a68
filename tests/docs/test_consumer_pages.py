"""The pages on consumers do what they say: their code is read from the page, run, and sent messages."""

import collections
import json
import re
import sys
import textwrap
import types
from pathlib import Path

import pytest

from channels.registry import channel_layers
from channels.routing import route, route_class
from tests.sessions.conftest import cookie, login, user, visitor
from tests.support.connection import Connection, make_layer

__all__ = ["cookie", "login", "user", "visitor"]

DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"^\.\. code-block:: python\n\n(?P<body>(?:    .*\n|\n)+)", re.MULTILINE)
CHANNELS = {
    "ws_connect": "websocket.connect",
    "ws_receive": "websocket.receive",
    "ws_disconnect": "websocket.disconnect",
}


class Page:
    """The Python blocks of a page; each is run into the module that its first line names."""

    def __init__(self, name, monkeypatch):
        text = (DOCS / f"{name}.rst").read_text(encoding="utf-8")
        self.blocks = [textwrap.dedent(found["body"]) for found in BLOCK.finditer(text)]
        self._monkeypatch = monkeypatch
        self.ran = set()

    def run(self, number, **names):
        """Run a block with ``names`` at hand, and return what it defines."""
        self.ran.add(number)
        code = self.blocks[number]
        name = re.match(r"# (\w+)\.py\n", code)[1]
        module = types.ModuleType(name)
        vars(module).update(names)
        self._monkeypatch.setitem(sys.modules, name, module)
        exec(compile(code, f"{name}.py", "exec"), vars(module))
        return module

    def connection(self, module, **handshake):
        """Return a connection whose messages go to the routing or the functions of a module."""
        routing = getattr(module, "channel_routing", None) or [
            route(channel, getattr(module, name)) for name, channel in CHANNELS.items() if hasattr(module, name)
        ]
        layer = make_layer(routing)
        channel_layers.set("default", layer)
        return Connection(layer=layer, **handshake)


@pytest.fixture
def page(monkeypatch):
    """Return a function that opens a page; all of its blocks must be run by the test."""
    old = channel_layers.set("default", make_layer())
    opened = []

    def read(name):
        opened.append(Page(name, monkeypatch))
        return opened[-1]

    yield read
    channel_layers.set("default", old)
    for each in opened:
        assert each.ran == set(range(len(each.blocks)))


def test_consumers_page(page):
    """Functions, groups, refusals, and trying again."""
    page = page("consumers")
    assert page.connection(page.run(0)).receive("hello") == [{"text": "HELLO"}]

    socket = page.connection(page.run(1))
    assert socket.connect() == [{"accept": True}, {"text": "somebody came in"}]
    socket.disconnect()
    assert socket.layer.group_channels("lobby") == []

    guarded = page.run(2)
    (reply,) = page.connection(guarded, path="/members/").connect()
    assert (reply["close"], reply["status"], reply["reason"]) == (True, 403, "Members only.")
    socket = page.connection(guarded)
    assert socket.connect() == [{"accept": True}]
    assert socket.receive("x" * 1001) == [{"close": 4000}]

    made, uploaded = [], iter([False, True])
    module = page.run(3, is_uploaded=lambda picture: next(uploaded), make_thumbnail=made.append)
    layer = make_layer([route("resize", module.resize)])
    layer.send("resize", {"picture": "cat.png"})
    assert Connection(layer=layer).work() == 2
    assert made == ["cat.png"]


def test_generics_page(page, user, login, cookie):
    """Classes, groups, JSON, decorators, attributes and channels of one's own."""
    page = page("generics")
    page.run(0)
    socket = page.connection(page.run(1), path="/rooms/tea/", headers=cookie(login(user)))
    assert socket.connect() == [{"accept": True}]
    assert socket.receive("hi") == [{"text": "ada: hi"}]

    socket = Connection([page.run(2).Clock.as_route()])
    assert "time" in json.loads(socket.receive('{"ask": "time"}')[0]["text"])
    assert Connection([page.run(3).Patient.as_route()]).receive("{") == [{"text": '{"error": "That was not JSON."}'}]

    counts = collections.Counter()
    socket = Connection([page.run(4, counts=counts).Counted.as_route()])
    socket.connect()
    assert counts == {"websocket.connect": 1}

    socket = page.connection(page.run(5), path="/news/sports/")
    socket.connect()
    assert socket.layer.group_channels("news-sports") == [socket.reply_channel]

    done = []
    layer = make_layer([route_class(page.run(6, done=done).Pictures)])
    layer.send("pictures.uploaded", {"name": "cat"})
    layer.send("pictures.deleted", {"name": "dog"})
    assert Connection(layer=layer).work() == 2
    assert sorted(done) == [("deleted", "dog"), ("made", "cat")]


def test_groups_page(page):
    """A bid reaches those at the lot, and all are sent home."""
    page = page("groups")
    consumers = page.run(0)
    ada = page.connection(page.run(1), path="/auctions/1/")
    bob, eve = [Connection(layer=ada.layer, path=f"/auctions/{lot}/") for lot in (1, 2)]
    for socket in (ada, bob, eve):
        assert socket.connect() == [{"accept": True}]
    ada.dispatch("websocket.receive", ada.content(text='{"bid": 7}'))
    assert [socket.replies() for socket in (ada, bob, eve)] == [[{"text": '{"bid": 7}'}]] * 2 + [[]]
    ada.layer.send("auctions.close", {"lots": [1, 2]})
    assert ada.work() == 1
    assert [socket.replies() for socket in (ada, bob, eve)] == [[{"text": "sold", "close": True}]] * 3
    ada.disconnect()
    assert sorted(ada.layer.group_channels("auctions")) == sorted([bob.reply_channel, eve.reply_channel])
    assert consumers.Auction.__name__ == "Auction"


def test_sessions_page(page, user, login, visitor, cookie, capsys):
    """The two sessions, the user, and logging in over the socket."""
    page = page("sessions")
    socket = page.connection(page.run(0), path="/tea/")
    socket.connect()
    assert socket.receive("where?") == [{"text": "You are in tea"}]
    socket.disconnect()
    assert capsys.readouterr().out == "left tea\n"

    module = page.run(1)
    assert page.connection(module).connect() == [{"close": True}]
    assert page.connection(module, headers=cookie(visitor(theme="dark"))).connect() == [
        {"accept": True, "text": "dark"}
    ]

    module = page.run(2)
    assert page.connection(module).connect() == [{"accept": False}]
    socket = page.connection(module, headers=cookie(login(user)))
    assert socket.connect() == [{"accept": True}]
    assert socket.receive("hi") == [{"text": "ada: hi"}]
    socket.disconnect()
    assert capsys.readouterr().out == "left ada\n"

    module = page.run(3, user_of_token={"secret": user}.get)
    socket = page.connection(module)
    assert socket.receive("wrong") == []
    assert socket.receive("secret") == [{"text": "Hello ada"}]
    assert socket.receive("again") == []


def test_ordering_page(page, db, capsys):
    """Frames that arrive in the wrong order are counted in the right one."""
    page = page("ordering")
    socket = page.connection(page.run(0))
    socket.connect()
    first, second = socket.content(text="a"), socket.content(text="b")
    socket.dispatch("websocket.receive", second)
    assert socket.replies() == []
    socket.dispatch("websocket.receive", first)
    socket.work()
    assert socket.replies() == [{"text": "line 1"}, {"text": "line 2"}]
    socket.disconnect()
    assert capsys.readouterr().out == "2\n"
    assert page.run(1).Lines.strict_ordering is True


def test_multiplexing_page(page, user, login, cookie, capsys):
    """Two streams, a group, and a frame from outside."""
    page = page("multiplexing")
    page.run(0)
    socket = page.connection(page.run(1), headers=cookie(login(user)))
    *accepts, hello = socket.connect()
    assert accepts[0] == {"accept": True}
    assert json.loads(hello["text"]) == {"stream": "presence", "payload": {"hello": "ada"}}
    (reply,) = socket.receive('{"stream": "chat", "payload": {"text": "Hello"}}')
    assert json.loads(reply["text"]) == {"stream": "chat", "payload": {"text": "Hello"}}
    page.run(2).announce("Tea!")
    assert [json.loads(reply["text"])["payload"] for reply in socket.replies()] == [{"text": "Tea!"}]
    (reply,) = socket.receive('{"stream": "chatt", "payload": {}}')
    assert json.loads(reply["text"])["error"]["code"] == "unknown_stream"
    socket.disconnect()
    assert capsys.readouterr().out == "presence ends for ada\n"


def test_security_page(page, user, login, cookie, settings):
    """Origins and users."""
    page = page("security")
    settings.ALLOWED_HOSTS = ["example.com"]
    ours, theirs = [[b"origin", b"https://example.com"]], [[b"origin", b"https://example.net"]]
    module = page.run(0)
    assert page.connection(module, headers=ours).connect() == [{"accept": True}]
    assert page.connection(module, headers=theirs).connect()[0]["close"] is True

    guarded = page.run(1).Guarded.as_route()
    assert Connection([guarded], headers=ours).connect() == [{"accept": True}]
    assert Connection([guarded], headers=theirs).connect()[0]["close"] is True

    module = page.run(2)
    assert page.connection(module, headers=[[b"origin", b"https://partner.example"]]).connect() == [{"accept": True}]
    assert page.connection(module, headers=ours).connect()[0]["close"] is True

    module = page.run(3)
    assert page.connection(module, headers=cookie(login(user))).connect()[0]["status"] == 403
    user.is_staff = True
    user.save()
    assert page.connection(module, headers=cookie(login(user))).connect() == [{"accept": True}]


def test_pages_are_found():
    """Each page here has code."""
    for name in ("consumers", "generics", "groups", "sessions", "ordering", "multiplexing", "security"):
        assert BLOCK.search((DOCS / f"{name}.rst").read_text(encoding="utf-8"))
