"""The page on typed consumers: its code is run and sent messages, its table is that of the code."""

import json
import re

import pytest
from django.contrib.auth.models import Group, User

from channels.test import WebsocketSession, apply_routes
from channels.typed.settings import TYPED_SETTINGS
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


def test_options_of_the_page_are_those_of_the_code():
    """Names, defaults and meanings."""
    text = (DOCS / "typed.rst").read_text(encoding="utf-8")
    assert OPTION.findall(text) == [(each.name, repr(each.default), each.meaning) for each in TYPED_SETTINGS.values()]


def test_json_of_the_page_is_json():
    """Examples of messages can be read by a client."""
    text = (DOCS / "typed.rst").read_text(encoding="utf-8")
    blocks = re.findall(r"code-block:: json\n\n((?:    .*\n)+)", text)
    assert [json.loads(block)["action"] for block in blocks] == ["error", "authentication", "chat_group"]
