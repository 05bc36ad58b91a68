"""Messages of any content on the channels that workers consume: none ends a worker or shows in a traceback."""

import itertools
import threading
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels import counters, route, route_class
from channels.generic.websockets import JsonWebsocketConsumer, WebsocketConsumer, WebsocketDemultiplexer
from channels.layers.redis import RedisChannelLayer
from channels.registry import ChannelLayerWrapper
from channels.security.websockets import allowed_hosts_only
from channels.sessions import channel_session, enforce_ordering
from channels.typed import PingMessage, PongMessage, TypedConsumer, ws_handler
from channels.worker import Worker
from tests.abuse.strategies import CONTENTS, VALUES, entry_of, fuzz
from tests.support.loudness import Log
from tests.support.redis import RedisServer

PATHS = ["/all/", "/json/", "/streams/", "/typed/", "/ordered/", "/origins/", "/page/", "/nowhere/"]
CHANNELS = ["http.request", "websocket.connect", "websocket.receive", "websocket.disconnect", "typed.event"]
SECONDS = 30

seen: list[str] = []


class Everything(WebsocketConsumer):
    """Asks for all that a message can lead to."""

    http_user_and_session = True
    strict_ordering = True
    groups = ("g",)

    def receive(self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any) -> None:
        assert not self.message.user.is_authenticated


class Streams(WebsocketDemultiplexer):
    """One stream."""

    consumers: ClassVar[Any] = {"all": Everything, "json": JsonWebsocketConsumer}


class Typed(TypedConsumer):
    """Answers pings."""

    authentication_classes: ClassVar[Any] = []
    permission_classes: ClassVar[Any] = []

    @ws_handler
    def ping(self, message: PingMessage) -> PongMessage:
        """Answer a ping."""
        return PongMessage()


@enforce_ordering
@channel_session
def ordered(message: Any) -> None:
    """Take a turn."""


@allowed_hosts_only
def origins(message: Any) -> None:
    """Look at the origin."""


def good(message: Any) -> None:
    """Note that a message of ours was served."""
    seen.append(message.channel.name)


ROUTING = [
    route(CHANNELS, good, path="^/good/$"),
    route_class(Everything, path="^/all/"),
    route_class(JsonWebsocketConsumer, path="^/json/"),
    route_class(Streams, path="^/streams/"),
    route_class(Typed, path="^/typed/"),
    route(["websocket.connect", "websocket.receive", "websocket.disconnect"], ordered, path="^/ordered/"),
    route(["websocket.connect"], origins, path="^/origins/"),
]


@pytest.fixture
def layer(redis_server: RedisServer) -> Iterator[ChannelLayerWrapper]:
    """A layer with these consumers, and those that every project has."""
    layer = ChannelLayerWrapper(RedisChannelLayer(hosts=[redis_server.url]), "default", ROUTING)
    layer.router.check_default()
    yield layer
    layer.close()


def work_off(layer: ChannelLayerWrapper, entries: dict[str, list[bytes]]) -> None:
    """Have one worker take ``entries``, and a message of ours behind them on each channel."""
    client = layer.connection(0)
    for channel in CHANNELS:
        if entries.get(channel):
            client.rpush(f"asgi:{channel}", *entries[channel])
        layer.send(channel, {"path": "/good/", "reply_channel": "good!x"})
    seen.clear()
    worker = Worker(layer, signal_handlers=False)
    layer.group_add("g", "good!x")

    def stop_when_served() -> None:
        if len(seen) == len(CHANNELS):
            worker.stop()

    worker.after_message = stop_when_served
    late = threading.Timer(SECONDS, worker.stop)
    late.start()
    worker.run()
    late.cancel()
    assert sorted(seen) == sorted(CHANNELS)


numbers = itertools.count()

SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "reply_channel": st.just("websocket.send.hostile!x") | VALUES,
        "path": st.sampled_from(PATHS) | VALUES,
        "order": st.integers(-1, 2) | VALUES,
        "text": VALUES,
        "bytes": VALUES,
        "headers": st.lists(st.tuples(VALUES, VALUES), max_size=2) | VALUES,
        "query_string": VALUES,
        "cookies": VALUES,
        "get": VALUES,
        "method": VALUES,
        "body": VALUES,
        "scheme": VALUES,
        "client": VALUES,
        "server": VALUES,
        "root_path": VALUES,
        "http_version": VALUES,
        "subprotocols": VALUES,
        "code": VALUES,
        "event": VALUES,
        "members": VALUES,
        "response_window": VALUES,
        "__retries__": VALUES,
        "__probe__": VALUES | st.fixed_dictionaries({"reply": VALUES, "number": VALUES}),
        "__deliveries__": VALUES,
    },
)


@pytest.mark.django_db
def test_any_message_leaves_the_worker_serving(layer: ChannelLayerWrapper, settings: Any, log: Log) -> None:
    """Whatever is wrong with it is said in one line, and counted; messages of ours behind it run."""
    settings.CHANNELS_RECEIVE_TIMEOUT = 0.05
    settings.ROOT_URLCONF = "tests.handler.any_urls"
    entries = st.lists((CONTENTS | SHAPED).map(entry_of), max_size=3)

    @fuzz(80)
    @given(st.dictionaries(st.sampled_from(CHANNELS), entries, min_size=1))
    def check(found: dict[str, list[bytes]]) -> None:
        log.clear()
        work_off(layer, found)
        assert log.tracebacks == []

    check()
    assert counters.value("message.dropped.malformed")
