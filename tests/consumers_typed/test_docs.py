"""The page on typed consumers: its code is run and sent messages, its table is that of the code."""

import io
import json
import re
import unittest

import pytest
from django.contrib.auth.models import Group, User

import channels.test.typed
import channels.typed
from channels.generic.websockets import JsonWebsocketConsumer
from channels.test import WebsocketSession, apply_routes
from channels.typed import (
    AuthenticationMessage,
    AuthenticationPayload,
    CompleteMessage,
    ErrorMessage,
    GroupCompleteMessage,
    PingMessage,
    PongMessage,
    TypedConsumer,
)
from channels.typed.settings import TYPED_SETTINGS
from channels.typed.wire import describe
from tests.consumers_typed.rooms import ChatGroupMessage, NotifyEvent
from tests.docs.test_consumer_pages import DOCS, Page

OPTION = re.compile(r"^   \* - ``([A-Z_]+)``\n     - ``(.+)``\n     - (.+)$", re.MULTILINE)


@pytest.fixture
def page(monkeypatch, db):
    """The page."""
    return Page("typed", monkeypatch)


def talk(module, path, *messages):
    """Send messages on a socket of a module's routing and return the answers, without that of the authentication."""
    with apply_routes(module.channel_routing), WebsocketSession(path) as socket:
        assert socket.receive_json()["payload"]["status_code"] == 200
        answers = []
        for message in messages:
            socket.send_json(message) if isinstance(message, dict) else message()
            answers.append(socket.receive_json())
        return answers


def test_consumers_of_the_page_answer(page):
    """Each block runs as it stands."""
    ping, pong = {"action": "ping"}, {"action": "pong", "payload": None}
    assert talk(page.run(0), "/echo/", ping) == [pong]
    messages = page.run(1)
    chat, notice = page.run(2), messages.NotifyEvent(payload=messages.Said(content="soon"))

    def notify():
        chat.Chat.send_channel_event("announcements", notice)

    said = {"action": "chat", "payload": {"content": "hello"}}
    answers = talk(chat, "/chat/a/", ping, {"action": "chat"}, said, notify)
    assert answers[0] == pong
    assert answers[1]["payload"] == [{"type": "missing", "loc": ["chat", "payload"], "msg": "Field required"}]
    heard = {"username": "somebody", "content": "hello"}
    assert answers[2] == {"action": "chat_group", "payload": heard, "is_mine": False, "is_current": True}
    assert answers[3]["payload"] == {"username": "system", "content": "soon"}
    members = page.run(3)
    group = Group.objects.create(pk=1)
    group.user_set.add(*(User.objects.create_user(name) for name in ("ada", "bob")))
    told = [answer["payload"]["members"] for answer in talk(members, "/members/1/", ping, ping)]
    assert told == ["ada and 1 more, asked 1 times", "ada and 1 more, asked 2 times"]
    handlers = page.run(4)
    told = {"action": "chat", "payload": {"content": "soon"}}

    def notify_handlers():
        handlers.Handlers.send_channel_event("announcements", notice)

    assert talk(handlers, "/handlers/", ping, notify_handlers) == [pong, told]


def test_tests_of_the_page_pass(page):
    """As Django's runner would run them, against the page's own chat."""
    page.run(1)
    chat, tests = page.run(2), page.run(5)
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(tests.ChatTests)
    with apply_routes(chat.channel_routing):
        result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
    assert result.testsRun == 3
    assert result.wasSuccessful(), result.errors + result.failures


def test_options_of_the_page_are_those_of_the_code():
    """Names, defaults and meanings."""
    text = (DOCS / "typed.rst").read_text(encoding="utf-8")
    assert OPTION.findall(text) == [(each.name, repr(each.default), each.meaning) for each in TYPED_SETTINGS.values()]


def test_json_of_the_page_is_json():
    """Examples of messages can be read by a client."""
    text = (DOCS / "typed.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"code-block:: json\n\n((?:    .*\n)+)", text)
    assert [json.loads(block)["action"] for block in blocks] == ["error", "authentication", "chat_group"]


REFERENCE = (DOCS / "reference" / "typed.rst").read_text(encoding="utf-8")
DESCRIBED = set(re.findall(r"^\.\. (?:auto\w+|py:data):: (\S+)", REFERENCE, re.MULTILINE))


@pytest.mark.parametrize("module", [channels.typed, channels.test.typed])
def test_public_names_are_in_the_reference(module):
    """Each, by the path it is imported from."""
    assert {f"{module.__name__}.{name}" for name in module.__all__} - DESCRIBED == set()


def test_attributes_of_consumers_are_in_the_reference():
    """All that are not those of every consumer of WebSockets."""
    own = {name for name in dir(TypedConsumer) if not name.startswith("_")} - set(dir(JsonWebsocketConsumer))
    described = {name.rpartition(".")[2] for name in DESCRIBED if ".TypedConsumer." in name}
    assert own - {"raw_event"} - described == set()


def test_frames_of_the_reference_are_those_of_the_models():
    """Keys and values, in their order."""
    frames = dict(re.findall(r"- (?::class:`~channels.typed.(\w+)`|[^\n]+)\n     - ``(\{.*\})``", REFERENCE))
    data = AuthenticationPayload(status_code=200, status_text="OK", data={"detail": "OK"})
    made = {
        "PingMessage": PingMessage(),
        "PongMessage": PongMessage(),
        "AuthenticationMessage": AuthenticationMessage(payload=data),
        "ErrorMessage": ErrorMessage(payload=describe("missing", "Field required")),
        "CompleteMessage": CompleteMessage(),
        "GroupCompleteMessage": GroupCompleteMessage(),
        "BaseGroupMessage": ChatGroupMessage(payload={}),
        "BaseChannelEvent": NotifyEvent(payload=NotifyEvent.Payload(content="x")),
    }
    frames.pop("")
    assert set(frames) == set(made)
    for name, text in frames.items():
        frame, own = json.loads(text), made[name].model_dump(mode="json")
        assert list(frame) == list(own)
        if name not in ("ErrorMessage", "BaseChannelEvent"):
            assert frame == own
