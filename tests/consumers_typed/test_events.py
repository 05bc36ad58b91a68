"""Events: from anywhere to the consumers of a group's members, as JSON, in pieces; and those that fail."""

import datetime
import json
import uuid
from typing import Any, Literal

import pytest
from asgiref.sync import async_to_sync
from pydantic import BaseModel, Field, computed_field

from channels import Channel, Group, counters, route
from channels.exceptions import ChannelFull, ConsumeLater
from channels.registry import channel_layers
from channels.session_stores import PinnedStore
from channels.typed import BaseChannelEvent, PingMessage, TypedConsumer, events
from tests.consumers_typed.rooms import Answer, NotifyEvent
from tests.support.connection import Connection, make_layer


class Told(BaseChannelEvent):
    """Something with values that JSON does not know."""

    handler: Literal["told"] = "told"
    payload: dict[str, Any]


class Listener(TypedConsumer[PingMessage, NotifyEvent | Told]):
    """Answers what it is told."""

    authentication_classes = []
    permission_classes = []
    groups = ["listeners"]

    def hear(self, event):
        """Answer an event."""
        self.send_message(Answer(payload=event.payload))

    def receive_event(self, event):
        self.hear(event)

    def receive_message(self, message, **kwargs):
        self.send_channel_event("listeners", note("from a consumer"), channel_layer=self.channel_layer)
        self.hear(message)


class Plain(TypedConsumer[PingMessage]):
    """Has no events."""

    authentication_classes = []
    permission_classes = []

    def receive_message(self, message, **kwargs): ...


def note(content):
    """Return an event."""
    return NotifyEvent(payload=NotifyEvent.Payload(content=content))


def make(hear=Listener.hear, **config):
    """Return a layer with a listener and others."""
    routing = [
        Listener.as_route({"hear": hear}, path="^/listener/$"),
        Plain.as_route(path="^/plain/$"),
        route("websocket.connect", lambda message: message.reply_channel.send({"accept": True}), path="^/other/$"),
    ]
    return make_layer(routing, **config)


def join(layer, path="/listener/"):
    """Return an admitted connection."""
    connection = Connection(layer=layer, path=path)
    connection.connect()
    return connection


def heard(connection):
    """Return the payloads of what a connection got."""
    return [json.loads(reply["text"])["payload"] for reply in connection.replies()]


@pytest.fixture(autouse=True)
def _database(db):
    """Sessions are there."""


def test_event_carries_what_json_does_not_know():
    """It is written as pydantic does, and validated again where it arrives."""
    layer = make()
    listener = join(layer)
    at, key = datetime.datetime(2024, 5, 6, tzinfo=datetime.timezone.utc), uuid.UUID(int=7)
    Listener.send_channel_event("listeners", Told(payload={"at": at, "id": key}), channel_layer=layer)
    listener.work()
    assert heard(listener) == [{"at": "2024-05-06T00:00:00Z", "id": "00000000-0000-0000-0000-000000000007"}]


class Exact(BaseModel, strict=True, extra="forbid"):
    """Takes no texts for dates, and has other names outside."""

    at: datetime.datetime = Field(alias="startsAt")
    place: str = Field(serialization_alias="where")

    @computed_field
    def day(self) -> str:
        return self.at.date().isoformat()


class ExactEvent(BaseChannelEvent):
    """Something exact."""

    handler: Literal["exact"] = "exact"
    payload: Exact


class Exactly(Listener, TypedConsumer[PingMessage, ExactEvent]):
    """Says on which day it is."""

    def receive_event(self, event):
        self.send_message(Answer(payload=[event.payload.day, event.payload.place]))


def test_event_of_any_model_arrives():
    """Aliases are for others, strictness is for values of Python, and what is computed is computed again."""
    layer = make_layer([Exactly.as_route(path="^/listener/$")])
    listener = join(layer)
    at = datetime.datetime(2024, 5, 6, tzinfo=datetime.timezone.utc)
    event = ExactEvent(payload=Exact(startsAt=at, place="here"))
    Exactly.send_channel_event("listeners", event, channel_layer=layer)
    listener.work()
    assert heard(listener) == [["2024-05-06", "here"]]


def test_event_is_sent_by_asynchronous_code():
    """By the twin, on the default layer."""
    layer = make()
    channel_layers.set("default", layer)
    listener = join(layer)
    async_to_sync(Listener.asend_channel_event)("listeners", note("x"))
    listener.work()
    assert heard(listener) == [{"content": "x", "level": "info"}]


def test_event_of_a_consumer_leaves_in_its_end():
    """Like all that a consumer sends."""
    sent = []
    layer = make(lambda self, event: sent.append(layer.channel_layer.receive([events.CHANNEL])[0]))
    listener = join(layer)
    listener.receive('{"action": "ping"}')
    assert sent == [None]
    assert listener.work() == 1
    assert len(sent) == 2


