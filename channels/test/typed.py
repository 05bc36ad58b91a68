"""Tools for tests of typed consumers: sockets that speak messages, in the process of the test or to a live server.

They read what any client reads; what consumers do with it is not their business. Needs the extra ``typed``.
"""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from unittest import mock

from django.conf import settings
from django.test import override_settings

from channels.test.base import ChannelTestCase
from channels.test.session import SocketClosed, SocketRefused, WebsocketSession
from channels.typed import ACTION_COMPLETE, GROUP_ACTION_COMPLETE, BaseChannelEvent, BaseMessage, TypedConsumer
from channels.typed.cases import decamelize
from channels.typed.messages import AuthenticationMessage
from channels.typed.wire import Spelling

__all__ = [
    "CapturedEvent",
    "LiveTypedSocket",
    "TypedSession",
    "TypedTestCase",
    "capture_channel_events",
    "override_typed_settings",
]

TIMEOUT = 5.0
"""Seconds to wait for a message before a test fails, unless it says otherwise."""


class TypedMessages:
    """What both kinds of sockets can do; they bring ``send`` and ``receive``."""

    if TYPE_CHECKING:

        def send(self, text: str | None = None, bytes: bytes | None = None) -> None: ...

        def receive(self, timeout: float = TIMEOUT) -> Any: ...

    def send_message(self, message: BaseMessage) -> None:
        """Send ``message`` as a client of the project would spell it."""
        self.send(Spelling.of_project().encode_content(message.model_dump(mode="json", by_alias=True)))

    def receive_json(self, timeout: float = TIMEOUT) -> Any:
        """Wait for a message and return it as it came.

        Raises:
            AssertionError: None came in time.
            SocketClosed: The consumer closed the socket.
        """
        return json.loads(self.receive(timeout))

    def receive_until_action(self, stop_action: str, timeout: float = TIMEOUT, *, inclusive: bool = False) -> list[Any]:
        """Return the messages up to the first with the action ``stop_action``.

        Args:
            stop_action: The action, as clients see it.
            timeout: Seconds for all of them.
            inclusive: With that message at the end.

        Raises:
            AssertionError: It did not come in time; the text has what came.
        """
        found: list[Any] = []
        key, deadline = Spelling.of_project().action_key, time.monotonic() + timeout
        while True:
            try:
                message = self.receive_json(max(deadline - time.monotonic(), 0.001))
            except SocketClosed:
                raise
            except AssertionError as error:
                hint = ""
                if stop_action in (ACTION_COMPLETE, GROUP_ACTION_COMPLETE):
                    hint = " Is SEND_COMPLETION on, in CHANNELS_TYPED or on the consumer?"
                raise AssertionError(
                    f"No message with the action {stop_action!r} came within {timeout:g} seconds, only {found}.{hint}"
                ) from error
            if isinstance(message, dict) and message.get(key) == stop_action:
                return [*found, message] if inclusive else found
            found.append(message)

    def receive_all_json(self, timeout: float = TIMEOUT, *, wait_group: bool = False) -> list[Any]:
        """Return the messages up to the next completion, without it.

        Args:
            timeout: Seconds for all of them.
            wait_group: Wait for the completion of a message to a group instead of that of an own one.
        """
        return self.receive_until_action(GROUP_ACTION_COMPLETE if wait_group else ACTION_COMPLETE, timeout)

    def wait_for_auth(self, timeout: float = TIMEOUT) -> AuthenticationMessage:
        """Wait for the outcome of the authentication, the first message, and return it."""
        content = self.receive_json(timeout)
        spelling = Spelling.of_project()
        if isinstance(content, dict) and spelling.action_key in content:
            content["action"] = content.pop(spelling.action_key)
        return AuthenticationMessage.model_validate(decamelize(content) if spelling.is_camel else content)

    def assert_authenticated_status_ok(self, timeout: float = TIMEOUT) -> None:
        """Fail unless the client is admitted."""
        payload = self.wait_for_auth(timeout).payload
        assert payload.status_code == 200, f"The client was not admitted: {payload}"

    def assert_closed(self, timeout: float = TIMEOUT) -> int:
        """Fail unless the consumer closes the socket next; return the close code."""
        try:
            message = self.receive_json(timeout)
        except SocketClosed as closed:
            return closed.code
        raise AssertionError(f"The consumer sent {message!r:.200} instead of closing the socket")


class TypedSession(TypedMessages, WebsocketSession):
    """A ``WebsocketSession`` that speaks messages."""


