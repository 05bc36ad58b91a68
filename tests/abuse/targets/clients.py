"""What clients send, from the event of a server to the message, its consumer, and the events of the answer."""

from collections.abc import Iterator
from typing import Any

from django.http import parse_cookie
from django.test import override_settings
from hypothesis import strategies as st

from channels import dispatch, incoming, names, route_class
from channels.exceptions import UnusableMessage
from channels.generic.websockets import WebsocketConsumer
from channels.handler import AsgiHandler
from channels.interface.effects import ToLayer
from channels.interface.http import HttpBridge
from channels.interface.limits import Limits
from channels.interface.websocket import WebsocketBridge
from channels.layers import encoding
from channels.message import Message
from channels.security.websockets import AllowedHostsOnlyOriginValidator, allowed_hosts_only
from channels.session_keys import read_http_session
from tests.abuse.strategies import BODY_EVENTS, SCOPES, SOCKET_EVENTS
from tests.abuse.target import Check, raw_target, target
from tests.abuse.targets.events import check_response, check_socket, to_client
from tests.support.connection import make_layer
from tests.support.http import collect, message

PAGES = override_settings(ROOT_URLCONF="tests.abuse.targets.pages")

LIMITS = Limits(max_body_bytes=100, body_part_bytes=10, max_frame_bytes=20)

REPLY_CHANNEL = "websocket.send.x!y"

END = {"type": "http.request", "body": b"", "more_body": False}


def _check_message(effect: ToLayer) -> None:
    """Assert that a layer takes the message, and hands a consumer what went in; replies lead back to its client."""
    channel, content = effect
    assert content.get("reply_channel", REPLY_CHANNEL) == REPLY_CHANNEL
    names.require_channel_name(channel)
    packed = encoding.encode(content)
    assert encoding.encode(encoding.decode(packed)) == packed
    assert incoming.find_problem(channel, content) is None


@target(st.tuples(SCOPES, st.lists(BODY_EVENTS, max_size=4)))
def http_requests() -> Iterator[Check]:
    """HTTP scopes and events: paths, query strings, headers and bodies, through the interface and Django."""

    def check(value: Any) -> None:
        scope, events = value
        layer = make_layer()
        made = {"type": "http", "method": "GET", "path": "/", **scope}
        bridge = HttpBridge(made, REPLY_CHANNEL, LIMITS, layer.new_channel)
        effects = [*bridge.opened()]
        for event in [*events, END]:
            effects += bridge.client(event)
        for effect in effects:
            if isinstance(effect, ToLayer):
                _check_message(effect)
                layer.send(*effect)
        _, content = layer.receive(["http.request"])
        for reply in handler(Message(content, "http.request", layer)) if content else ():
            effects += bridge.reply(reply)
        check_response(to_client(effects))

    with PAGES:
        handler = AsgiHandler()
        yield check


class Everything(WebsocketConsumer):
    """Wants to know who is there and where from."""

    http_user_and_session = True

    @allowed_hosts_only
    def raw_connect(self, message: Message, **kwargs: Any) -> None:
        """Let in pages of this site."""
        super().raw_connect(message, **kwargs)

    def receive(self, text: str | None = None, bytes: bytes | None = None, **kwargs: Any) -> None:
        """Say it again."""
        self.send(text=text, bytes=bytes)


@target(st.tuples(SCOPES, st.lists(SOCKET_EVENTS, max_size=4)))
def websockets() -> Iterator[Check]:
    """WebSocket scopes and events: handshakes and frames, through the interface and a consumer."""

    def check(value: Any) -> None:
        scope, events = value
        layer = make_layer([route_class(Everything)])
        bridge = WebsocketBridge({"path": "/", **scope}, REPLY_CHANNEL, LIMITS)
        effects = [*bridge.opened()]
        done = 0
        for event in [None, *events, {"type": "websocket.disconnect"}]:
            effects += bridge.client(event) if event else ()
            while done < len(effects):
                effect = effects[done]
                done += 1
                if isinstance(effect, ToLayer):
                    _check_message(effect)
                    effects += bridge.sent(effect)
                    dispatch.dispatch(layer, *effect, sender=Everything)
                    for delivery in layer.receive_batch(["websocket.send.x!"], 10):
                        effects += bridge.reply(delivery.content)
        check_socket(to_client(effects))
        assert bridge.finished
        # Nothing that a client sends makes a consumer speak to somebody else.
        assert not any(layer.channel_statistics(name)["messages_pending"] for name in layer.inspection.channels())

    yield check


