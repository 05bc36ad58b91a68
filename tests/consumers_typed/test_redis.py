"""Typed consumers on Redis: members on several interface processes, and events to very many."""

import pytest

from channels import counters
from channels.interface.replies import ReplyRouter
from channels.layers.redis import RedisChannelLayer
from channels.message import Message
from channels.names import make_reply_channel, make_reply_prefix
from channels.registry import ChannelLayerWrapper
from channels.session_stores import session_for_reply_channel
from channels.typed import events
from channels.typed.context import KEY
from channels.typed.groups import address
from tests.consumers_typed.conftest import ROUTES
from tests.consumers_typed.rooms import Decorated, NotifyEvent


class Socket:
    """A connection as the interface knows it; keeps what it hears."""

    def __init__(self, channel, identity):
        self.channel, self.identity, self.heard = channel, identity, []

    def deliver(self, reply, via_group):
        own = reply.seen_by(self.channel, self.identity)
        self.heard.append(None if own is None else own.frames[0].event["text"])


def test_one_send_reaches_members_of_several_processes(redis_server):
    """Each process gets one message and gives every socket its own part."""
    layer = RedisChannelLayer(hosts=[redis_server.url])
    processes = [ReplyRouter(layer), ReplyRouter(layer)]
    sockets = {}
    for router in processes:
        for identity in ("1", "1", "2", None):
            socket = Socket(router.new_channel("websocket.send"), identity)
            router._connections[socket.channel] = socket
            layer.group_add("room", socket.channel)
            sockets[socket.channel] = socket
    sender = next(iter(sockets))
    layer.send_group("room", address("theirs", "mine", "current", channel=sender, identity="1"))
    for router in processes:
        deliveries = layer.receive_batch(list(router._prefixes.values()), 10, 5.0)
        assert len(deliveries) == 1
        router._hand_over(deliveries[0])
    expected = {channel: "mine" if socket.identity == "1" else "theirs" for channel, socket in sockets.items()}
    assert {channel: socket.heard for channel, socket in sockets.items()} == {
        channel: [text] for channel, text in {**expected, sender: "current"}.items()
    }
    layer.close()


@pytest.mark.slow
def test_event_to_very_many_runs_in_pieces(redis_server, db, settings):
    """Ten thousand members: few messages, each small; every member is told, but for the one that has no route."""
    settings.CHANNEL_SESSION_ENGINE = "django.contrib.sessions.backends.cache"
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": "typed-events",
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
    }
    settings.CHANNELS_TYPED = {"LOG_SENT_MESSAGE": False}
    layer = RedisChannelLayer(hosts=[redis_server.url], channel_capacity={"websocket.send.*": 100_000})
    wrapper = ChannelLayerWrapper(layer, "default", ROUTES)
    prefix = make_reply_prefix("websocket.send")
    members = [make_reply_channel(prefix) for _ in range(10_000)]
    for member in members:
        layer.group_add("crowd", member)
        session = session_for_reply_channel(member)
        session[KEY] = {"user": None, "object": None, "path": "/decorated/"}
        session.save()
    broken = session_for_reply_channel(members[17])
    broken[KEY] = {**broken[KEY], "path": "/nowhere/"}
    broken.save()
    unrouted = counters.value("message.dropped.no_route")
    note = NotifyEvent(payload=NotifyEvent.Payload(content="x"))
    Decorated.send_channel_event("crowd", note, channel_layer=wrapper)
    taken = []
    while deliveries := layer.receive_batch([events.CHANNEL], 1, 0.2):
        taken.append(len(deliveries[0].content[events.MEMBERS]))
        message = Message(deliveries[0].content, events.CHANNEL, wrapper)
        Decorated(message)
    told = set()
    while deliveries := layer.receive_batch([prefix], 500, 0):
        told.update(channel for delivery in deliveries for channel in delivery.channels)
    assert told == set(members) - {members[17]}
    assert counters.value("message.dropped.no_route") == unrouted + 1
    assert max(taken) <= 10_000 // events.PIECES
    assert 100 <= len(taken) <= 200
    layer.close()
