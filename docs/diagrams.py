"""Draws the diagrams of the design pages from the code: each is the record of a run, so that none can be out of date.

``traces`` follows a message through bridges, a layer and the dispatch of consumers; ``tables`` puts every row of the
bridges' tables to the test and notes what comes of it. ``write`` turns both into files that the pages include.
"""

import logging
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from channels import Group, dispatch, route
from channels.interface.effects import ToClient, ToLayer
from channels.interface.http import _TABLE as HTTP_TABLE
from channels.interface.http import HttpBridge
from channels.interface.limits import Limits
from channels.interface.states import RequestInput, RequestState, SocketInput, SocketState
from channels.interface.websocket import _TABLE as SOCKET_TABLE
from channels.interface.websocket import WebsocketBridge
from channels.layers.base import Outgoing
from channels.layers.inmemory import ChannelLayer
from channels.names import make_reply_channel, make_reply_prefix
from channels.registry import ChannelLayerWrapper

SOCKET_SCOPE = {"type": "websocket", "path": "/chat/", "headers": [], "extensions": {"websocket.http.response": {}}}
HTTP_SCOPE = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b"", "http_version": "1.1"}
LIMITS = Limits(body_part_bytes=4, max_body_bytes=16, max_frame_bytes=4)


class Arrow(NamedTuple):
    """One step of a run: who hands what to whom."""

    source: str
    target: str
    text: str


# Effects and contents in words


def in_words(effect: Any) -> str:
    """Return what a bridge asks for, as tables and diagrams say it."""
    if isinstance(effect, ToLayer):
        return _with_facts(effect.channel.split("?")[0], effect.content, ("order", "code", "text", "closed"))
    event = dict(effect.event)
    return _with_facts(event.pop("type"), event, ("text", "code", "status", "more_body"))


def _with_facts(name: str, content: dict[str, Any], keys: Sequence[str]) -> str:
    facts = [f"{key} {content[key]!r}" for key in keys if _says_something(content.get(key))]
    return f"{name} ({', '.join(facts)})" if facts else name


def _says_something(value: Any) -> bool:
    return value is not None and value is not False and value != ""


def content_in_words(content: dict[str, Any]) -> str:
    """Return a reply as its sender wrote it."""
    return ", ".join(f"{key}: {value!r}" for key, value in content.items() if value not in (None, b"", []))


@contextmanager
def quiet() -> Iterator[None]:
    """Keep what the bridges have to say about refusals out of the output of the build."""
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)


# Runs


class Stage:
    """Sockets, a layer and a worker in one thread; whatever passes between them is noted."""

    BROWSER, INTERFACE, LAYER, WORKER = "browser", "interface", "layer", "worker"

    def __init__(self, routing: Sequence[Any]) -> None:
        self.arrows: list[Arrow] = []
        self.layer = ChannelLayerWrapper(_Noting(self), "default", list(routing))
        self.prefix = make_reply_prefix("websocket.send")
        self.bridges: dict[str, tuple[str, Any]] = {}

    def note(self, source: str, target: str, text: str) -> None:
        """Note a step."""
        self.arrows.append(Arrow(source, target, text))

    def socket(self, browser: str = BROWSER) -> WebsocketBridge:
        """Return the bridge of a new socket."""
        channel = make_reply_channel(self.prefix)
        bridge = WebsocketBridge(dict(SOCKET_SCOPE), channel, LIMITS)
        self.bridges[channel] = (browser, bridge)
        return bridge

    def request(self) -> HttpBridge:
        """Return the bridge of a new request."""
        channel = make_reply_channel(self.prefix)
        bridge = HttpBridge(dict(HTTP_SCOPE), channel, Limits(), ChannelLayer().new_channel)
        self.bridges[channel] = (self.BROWSER, bridge)
        return bridge

    def happens(self, bridge: Any, text: str, effects: Any) -> None:
        """Something came from the client of ``bridge`` and led to ``effects``: go on until nothing moves."""
        browser, _ = self.bridges[bridge.reply_channel]
        self.note(browser, self.INTERFACE, text)
        self._carry_out(browser, bridge, effects)
        while self._work() or self._deliver():
            pass

    def _carry_out(self, browser: str, bridge: Any, effects: Any) -> None:
        for effect in effects:
            if isinstance(effect, ToLayer):
                self.note(self.INTERFACE, self.LAYER, in_words(effect))
                self.layer.channel_layer.take(effect.channel, effect.content)
                self._carry_out(browser, bridge, bridge.sent(effect))
            else:
                self.note(self.INTERFACE, browser, in_words(effect))

    def _work(self) -> bool:
        channel, content = self.layer.channel_layer.receive(sorted(self.layer.router.channels))
        if channel is None:
            return False
        self.note(self.LAYER, self.WORKER, channel)
        dispatch.dispatch(self.layer, channel, content, sender=Stage)
        return True

    def _deliver(self) -> bool:
        deliveries = self.layer.channel_layer.receive_batch([self.prefix], 1)
        for delivery in deliveries:
            self.note(self.LAYER, self.INTERFACE, _receivers(delivery))
            for channel in delivery.channels:
                browser, bridge = self.bridges[channel]
                self._carry_out(browser, bridge, bridge.reply(delivery.content, delivery.via_group))
        return bool(deliveries)


