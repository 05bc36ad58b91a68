"""The page on delayed messages does what it says: its code is read from the page and run."""

import unittest
from types import SimpleNamespace

import pytest
from django.db import transaction

from channels import Group
from channels.delay.models import DelayedMessage
from channels.layers.redis import RedisChannelLayer
from channels.layers.redis.durable import compile_delivery
from channels.registry import channel_layers
from tests.delay.test_worker import Server
from tests.docs.test_consumer_pages import Page
from tests.support.connection import Connection, make_layer

REMINDERS, ORDERS, HEARTBEAT, SETTINGS, TESTS = range(5)


@pytest.fixture
def page(monkeypatch):
    """The page; the default layer is put back in the end."""
    old = channel_layers.set("default", make_layer())
    yield Page("delay", monkeypatch)
    channel_layers.set("default", old)


def serve(module, group, until):
    """Run the routing of a module and a delay server until a member of ``group`` has heard something; return that."""
    layer = make_layer(module.channel_routing)
    channel_layers.set("default", layer)
    Group(group).add("page?listens")
    heard = []

    def look():
        Connection(layer=layer).work()
        while (content := layer.receive(["page?listens"])[1]) is not None:
            heard.append(content)
        return len(heard) >= until

    return heard, lambda: Server(layer).run_until(look)


def test_every_block_has_a_test(page):
    """One for each below."""
    assert len(page.blocks) == TESTS + 1


def test_reminders_come(db, page):
    """In their time; the group of the room hears them."""
    reminders = page.run(REMINDERS)
    heard, run = serve(reminders, "room-tea", 1)
    reminders.remind_later("tea", "Time for tea.", 0.001)
    run()
    assert heard == [{"text": "Time for tea."}]


def test_reminders_go_with_the_transaction(transactional_db, page):
    """What is rolled back reminds nobody, nor does what was paid."""
    orders = page.run(ORDERS)
    with transaction.atomic():
        orders.place_order(SimpleNamespace(pk=1, save=lambda: None))
        transaction.set_rollback(True)
    assert not DelayedMessage.objects.exists()
    placed = [SimpleNamespace(pk=number, save=lambda: None) for number in (1, 11)]
    for order in placed:
        orders.place_order(order)
    orders.order_was_paid(placed[0])
    (left,) = DelayedMessage.objects.all()
    assert left.content == '{"order": 11}'
    assert left.delay > 60_000


def test_heart_beats(db, page):
    """Each message asks for the next one."""
    heartbeat = page.run(HEARTBEAT)
    heartbeat.EVERY_SECONDS = 0.01
    heard, run = serve(heartbeat, "everybody", 3)
    channel_layers["default"].send("beat", {})
    run()
    assert heard[:3] == [{"text": "still here"}] * 3


def test_settings_keep_messages_until_they_are_stored(page):
    """Those on asgi.delay, and no others."""
    config = page.run(SETTINGS).CHANNEL_LAYERS["default"]["CONFIG"]
    (pattern,) = compile_delivery(config["delivery"])
    assert [bool(pattern.match(name)) for name in ("asgi.delay", "reminders")] == [True, False]
    RedisChannelLayer(**config).close()


def test_tests_of_the_page_pass(db, page, settings):
    """With the routing of its first block."""
    reminders = page.run(REMINDERS)
    backend = "channels.layers.inmemory.ChannelLayer"
    settings.CHANNEL_LAYERS = {"default": {"BACKEND": backend, "ROUTING": reminders.channel_routing}}
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(page.run(TESTS).ReminderTests)
    result = unittest.TestResult()
    suite.run(result)
    assert (result.testsRun, result.errors, result.failures) == (2, [], [])
