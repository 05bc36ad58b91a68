"""The admin's page of waiting messages."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse

from channels.delay.admin import DelayedMessageAdmin
from channels.delay.models import DelayedMessage
from channels.delay.sending import BATCH
from channels.exceptions import LayerUnavailable
from channels.registry import channel_layers
from tests.support.connection import make_layer

LIST = "admin:channels_delay_delayedmessage_changelist"

pytestmark = pytest.mark.urls("tests.delay.urls")


@pytest.fixture
def layer():
    """The default layer, empty."""
    layer = make_layer()
    old = channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", old)


@pytest.fixture
def waiting(db):
    """A message of an hour from now."""
    return DelayedMessage.objects.create(channel_name="emails", content='{"to": "ada"}', delay=3_600_000)


@pytest.fixture
def page(client, db, settings):
    """The browser of an administrator."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    client.force_login(get_user_model().objects.create_superuser("root", password="x"))
    return client


def test_waiting_messages_are_listed(page, waiting):
    """Where to, when, and what."""
    text = page.get(reverse(LIST)).content.decode()
    assert "emails" in text
    assert "ada" in text


def test_message_can_be_put_off(page, waiting):
    """Its time is the only thing to change."""
    address = reverse("admin:channels_delay_delayedmessage_change", args=[waiting.pk])
    assert page.get(address).status_code == 200
    answer = page.post(address, {"due_date_0": "2100-01-01", "due_date_1": "12:00:00", "channel_name": "forged"})
    assert answer.status_code == 302
    waiting.refresh_from_db()
    assert (waiting.due_date.year, waiting.channel_name) == (2100, "emails")


def test_message_that_was_sent_meanwhile_is_not_made_again(page, waiting, monkeypatch):
    """A delay server took it after it was read and before it was saved."""
    address = reverse("admin:channels_delay_delayedmessage_change", args=[waiting.pk])
    read = DelayedMessageAdmin.get_object

    def get_object(self, request, object_id, from_field=None):
        found = read(self, request, object_id, from_field)
        DelayedMessage.objects.all().delete()
        return found

    monkeypatch.setattr(DelayedMessageAdmin, "get_object", get_object)
    answer = page.post(address, {"due_date_0": "2100-01-01", "due_date_1": "12:00:00"}, follow=True)
    assert "sent meanwhile" in answer.content.decode()
    assert not DelayedMessage.objects.exists()


def test_messages_are_not_written_here(page):
    """Programs send them."""
    assert page.get(reverse("admin:channels_delay_delayedmessage_add")).status_code == 403


def test_chosen_messages_are_sent_now(page, waiting, layer):
    """And wait no more."""
    answer = page.post(reverse(LIST), {"action": "send_now", "_selected_action": [waiting.pk]}, follow=True)
    assert "1 message was taken care of." in answer.content.decode()
    assert layer.receive(["emails"])[1] == {"to": "ada"}
    assert not DelayedMessage.objects.exists()


def test_any_number_of_messages_is_sent_now(page, layer, monkeypatch):
    """In the transactions that delay servers make: a database takes so many keys in one statement, and no more."""
    DelayedMessage.objects.bulk_create(
        [DelayedMessage(channel_name=f"emails.{n}", content="{}", delay=3_600_000) for n in range(BATCH + 1)]
    )
    send_batch, sizes = layer.send_batch, []

    def count(batch):
        sizes.append(len(batch))
        return send_batch(batch)

    monkeypatch.setattr(layer, "send_batch", count, raising=False)
    chosen = {"action": "send_now", "_selected_action": ["1"], "select_across": "1"}
    answer = page.post(reverse(LIST), chosen, follow=True)
    assert f"{BATCH + 1} messages were taken care of." in answer.content.decode()
    assert sizes == [BATCH, 1]


def test_page_says_that_the_layer_is_gone(page, waiting, layer, monkeypatch):
    """The message waits on."""

    def fail(batch):
        raise LayerUnavailable("no answer")

    monkeypatch.setattr(layer, "send_batch", fail, raising=False)
    answer = page.post(reverse(LIST), {"action": "send_now", "_selected_action": [waiting.pk]}, follow=True)
    assert "no answer" in answer.content.decode()
    assert DelayedMessage.objects.count() == 1