def _receivers(delivery: Any) -> str:
    return "a reply" if len(delivery.channels) == 1 else f"a reply for {len(delivery.channels)} sockets"


class _Noting(ChannelLayer):
    """The layer in memory; what consumers ask of it is noted."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self._stage = stage

    def take(self, channel: str, content: dict[str, Any]) -> None:
        """Take a message of an interface, which the stage has noted."""
        super().send_batch([Outgoing(channel, content)])

    def send_batch(self, batch: Sequence[Any]) -> list[Exception | None]:
        for each in batch:
            kind = "group" if each.to_group else "reply"
            self._stage.note(Stage.WORKER, Stage.LAYER, f"{kind}: {content_in_words(each.content)}")
        return super().send_batch(batch)

    def group_add(self, group: str, channel: str) -> None:
        self._stage.note(Stage.WORKER, Stage.LAYER, f"add to group {group}")
        super().group_add(group, channel)

    def group_discard(self, group: str, channel: str) -> None:
        self._stage.note(Stage.WORKER, Stage.LAYER, f"discard from group {group}")
        super().group_discard(group, channel)


def websocket_trace() -> list[Arrow]:
    """Return the life of one socket with an echo behind it."""

    def connect(message: Any) -> None:
        message.reply_channel.send({"accept": True})

    def receive(message: Any) -> None:
        message.reply_channel.send({"text": message["text"].upper()})

    def disconnect(message: Any) -> None:
        pass

    consumers = {"connect": connect, "receive": receive, "disconnect": disconnect}
    stage = Stage([route(f"websocket.{name}", consumer) for name, consumer in consumers.items()])
    bridge = stage.socket()
    stage.happens(bridge, "handshake", bridge.opened())
    stage.happens(bridge, "frame 'hi'", bridge.client({"type": "websocket.receive", "text": "hi"}))
    stage.happens(bridge, "close 1001", bridge.client({"type": "websocket.disconnect", "code": 1001}))
    return stage.arrows


def http_trace() -> list[Arrow]:
    """Return a request that a consumer answers in two parts."""

    def answer(message: Any) -> None:
        message.reply_channel.send({"status": 200, "content": b"one", "more_content": True})
        message.reply_channel.send({"content": b"two"})

    def disconnect(message: Any) -> None:
        pass

    stage = Stage([route("http.request", answer), route("http.disconnect", disconnect)])
    bridge = stage.request()
    bridge.opened()
    stage.happens(bridge, "GET /", bridge.client({"type": "http.request", "body": b"", "more_body": False}))
    return stage.arrows


def group_trace() -> list[Arrow]:
    """Return a message to a group with two sockets of one interface process."""

    def connect(message: Any) -> None:
        message.reply_channel.send({"accept": True})
        Group("chat", channel_layer=message.channel_layer).add(message.reply_channel)

    def receive(message: Any) -> None:
        Group("chat", channel_layer=message.channel_layer).send({"text": message["text"]})

    stage = Stage([route("websocket.connect", connect), route("websocket.receive", receive)])
    anna, ben = stage.socket("anna"), stage.socket("ben")
    for bridge in (anna, ben):
        stage.happens(bridge, "handshake", bridge.opened())
    stage.happens(anna, "frame 'hi'", anna.client({"type": "websocket.receive", "text": "hi"}))
    return stage.arrows


# Every row of the tables


def _socket_in(state: SocketState, what: SocketInput) -> tuple[WebsocketBridge, Any]:
    """Return a bridge in ``state``, and the message that is on its way if ``what`` is about one."""
    bridge = WebsocketBridge(dict(SOCKET_SCOPE), make_reply_channel(make_reply_prefix("websocket.send")), LIMITS)
    if what is SocketInput.OPENED:
        return bridge, None
    (flying,) = bridge.opened()
    if state is SocketState.CONNECTING and what is SocketInput.REFUSED:
        return bridge, flying
    bridge.sent(flying)
    if state is SocketState.OPEN:
        bridge.reply({"accept": True})
        if what is SocketInput.REFUSED:
            (flying,) = bridge.client({"type": "websocket.receive", "text": "hi"})
    return bridge, flying


_SOCKET_INPUTS: dict[SocketInput, Callable[[WebsocketBridge, Any], Any]] = {
    SocketInput.OPENED: lambda bridge, _: bridge.opened(),
    SocketInput.FRAME: lambda bridge, _: bridge.client({"type": "websocket.receive", "text": "hi"}),
    SocketInput.GONE: lambda bridge, _: bridge.client({"type": "websocket.disconnect", "code": 1001}),
    SocketInput.ACCEPT: lambda bridge, _: bridge.reply({"accept": True}),
    SocketInput.REFUSE: lambda bridge, _: bridge.reply({"accept": False}),
    SocketInput.UNDECIDED: lambda bridge, _: bridge.reply({"text": ""}),
    SocketInput.GROUP: lambda bridge, _: bridge.reply({"text": "hi"}, via_group=True),
    SocketInput.DATA: lambda bridge, _: bridge.reply({"text": "hi"}),
    SocketInput.CLOSE: lambda bridge, _: bridge.reply({"close": 4001}),
    SocketInput.REFUSED: lambda bridge, flying: bridge.refused(flying),
    SocketInput.EXPIRED: lambda bridge, _: bridge.expired(),
    SocketInput.OVERSIZED: lambda bridge, _: bridge.client({"type": "websocket.receive", "text": "too long"}),
    SocketInput.OVERRUN: lambda bridge, _: bridge.overrun(),
    SocketInput.DISMISSED: lambda bridge, _: bridge.dismissed("restart"),
}


def _request_in(state: RequestState, what: RequestInput) -> tuple[HttpBridge, Any]:
    channel = make_reply_channel(make_reply_prefix("http.response"))
    bridge = HttpBridge(dict(HTTP_SCOPE), channel, LIMITS, ChannelLayer().new_channel)
    bridge.opened()
    if state is RequestState.READING:
        return bridge, None
    is_open = what in (RequestInput.PART, RequestInput.END, RequestInput.TOO_LARGE, RequestInput.PART_REFUSED)
    effects = [*bridge.client({"type": "http.request", "body": b"12345" if is_open else b"", "more_body": is_open})]
    if what is not RequestInput.REFUSED:
        bridge.sent(effects[0])
    if what is RequestInput.PART_REFUSED:
        effects = [*bridge.client({"type": "http.request", "body": b"12345", "more_body": True})]
    if state is RequestState.ANSWERING:
        bridge.reply({"status": 200, "more_content": True})
    return bridge, effects[-1]


_REQUEST_INPUTS: dict[RequestInput, Callable[[HttpBridge, Any], Any]] = {
    RequestInput.PART: lambda bridge, _: bridge.client({"type": "http.request", "body": b"12345", "more_body": True}),
    RequestInput.END: lambda bridge, _: bridge.client({"type": "http.request", "body": b"", "more_body": False}),
    RequestInput.TOO_LARGE: lambda bridge, _: bridge.client(
        {"type": "http.request", "body": bytes(17), "more_body": True}
    ),
    RequestInput.GONE: lambda bridge, _: bridge.client({"type": "http.disconnect"}),
    RequestInput.START: lambda bridge, _: bridge.reply({"status": 200, "more_content": True}),
    RequestInput.WHOLE: lambda bridge, _: bridge.reply({"status": 200}),
    RequestInput.CHUNK: lambda bridge, _: bridge.reply({"content": b"x", "more_content": True}),
    RequestInput.LAST: lambda bridge, _: bridge.reply({"content": b"x"}),
    RequestInput.BROKEN: lambda bridge, _: bridge.reply({"closed": True}),
    RequestInput.MALFORMED: lambda bridge, _: bridge.reply({"status": "fine"}),
    RequestInput.REFUSED: lambda bridge, flying: bridge.refused(flying),
    RequestInput.PART_REFUSED: lambda bridge, flying: bridge.refused(flying),
    RequestInput.EXPIRED: lambda bridge, _: bridge.expired(),
}


class Row(NamedTuple):
    """What one input does to a connection in one state."""

    state: Any
    what: Any
    next: Any
    effects: list[Any]


def rows(table: Any, prepare: Any, inputs: Any) -> list[Row]:
    """Put each row of a table to the test.

    Raises:
        AssertionError: A bridge does not do what its table says.
    """
    found = []
    for (state, what), (_, following) in table.items():
        bridge, flying = prepare(state, what)
        assert bridge.state is state, (state, what, bridge.state)
        effects = [*inputs[what](bridge, flying)]
        assert bridge.state is following, (state, what, bridge.state)
        found.append(Row(state, what, following, effects))
    return found


def socket_rows() -> list[Row]:
    """Return the rows of WebSockets."""
    with quiet():
        return rows(SOCKET_TABLE, _socket_in, _SOCKET_INPUTS)


def request_rows() -> list[Row]:
    """Return the rows of requests."""
    with quiet():
        return rows(HTTP_TABLE, _request_in, _REQUEST_INPUTS)


# Files

WIDTH, STEP, TOP, MARGIN, CHARACTER = 170, 34, 54, 44, 7.3
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}" '
    'style="max-width: {width}px; width: 100%; font: 13px ui-monospace, monospace; color: inherit">\n'
    '<defs><marker id="{mark}" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="currentColor"/></marker></defs>\n'
)


def sequence_svg(arrows: Sequence[Arrow], label: str) -> str:
    """Return a drawing of a run, time downwards.

    Args:
        arrows: Its steps.
        label: What it shows, for those who cannot see it.
    """
    actors = list(dict.fromkeys(name for arrow in arrows for name in (arrow.source, arrow.target)))
    order = [*(name for name in actors if name not in (Stage.INTERFACE, Stage.LAYER, Stage.WORKER)), *_MIDDLE]
    gap = int(max([WIDTH, *(len(arrow.text) * CHARACTER + 40 for arrow in arrows if _is_near(arrow, order))]))
    place = {name: MARGIN + gap * number for number, name in enumerate(order)}
    height, width = TOP + STEP * len(arrows) + 10, 2 * MARGIN + gap * (len(order) - 1)
    mark = f"arrow-{zlib.crc32(label.encode())}"
    parts = [_HEAD.format(width=width, height=height, label=escape(label), mark=mark)]
    for name, x in place.items():
        parts.append(
            f'<text x="{x}" y="20" text-anchor="middle" font-weight="bold" fill="currentColor">{escape(name)}</text>'
            f'<line x1="{x}" y1="30" x2="{x}" y2="{height}" stroke="currentColor" opacity=".3"/>\n'
        )
    for number, arrow in enumerate(arrows):
        y = TOP + STEP * number
        x1, x2 = place[arrow.source], place[arrow.target]
        parts.append(
            f'<line x1="{x1}" y1="{y + 6}" x2="{x2}" y2="{y + 6}" stroke="currentColor" marker-end="url(#{mark})"/>'
            f'<text x="{(x1 + x2) / 2}" y="{y}" text-anchor="middle" fill="currentColor">{escape(arrow.text)}</text>\n'
        )
    return "".join([*parts, "</svg>\n"])


_MIDDLE = (Stage.INTERFACE, Stage.LAYER, Stage.WORKER)


def _is_near(arrow: Arrow, order: Sequence[str]) -> bool:
    return abs(order.index(arrow.source) - order.index(arrow.target)) == 1


def table_page(found: Sequence[Row]) -> str:
    """Return rows as a table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", "   :widths: 14 30 42 14", ""]
    lines += ["   * - State", "     - What happens", "     - What comes of it", "     - Next", ""]
    for row in found:
        client = [f"client: ``{in_words(effect)}``" for effect in row.effects if isinstance(effect, ToClient)]
        layer = [f"layer: ``{in_words(effect)}``" for effect in row.effects if isinstance(effect, ToLayer)]
        lines += [
            f"   * - {row.state.name}",
            f"     - {row.what.value}",
            f"     - {'; '.join([*client, *layer]) or 'nothing'}",
            f"     - {row.next.name if row.next is not row.state else ''}",
        ]
    return "\n".join(lines) + "\n"


def pages() -> dict[str, str]:
    """Return every file that the design pages include, by its name."""
    return {
        "websocket.svg": sequence_svg(websocket_trace(), "The life of a WebSocket, from its handshake to its end"),
        "http.svg": sequence_svg(http_trace(), "A request that is answered in two parts"),
        "group.svg": sequence_svg(group_trace(), "A message to a group of two sockets"),
        "websocket-table.rst": table_page(socket_rows()),
        "http-table.rst": table_page(request_rows()),
    }


def write(directory: Path) -> None:
    """Write them."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (directory / name).write_text(text, encoding="utf-8")
