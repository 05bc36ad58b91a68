"""WebsocketSession: the project's ASGI application with a client before it and a worker behind it, without sockets."""

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote

from django.core.serializers.json import DjangoJSONEncoder
from django.utils.encoding import iri_to_uri

from channels.asgi import make_application
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
from channels.test.encoding import encode_cookies, encode_headers
from channels.test.stage import Stage, StageWorker
from channels.types import Event, Scope

TIMEOUT = 2.0
"""Seconds to wait for a frame before a test fails, unless it says otherwise."""

QUIET = 0.05
"""Seconds in which nothing happens that count as nothing being sent."""


class SocketRefused(AssertionError):
    """The handshake was refused.

    Attributes:
        status: HTTP status of the refusal.
        body: Its body.
    """

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(f"The handshake was refused with status {status}: {body!r:.200}")
        self.status = status
        self.body = body


class SocketClosed(AssertionError):
    """The application closed the socket.

    Attributes:
        code: The close code.
    """

    def __init__(self, code: int) -> None:
        super().__init__(f"The socket was closed with code {code}")
        self.code = code


class WebsocketSession:
    """A WebSocket between the test and an ASGI application; use it in a ``with`` block, which connects.

    Args:
        path: The path, with a query string if you like.
        application: An ASGI-3 application on the layer ``alias``; None is the one that this package makes.
        headers: Headers by name, or pairs.
        cookies: Cookies by name; those of Django's test client carry its login.
        subprotocols: What the client offers.
        alias: The layer whose consumers are run.
        raise_errors: Raise what a consumer raises, in the test.

    Attributes:
        subprotocol: What the application chose, or None.

    Raises:
        SocketRefused: The handshake was refused.
        ValueError: The application uses another layer.
    """

    def __init__(
        self,
        path: str = "/",
        *,
        application: Any = None,
        headers: Mapping[str, Any] | Iterable[tuple[Any, Any]] = (),
        cookies: Mapping[str, Any] | None = None,
        subprotocols: Iterable[str] = (),
        alias: str = DEFAULT_CHANNEL_LAYER,
        raise_errors: bool = True,
    ) -> None:
        self._scope = _make_scope(path, headers, cookies, subprotocols)
        self._alias = alias
        self._application = application
        self._raise_errors = raise_errors
        self._is_open = False
        self._closed: SocketClosed | None = None
        self.subprotocol: str | None = None

    def __enter__(self) -> "WebsocketSession":
        layer = channel_layers[self._alias]
        if self._application is None:
            self._application = make_application(self._alias)
        elif getattr(self._application, "layer", layer.channel_layer) is not layer.channel_layer:
            raise ValueError(
                "The application was made with another layer than the one in use now: test cases put a new one in "
                "place for each test. Leave the application out, or make it inside the test with "
                "channels.asgi.get_asgi_application()."
            )
        self._stage = Stage.enter(self._application)
        self._worker = StageWorker(layer, self._stage.loop)
        self._events: deque[Event] = deque()
        self._frames: asyncio.Queue[Event] = asyncio.Queue()
        self._frames.put_nowait({"type": "websocket.connect"})
        self._task = self._stage.loop.create_task(self._application(self._scope, self._frames.get, self._take))
        self._task.add_done_callback(lambda task: self._worker.woken.set())
        try:
            self._shake_hands()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *exc_info: object) -> None:
        try:
            self.close()
            self._run_until(self._task.done, TIMEOUT)
            # The consumer of the disconnect, and what it leads to.
            self._run_until(lambda: False, QUIET)
        finally:
            self._end()

    def _end(self) -> None:
        """Let nothing of the application stay behind in this process."""
        try:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                self._stage.loop.run_until_complete(self._task)
        finally:
            self._stage.leave(self._application)

    def _shake_hands(self) -> None:
        event = self._next_event(TIMEOUT)
        if event["type"] == "websocket.accept":
            self._is_open = True
            self.subprotocol = event.get("subprotocol")
            return
        if event["type"] == "websocket.close":
            raise SocketRefused(403, b"")
        status, body, has_more = event["status"], b"", True
        while has_more:
            event = self._next_event(TIMEOUT)
            body += event.get("body", b"")
            has_more = event.get("more_body", False)
        raise SocketRefused(status, body)

    # What a client does

    def send(self, text: str | None = None, bytes: bytes | None = None) -> None:
        """Send a frame. Its consumer runs when the test waits for one, or leaves the block."""
        self._frames.put_nowait({"type": "websocket.receive", **({"bytes": bytes} if text is None else {"text": text})})

    def send_json(self, content: Any) -> None:
        """Send ``content`` as a frame of JSON."""
        self.send(json.dumps(content, cls=DjangoJSONEncoder))

    def receive(self, timeout: float = TIMEOUT) -> Any:
        """Wait for a frame and return its text or bytes.

        Args:
            timeout: Seconds to wait, counted from the last message that was consumed.

        Raises:
            AssertionError: None came in time.
            SocketClosed: The application closed the socket.
        """
        event = self._next_event(timeout)
        text = event.get("text")
        return event["bytes"] if text is None else text

    def receive_json(self, timeout: float = TIMEOUT) -> Any:
        """``receive``, read as JSON."""
        return json.loads(self.receive(timeout))

    def receive_nothing(self, seconds: float = QUIET) -> bool:
        """Run all consumers and return whether no frame came; ``seconds`` is how long it must be quiet."""
        self._run_until(lambda: bool(self._events), seconds)
        return not self._events

    def receive_close(self, timeout: float = TIMEOUT) -> int:
        """Wait until the application closes the socket, and return the close code.

        Raises:
            AssertionError: It sent a frame, or nothing in time.
        """
        try:
            frame = self.receive(timeout)
        except SocketClosed as closed:
            return closed.code
        raise AssertionError(f"The application sent {frame!r:.200} instead of closing the socket")

    def close(self, code: int = 1000) -> None:
        """Close the socket as a client does. Its consumer runs when the test waits, or leaves the block."""
        self._frames.put_nowait({"type": "websocket.disconnect", "code": code})

    # What the application does

    async def _take(self, event: Event) -> None:
        self._events.append(event)
        self._worker.woken.set()

    def _next_event(self, timeout: float) -> Event:
        if self._closed is not None:
            raise self._closed
        self._run_until(lambda: bool(self._events) or self._task.done(), timeout)
        if not self._events:
            if self._task.done():
                self._task.result()
            raise AssertionError(f"The application sent nothing within {timeout:g} seconds")
        event = self._events.popleft()
        if self._is_open and event["type"] == "websocket.close":
            self._closed = SocketClosed(event.get("code", 1000))
            raise self._closed
        return event

    def _run_until(self, is_done: Any, seconds: float) -> None:
        failures = self._worker.failures
        self._worker.run_until(lambda: is_done() or bool(failures and self._raise_errors), seconds)
        if failures and self._raise_errors:
            raise failures.pop(0)


def _make_scope(path: str, headers: Any, cookies: Mapping[str, Any] | None, subprotocols: Iterable[str]) -> Scope:
    """Return the scope that a server would make."""
    pairs = encode_headers(headers)
    if cookies:
        pairs.append([b"cookie", encode_cookies(cookies)])
    path, _, query = iri_to_uri(path).partition("?")  # As browsers spell addresses.
    return {
        "type": "websocket",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "ws",
        "path": unquote(path),
        "raw_path": path.encode("latin-1"),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [tuple(pair) for pair in pairs],
        "subprotocols": list(subprotocols),
        "client": ("127.0.0.1", 50000),
        "server": ("testserver", 80),
        "extensions": {"websocket.http.response": {}},
    }
