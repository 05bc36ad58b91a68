"""HTTP without a network: messages as the interface makes them, and one request through each of Django's handlers.

An ``Exchange`` is what a client would see: status, header pairs, body. Three functions make one from the same
scope and body: through Django's ASGI handler, Django's WSGI handler, and ours.
"""

import asyncio
import io
from dataclasses import dataclass, field
from typing import Any

from asgiref.sync import async_to_sync
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from channels import formats
from channels.handler import AsgiHandler
from channels.layers.inmemory import ChannelLayer
from channels.message import Message

REPLY_CHANNEL = "http.response.test!client"


@dataclass(frozen=True)
class Exchange:
    """What a client gets for one request."""

    status: int
    headers: tuple[tuple[str, str], ...] = field(default=())
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """Return the last header ``name``, or None."""
        return next((value for key, value in reversed(self.headers) if key.lower() == name.lower()), None)

    def all(self, name: str) -> list[str]:
        """Return every header ``name`` in order."""
        return [value for key, value in self.headers if key.lower() == name.lower()]


def scope(path: str = "/", method: str = "GET", headers: Any = (), **more: Any) -> dict[str, Any]:
    """Return an ASGI-3 scope such as a server makes for one request."""
    given = {name.lower() for name, _ in headers}
    host = () if b"host" in given else ((b"host", b"testserver"),)
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [*host, *headers],
        "client": ("127.0.0.1", 4711),
        "server": ("testserver", 80),
        **more,
    }


def message(path: str = "/", method: str = "GET", body: bytes = b"", *, layer: Any = None, **more: Any) -> Message:
    """Return the message that the interface makes of a request."""
    body_channel = more.pop("body_channel", None)
    content = formats.http_request(
        scope(path, method, **more), reply_channel=REPLY_CHANNEL, body=body, body_channel=body_channel
    )
    return Message(content, "http.request", layer or ChannelLayer())


def collect(contents: Any) -> Exchange:
    """Return the response that message contents carry, after checking that they are well-formed and end once."""
    replies = [formats.read_http_reply(content) for content in contents]
    first, *others = replies
    assert first.status is not None
    assert all(reply.status is None for reply in others)
    assert [reply.more_content for reply in replies] == [True] * len(others) + [False]
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in first.headers)
    return Exchange(first.status, headers, b"".join(reply.content for reply in replies))


def through_channels(request: dict[str, Any], body: bytes = b"", handler: AsgiHandler | None = None) -> Exchange:
    """Return the response of our handler."""
    content = formats.http_request(request, reply_channel=REPLY_CHANNEL, body=body)
    return collect((handler or AsgiHandler())(Message(content, "http.request", ChannelLayer())))


def through_asgi(request: dict[str, Any], body: bytes = b"") -> Exchange:
    """Return the response of Django's ASGI handler."""
    events: list[Any] = []

    async def run() -> None:
        parts = iter([{"type": "http.request", "body": body}])
        never = asyncio.Event()

        async def receive() -> Any:
            for part in parts:
                return part
            await never.wait()

        async def send(event: Any) -> None:
            events.append(event)

        await ASGIHandler()(request, receive, send)

    async_to_sync(run)()
    headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in events[0]["headers"])
    return Exchange(events[0]["status"], headers, b"".join(event.get("body", b"") for event in events[1:]))


def _environ(request: dict[str, Any], body: bytes) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": request["method"],
        "SCRIPT_NAME": request["root_path"],
        "PATH_INFO": request["path"].removeprefix(request["root_path"]).encode().decode("latin-1"),
        "QUERY_STRING": request["query_string"].decode("latin-1"),
        "SERVER_NAME": request["server"][0],
        "SERVER_PORT": str(request["server"][1]),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": request["client"][0],
        "wsgi.url_scheme": request["scheme"],
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
    }
    for name, value in request["headers"]:
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        separator = "; " if key == "HTTP_COOKIE" else ","
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]}{separator}{text}" if key in environ else text
    return environ


def through_wsgi(request: dict[str, Any], body: bytes = b"") -> Exchange:
    """Return the response of Django's WSGI handler."""
    started: list[Any] = []

    def start_response(status: str, headers: list[tuple[str, str]]) -> None:
        started.append((int(status.split()[0]), tuple(headers)))

    response = WSGIHandler()(_environ(request, body), start_response)
    try:
        content = b"".join(response)
    finally:
        response.close()
    status, headers = started[0]
    # Django before 6.1 leaves a space before cookies, which servers take away.
    return Exchange(status, tuple((name, value.strip()) for name, value in headers), content)