FORM = b"multipart/form-data; boundary=b\n--b\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--b--\r\n"

UPLOAD = (
    b"multipart/form-data; boundary=b\n--b\r\n"
    b"Content-Disposition: form-data; name=a; filename*=UTF-8''%e2%82%ac.txt\r\n"
    b"Content-Type: text/plain; charset=x\r\nContent-Transfer-Encoding: base64\r\n\r\neHg=\r\n--b--\r\n"
)


@raw_target(FORM, UPLOAD, b"application/x-www-form-urlencoded\na=1&b=%ff&a[]=2", b"application/json\n{}")
def forms() -> Iterator[Check]:
    """Bodies of forms, multipart and others: a type, a line break, a body."""

    def check(data: bytes) -> None:
        kind, _, body = data.partition(b"\n")
        request = message("/", "POST", body, headers=[(b"content-type", kind)])
        assert collect(handler(request)).status in (200, 400, 413)

    with PAGES:
        handler = AsgiHandler()
        yield check


@raw_target(
    b"sessionid=" + b"a" * 32,
    b'a="\\073b"; csrftoken=x; sessionid=chn\n' + b"session_key=" + b"b" * 32,
    b"messages=x:y:z; sessionid\nsession_key=%00&session_key[]=1;",
)
def cookies() -> Iterator[Check]:
    """Cookies and session keys, of requests and handshakes: a header, a line break, a query string."""

    def check(data: bytes) -> None:
        cookie, _, query = data.partition(b"\n")
        about = {"headers": [(b"cookie", cookie)], "query_string": query}
        assert collect(handler(message(**about))).status in (200, 400)
        try:
            session = read_http_session(Message(dict(message(**about).content), "websocket.connect", make_layer()))
        except UnusableMessage:
            return
        assert session is None  # There are no sessions, so none may be found, and none made.
        parse_cookie(cookie.decode("latin-1"))

    with PAGES:
        handler = AsgiHandler()
        yield check


@raw_target(
    b"http://localhost", b"https://testserver:8443", b"http://evil.example@localhost", b"null", b"http://[::1]:80"
)
def origins() -> Iterator[Check]:
    """Origins of handshakes: whatever is let in names a host of the site where a host stands."""

    def check(data: bytes) -> None:
        content = {"path": "/", "headers": [(b"origin", data)]}
        origin = validator.get_origin(Message(content, "websocket.connect", make_layer()))
        if origin is not None and validator.validate_origin(None, origin):  # type: ignore[arg-type]
            authority = origin.partition("//")[2].translate(dict.fromkeys(map(ord, "/?#"), "/")).partition("/")[0]
            host = authority.rpartition("@")[2].partition(":")[0].lower()
            assert host in ("localhost", "127.0.0.1", "testserver")

    validator = AllowedHostsOnlyOriginValidator(lambda message: None)
    yield check


@raw_target(b"/", b"/caf%C3%A9/?x", b"/%ff", b"//../%00", b"/a%0ab")
def paths() -> Iterator[Check]:
    """Paths as they are on the wire: the same text for Django as for consumers, or 400."""

    def check(data: bytes) -> None:
        scope = {"type": "http", "method": "GET", "path": data.decode(errors="replace"), "raw_path": data}
        bridge = HttpBridge(scope, REPLY_CHANNEL, LIMITS, make_layer().new_channel)
        effects = [*bridge.opened(), *bridge.client(END)]
        events = to_client(effects)
        if events:
            check_response(events)
            assert events[0]["status"] == 400
            return
        (effect,) = effects
        assert isinstance(effect, ToLayer)
        _check_message(effect)
        answer = collect(handler(Message(effect.content, "http.request", make_layer())))
        assert answer.status in (200, 400, 404)  # Where there is no path, Django finds nothing.

    with PAGES:
        handler = AsgiHandler()
        yield check
