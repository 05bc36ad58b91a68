"""What bindings send in a ``TestCase``, whose transaction is never committed."""

import contextlib
import functools

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from channels import Group, route
from channels.binding.base import BindingMetaclass
from channels.binding.websockets import WebsocketBinding
from channels.test import ChannelTestCase, TransactionChannelTestCase, WebsocketSession, WSClient, apply_routes


@pytest.fixture(autouse=True)
def binding(monkeypatch):
    """Users are told of to the group ``users``."""
    monkeypatch.setattr(BindingMetaclass, "binding_classes", [])

    class UserBinding(WebsocketBinding):
        model = User
        stream = "users"
        fields = ("username",)

        @classmethod
        def group_names(cls, instance):
            return ["users"]

    yield UserBinding
    UserBinding.unregister()


def heard(client):
    """Return what became of whom, as far as ``client`` was told since the last look."""
    return [(frame["payload"]["action"], frame["payload"]["data"]["username"]) for frame in iter(client.receive, None)]


def connect(message):
    """Join those who are told, and make a user between two replies."""
    message.reply_channel.send({"accept": True})
    Group("users").add(message.reply_channel)
    message.reply_channel.send({"text": "before"})
    User.objects.create(username="visitor")
    message.reply_channel.send({"text": "after"})


class OneTransactionTests(ChannelTestCase):
    """A test in a transaction that is rolled back."""

    @classmethod
    def setUpTestData(cls):
        """Somebody is there before all tests."""
        User.objects.create(username="early")

    def listen(self):
        """Return a member of the group."""
        client = WSClient()
        client.join_group("users")
        return client

    def test_change_is_told_at_once(self):
        """As where every change is a transaction of its own."""
        client = self.listen()
        user = User.objects.create(username="ann")
        user.username = "bob"
        user.save()
        user.delete()
        assert heard(client) == [("create", "ann"), ("update", "bob"), ("delete", "bob")]

    def test_end_of_a_transaction_is_its_commit(self):
        """Of one of the project, within that of the test."""
        client = self.listen()
        with transaction.atomic():
            User.objects.create(username="ann")
            assert heard(client) == []
        User.objects.get_or_create(username="bob")
        assert heard(client) == [("create", "ann"), ("create", "bob")]

    def test_what_is_rolled_back_is_not_told(self):
        """Also not by what follows."""
        client = self.listen()
        with contextlib.suppress(RuntimeError), transaction.atomic():
            User.objects.create(username="ann")
            raise RuntimeError
        User.objects.create(username="bob")
        assert heard(client) == [("create", "bob")]

    def test_who_joins_later_is_not_told(self):
        """Neither of what the test stored, nor of what was stored for all tests."""
        Group("users").add("default?direct")
        User.objects.get_or_create(username="ann")
        client = self.listen()
        assert heard(client) == []
        assert client.channel_layer.receive(["default?direct"])[0] == "default?direct"
        assert client.channel_layer.receive(["default?direct"]) == (None, None)

    def test_consumer_sends_in_its_own_order(self):
        """A change is told between the replies before and after it."""
        client = WSClient()
        with apply_routes(route("websocket.connect", connect)):
            client.send_and_consume("websocket.connect")
        frames = list(iter(functools.partial(client.receive, json=False), None))
        assert [frames[0], "users" in frames[1], frames[2]] == ["before", True, "after"]
        assert len(frames) == 3

    def test_session_hears_what_consumers_and_tests_change(self):
        """In the application as in production."""
        with (
            apply_routes(route("websocket.connect", connect)),
            WebsocketSession("/") as socket,
        ):
            assert {socket.receive() for _ in range(3)} >= {"before", "after"}
            with transaction.atomic():
                User.objects.create(username="ann")
            assert socket.receive_json()["payload"]["data"] == {"username": "ann"}

    def test_other_callbacks_wait_for_the_test_to_call_them(self):
        """With Django's own tool, which sends nothing a second time."""
        client, calls = self.listen(), []
        with self.captureOnCommitCallbacks(execute=True):
            transaction.on_commit(lambda: calls.append("mine"))
            User.objects.create(username="ann")
            assert heard(client) == [("create", "ann")]
            assert calls == []
        assert calls == ["mine"]
        assert heard(client) == []


class RealCommitTests(TransactionChannelTestCase):
    """A test whose transactions are real."""

    def test_change_is_told_once(self):
        """By the commit itself."""
        client = WSClient()
        client.join_group("users")
        with transaction.atomic():
            User.objects.create(username="ann")
            assert heard(client) == []
        assert heard(client) == [("create", "ann")]


@pytest.mark.django_db
def test_fixtures_settle_as_test_cases_do(ws_client):
    """With the database fixture that rolls back."""
    ws_client.join_group("users")
    User.objects.create(username="ann")
    assert heard(ws_client) == [("create", "ann")]