def test_event_to_nobody_is_nothing():
    """No message is sent for a group without typed connections."""
    layer = make()
    Listener.send_channel_event("listeners", note("x"), channel_layer=layer)
    join(layer, "/other/")
    Group("listeners", channel_layer=layer).add(Channel("websocket.send.other!x", channel_layer=layer))
    Listener.send_channel_event("listeners", note("x"), channel_layer=layer)
    assert layer.receive([events.CHANNEL]) == (None, None)


@pytest.mark.parametrize("path", ["/plain/", "/other/"])
def test_members_without_events_are_passed_over(path):
    """Typed consumers without events, and others; the rest of the group hears."""
    layer = make()
    other, listener = join(layer, path), join(layer)
    layer.group_add("listeners", other.reply_channel)
    Listener.send_channel_event("listeners", note("x"), channel_layer=layer)
    listener.work()
    assert heard(other) + heard(listener) == [{"content": "x", "level": "info"}]


@pytest.mark.parametrize("size", [3, 250])
def test_failing_member_does_not_reach_others(size, caplog):
    """Also where the event is cut into pieces."""

    def hear(self, event):
        if self.channel_name == members[1].reply_channel:
            raise ZeroDivisionError("on purpose")
        self.send_message(Answer(payload=1))

    layer = make(hear)
    members = [join(layer) for _ in range(size)]
    before = counters.value("event.failed.exception")
    Listener.send_channel_event("listeners", note("x"), channel_layer=layer)
    members[0].work()
    got = [len(member.replies()) for member in members]
    assert got == [1, 0, *[1] * (size - 2)]
    assert counters.value("event.failed.exception") == before + 1
    assert f"Failed to process channel event for {members[1].reply_channel}" in caplog.text


def test_event_that_is_none_of_the_consumer_is_logged(caplog):
    """Another version of the project may have sent it; the client is not told."""
    layer = make()
    listener = join(layer)
    events.send_event("listeners", {"handler": "unknown", "payload": 1}, layer)
    listener.work()
    assert heard(listener) == []
    assert "Failed to process channel event" in caplog.text
    assert "union_tag_invalid" in caplog.text


def test_event_is_run_by_its_taker_where_the_channel_is_full(monkeypatch):
    """It is late then, not lost."""
    layer = make()
    members = [join(layer) for _ in range(250)]
    Listener.send_channel_event("listeners", note("x"), channel_layer=layer)
    pieces = []
    while (taken := layer.receive([events.CHANNEL]))[0]:
        pieces.append(taken[1])

    def full(*args, **kwargs):
        raise ChannelFull("on purpose")

    whole = {**pieces[0], events.MEMBERS: [member.reply_channel for member in members]}
    monkeypatch.setattr(Channel, "send", full)
    layer.channel_layer.send(events.CHANNEL, whole)
    name, content = layer.receive([events.CHANNEL])
    refused = []
    monkeypatch.setattr(events, "_run", lambda layer, member, event: refused.append(member))
    members[0].dispatch(name, content)
    assert sorted(refused) == sorted(member.reply_channel for member in members)


def test_members_that_are_gone_are_passed_over():
    """Between the sending and the running of an event."""
    layer = make()
    gone, there = join(layer), join(layer)
    Listener.send_channel_event("listeners", note("x"), channel_layer=layer)
    gone.disconnect()
    there.work()
    assert (heard(gone), len(heard(there))) == ([], 1)


def test_session_of_a_member_is_read_once(monkeypatch):
    """By the worker that runs its consumer, besides that of one member of each piece, by who sends."""
    monkeypatch.setattr(events, "PIECE", 2)
    monkeypatch.setattr(events, "PIECES", 2)
    layer = make()
    members = [join(layer) for _ in range(6)]
    reads = []
    load = PinnedStore.load
    monkeypatch.setattr(PinnedStore, "load", lambda store: reads.append(store.pinned_key) or load(store))
    Listener.send_channel_event("listeners", note("x"), channel_layer=layer)
    assert len(reads) == 2
    del reads[:]
    members[0].work()
    assert [len(heard(member)) for member in members] == [1] * 6
    assert len(reads) == len(set(reads)) == 6


def test_event_cannot_be_put_off(caplog):
    """The others of its piece have heard it: it counts as failed."""

    def hear(self, event):
        raise ConsumeLater

    layer = make(hear)
    listener = join(layer)
    Listener.send_channel_event("listeners", note("x"), channel_layer=layer)
    assert listener.work() == 1
    assert f"Failed to process channel event for {listener.reply_channel}" in caplog.text
