"""Bindings for one test, the layer they send on, and pages that listen."""

import json

import pytest
from django.db import connection

from channels import Group
from channels.binding import changes
from channels.binding.base import BindingMetaclass
from channels.binding.websockets import WebsocketBinding
from channels.registry import channel_layers
from tests.support.connection import make_layer


@pytest.fixture(autouse=True)
def declared(monkeypatch):
    """The bindings that the test declares; they end with it."""
    monkeypatch.setattr(BindingMetaclass, "binding_classes", [])
    yield BindingMetaclass.binding_classes
    for binding in BindingMetaclass.binding_classes:
        binding.unregister()
    assert not any(watcher.bindings for watcher in changes._watchers.values())


@pytest.fixture
def layer():
    """The default layer, in memory and empty."""
    layer = make_layer()
    old = channel_layers.set("default", layer)
    yield layer
    channel_layers.set("default", old)


class Listener:
    """A member of some groups."""

    def __init__(self, layer, name, groups):
        self.layer = layer
        self.channel = f"{name}?page"
        for group in groups:
            Group(group).add(self.channel)

    def frames(self):
        """Return the frames that came since the last look."""
        frames = []
        while True:
            channel, content = self.layer.receive([self.channel])
            if channel is None:
                return frames
            frames.append(json.loads(content["text"]))

    def payloads(self):
        """Return the payloads that came since the last look."""
        return [frame["payload"] for frame in self.frames()]

    def actions(self):
        """Return what became of which row, as far as the page was told since the last look."""
        return [(payload["action"], payload["pk"]) for payload in self.payloads()]


@pytest.fixture
def listen(layer):
    """Return a function that makes a member of groups; its name is that of the first one."""
    return lambda *groups: Listener(layer, groups[0], groups)


def by_box(cls, instance):
    """Groups of a card: its box, and everybody who sees all cards."""
    return ["all"] + ([f"box-{instance.box_id}"] if instance.box_id else [])


@pytest.fixture
def bind():
    """Return a function that declares a binding."""

    def declare(model, base=WebsocketBinding, group_names=by_box, **body):
        body = {"model": model, "stream": "cards", "group_names": classmethod(group_names), **body}
        if "exclude" not in body:
            body.setdefault("fields", ["title", "box"])
        return type(base)("Bound", (base,), body)

    return declare


def is_postgres():
    """Return whether the suite runs on PostgreSQL."""
    return connection.vendor == "postgresql"