class LiveTypedSocket(TypedMessages):
    """A socket to a live server that speaks messages; use it in a ``with`` block, which connects.

    Args:
        url: The address, for instance ``live_server_ws_url`` and a path.
        headers: Headers by name.
        cookies: Cookies by name; those of Django's test client carry its login.
        options: For ``websockets.sync.client.connect``.
    """

    def __init__(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        cookies: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        pairs = {name: getattr(value, "value", value) for name, value in (cookies or {}).items()}
        sent = dict(headers or {})
        if pairs:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in pairs.items())
        self._connecting = {"uri": url, "additional_headers": sent, **options}

    def __enter__(self) -> "LiveTypedSocket":
        """Connect.

        Raises:
            SocketRefused: The handshake was refused.
        """
        from websockets.exceptions import InvalidStatus
        from websockets.sync.client import connect

        try:
            self._connection = connect(**self._connecting)
            self._socket = self._connection.__enter__()
        except InvalidStatus as error:
            raise SocketRefused(error.response.status_code, bytes(error.response.body or b"")) from error
        return self

    def __exit__(self, *exc_info: Any) -> None:
        self._connection.__exit__(*exc_info)

    def send(self, text: str | None = None, bytes: bytes | None = None) -> None:
        """Send a frame."""
        self._socket.send(text if bytes is None else bytes)

    def send_json(self, content: Any) -> None:
        """Send ``content`` as a frame of JSON."""
        self.send(json.dumps(content))

    def receive(self, timeout: float = TIMEOUT) -> Any:
        """Wait for a frame and return its text or bytes.

        Raises:
            AssertionError: None came in time.
            SocketClosed: The server closed the socket.
        """
        from websockets.exceptions import ConnectionClosed

        try:
            return self._socket.recv(timeout=timeout)
        except TimeoutError as error:
            raise AssertionError(f"The server sent nothing within {timeout:g} seconds") from error
        except ConnectionClosed as error:
            raise SocketClosed(error.rcvd.code if error.rcvd else 1006) from error


class TypedTestCase(ChannelTestCase):
    """A test case that opens sockets on ``ws_path`` and closes them after each test."""

    ws_path: str
    """The path of the sockets."""

    # The place before ``setUp``, which subclasses override without calling ours.
    def _callSetUp(self) -> None:
        self._auth_communicator: TypedSession | None = None
        self._stack = ExitStack()
        self.addCleanup(self._stack.close)
        super()._callSetUp()

    def get_ws_headers(self) -> Mapping[str, Any]:
        """Return the headers of each handshake. Override to send some."""
        return {}

    def get_subprotocols(self) -> list[str]:
        """Return the subprotocols that each client offers."""
        return []

    def create_communicator(
        self,
        *,
        ws_path: str | None = None,
        headers: Mapping[str, Any] | None = None,
        subprotocols: list[str] | None = None,
        **options: Any,
    ) -> TypedSession:
        """Open one more socket, with the cookies of ``self.client`` unless others are given.

        Args:
            ws_path, headers, subprotocols: Instead of those of the class.
            options: For ``WebsocketSession``.

        Raises:
            AttributeError: There is no path.
        """
        path = ws_path or getattr(self, "ws_path", None)
        if not path:
            raise AttributeError(f"ws_path is not set in {type(self).__name__}")
        options.setdefault("cookies", {name: cookie.value for name, cookie in self.client.cookies.items()})
        session = TypedSession(
            path,
            headers=self.get_ws_headers() if headers is None else headers,
            subprotocols=self.get_subprotocols() if subprotocols is None else subprotocols,
            **options,
        )
        self._stack.enter_context(session)
        return session

    @property
    def auth_communicator(self) -> TypedSession:
        """The socket that most tests need: always the same one, opened when it is first asked for."""
        if self._auth_communicator is None:
            self._auth_communicator = self.create_communicator()
        return self._auth_communicator


class CapturedEvent(NamedTuple):
    """One event that was sent, and the group it was sent to."""

    event: BaseChannelEvent
    group: str


@contextmanager
def capture_channel_events(
    consumer: type[TypedConsumer[Any, Any, Any, Any]], suppress: bool = True
) -> Iterator[list[CapturedEvent]]:
    """Collect what is sent by ``consumer.send_channel_event`` in this process.

    Args:
        consumer: The class.
        suppress: Do not send the events.
    """
    captured: list[CapturedEvent] = []
    send = consumer.send_channel_event

    def take(group_name: str, event: Any, channel_layer: Any = None) -> None:
        captured.append(CapturedEvent(event, group_name))
        if not suppress:
            send(group_name, event, channel_layer)

    with mock.patch.object(consumer, "send_channel_event", staticmethod(take)):
        yield captured


def override_typed_settings(**options: Any) -> override_settings:
    """Return ``override_settings`` that changes some options of CHANNELS_TYPED and keeps the others."""
    return override_settings(CHANNELS_TYPED={**getattr(settings, "CHANNELS_TYPED", {}), **options})
