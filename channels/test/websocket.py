"""WSClient: a ``Client`` that looks like a browser, with cookies, headers, a session and WebSocket messages.

Its messages are made by the functions that the interface makes them with.
"""

import json as json_module
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

from django.apps import apps
from django.conf import settings
from django.contrib.auth import authenticate
from django.contrib.auth import login as auth_login
from django.core.serializers.json import DjangoJSONEncoder
from django.http import HttpRequest
from django.utils.encoding import iri_to_uri

from channels import formats, variants
from channels.exceptions import MalformedReply
from channels.interface.reading import read_websocket
from channels.interface.states import SocketInput
from channels.interface.websocket import CONNECT, DISCONNECT, NO_STATUS, RECEIVE
from channels.message import Message
from channels.registry import DEFAULT_CHANNEL_LAYER
from channels.session_stores import session_for_reply_channel, session_key
from channels.test.base import Client
from channels.test.commits import settle_commits
from channels.test.encoding import encode_cookies, encode_headers
from channels.types import Content, Scope

REQUEST = "http.request"

_OF_THE_HANDSHAKE = frozenset({"headers", "query_string"})
"""What the later messages of a socket do not have."""


class WSClient(Client):
    """A client that connects, sends frames and receives them.

    Args:
        alias: The layer to use.
        ordered: Number all messages, also those that go to channels of the project.

    Attributes:
        order: The number of the next message.
    """

    def __init__(self, alias: str = DEFAULT_CHANNEL_LAYER, ordered: bool = False) -> None:
        super().__init__(alias)
        self.order = 0
        self._ordered = ordered
        self._headers: dict[str, Any] = {}
        self._cookies: dict[str, str] = {}
        self._session: Any = None
        self._session_cookie = True
        self._path: str | None = None
        self._is_accepted = False
        self._held: deque[Content] = deque()
        self._identity: str | None = None

    # What a browser has

    def set_cookie(self, key: str, value: str) -> None:
        """Send the cookie ``key`` from now on."""
        self._cookies[key] = value

    def get_cookies(self) -> dict[str, str]:
        """Return the cookies by name, with that of the session if it is still to be sent."""
        cookies = dict(self._cookies)
        if self._session_cookie and apps.is_installed("django.contrib.sessions"):
            cookies.setdefault(settings.SESSION_COOKIE_NAME, session_key(self.reply_channel))
        return cookies

    def set_header(self, key: str, value: Any) -> None:
        """Send the header ``key`` from now on.

        Raises:
            ValueError: It is the header of cookies.
        """
        if key.lower() == "cookie":
            raise ValueError("Use set_cookie method for cookie header")
        self._headers[key] = value

    @property
    def headers(self) -> dict[str, Any]:
        """The headers by name, with the cookies."""
        cookies = self.get_cookies()
        return {**self._headers, "cookie": encode_cookies(cookies)} if cookies else dict(self._headers)

    @property
    def session(self) -> Any:
        """The session of this client's connection, which is also that of its session cookie. Save what you change.

        Raises:
            EnvironmentError: The project has no sessions.
        """
        if not apps.is_installed("django.contrib.sessions"):
            raise OSError("Add django.contrib.sessions to the INSTALLED_APPS to use session")
        if self._session is None:
            self._session = session_for_reply_channel(self.reply_channel)
        return self._session

    def login(self, **credentials: Any) -> bool:
        """Log in the user of ``credentials``, and return whether there is one."""
        user = authenticate(**credentials)
        if user is None:
            return False
        self._log_in(user)
        return True

    def force_login(self, user: Any, backend: str | None = None) -> None:
        """Log in ``user`` without a password.

        Args:
            user: The user.
            backend: Dotted path of the authentication backend; None is the user's own, or the first of the project.
        """
        self._log_in(user, backend or getattr(user, "backend", None) or settings.AUTHENTICATION_BACKENDS[0])

    def _log_in(self, user: Any, backend: str | None = None) -> None:
        request = HttpRequest()
        request.session = self.session
        auth_login(request, user, backend)
        self.session.save()
        self._session = None

    # Messages

    def send(self, to: str, content: Content | None = None, text: Any = None, path: str | None = None) -> None:
        """Put a message on the channel ``to``, with everything that the interface would put into it.

        Args:
            to: ``websocket.connect``, another channel of the interface, or one of the project.
            content: What it holds; wins over what this client would fill in.
            text: The text of the frame; what is not a str is sent as JSON.
            path: The path, with a query string if you like; None is that of the last connect, or ``/``.

        Raises:
            ValueError: ``content`` has an order, and this client numbers its messages.
        """
        given = content or {}
        own = self._get_content(given, text, self._path or "/" if path is None else path)
        if "order" not in own and to in (CONNECT, RECEIVE, DISCONNECT):
            own["order"] = self.order
        if isinstance(own.get("order"), int):
            self.order = own["order"] + 1
        message = self._make_message(to, own)
        if to in (RECEIVE, DISCONNECT) and self._path is not None:
            own = {key: value for key, value in own.items() if key not in _OF_THE_HANDSHAKE}
        super().send(to, {**own, **message, **{key: own.get(key, value) for key, value in given.items()}})
        self._session_cookie = False
        if to == CONNECT:
            self._path, self._is_accepted = own["path"], False
        elif to == DISCONNECT:
            self._path = None

    def _get_content(self, content: Content | None = None, text: Any = None, path: str = "/") -> Content:
        """Return ``content`` with what this client fills in, whatever the channel."""
        own: Content = formats.copy_content(content or {})
        own.setdefault(formats.REPLY_CHANNEL, self.reply_channel)
        path, mark, query = iri_to_uri(path).partition("?")  # As browsers spell addresses.
        own.setdefault("path", unquote(path))
        if mark:
            own.setdefault("query_string", query.encode("latin-1"))
        own.setdefault("headers", encode_headers(self.headers))
        if self._ordered:
            if "order" in own:
                raise ValueError('Do not use "order" manually with "ordered=True"')
            own["order"] = self.order
        text = own.get("text") if text is None else text
        if text is not None:
            own["text"] = text if isinstance(text, str) else json_module.dumps(text, cls=DjangoJSONEncoder)
        return own

    def _make_message(self, to: str, own: Content) -> Content:
        """Return the message that the interface makes for the channel ``to``; nothing for other channels."""
        reply_channel, path, order = own[formats.REPLY_CHANNEL], own["path"], own.get("order", 0)
        if to == CONNECT:
            connect = formats.websocket_connect(self._scope("websocket", own), reply_channel=reply_channel)
            return {**connect, "order": order}
        if to == RECEIVE:
            data = own.get("bytes")
            text = own.get("text", "" if data is None else None)
            return formats.websocket_receive(reply_channel=reply_channel, path=path, order=order, text=text, data=data)
        if to == DISCONNECT:
            code = own.get("code", NO_STATUS)
            return formats.websocket_disconnect(reply_channel=reply_channel, path=path, order=order, code=code)
        if to == REQUEST:
            scope = self._scope("http", own)
            return formats.http_request(scope, reply_channel=reply_channel, body=own.get("body", b""))
        return {}

    def _scope(self, kind: str, own: Content) -> Scope:
        headers = own["headers"]
        return {
            "type": kind,
            "method": own.get("method", "GET"),
            "path": own["path"],
            "query_string": own.get("query_string", b""),
            "headers": encode_headers(headers) if isinstance(headers, Mapping) else headers,
            "subprotocols": own.get("subprotocols", []),
            "client": ("127.0.0.1", 50000),
            "server": ("testserver", 80),
        }

    def send_and_consume(  # type: ignore[override] # The order of arguments of 1.x.
        self,
        channel: str,
        content: Content | None = None,
        text: Any = None,
        path: str | None = None,
        fail_on_none: bool = True,
        check_accept: bool = True,
    ) -> Any:
        """``send``, then ``consume``."""
        self.send(channel, content, text, path)
        return self.consume(channel, fail_on_none=fail_on_none, check_accept=check_accept)

    def consume(self, channel: str, fail_on_none: bool = True, check_accept: bool = True) -> Any:
        """Take the next message of ``channel``, run its consumer and return what that returns.

        Args:
            channel: Name of the channel.
            fail_on_none: Fail if there is no message, instead of returning None.
            check_accept: After ``websocket.connect``, fail unless the socket was accepted, and swallow that reply.

        Raises:
            AssertionError: There is no message, no route for it, or the socket was not accepted.
        """
        message = self._take(channel, fail_on_none)
        if message is None:
            return None
        result = self._run(message)
        if channel == CONNECT and check_accept:
            self._check_accept()
        return result

    def _run(self, message: Message) -> Any:
        try:
            return super()._run(message)
        finally:
            # The consumer may have changed what is stored.
            self._session = None

    def _check_accept(self) -> None:
        """Read replies as the interface does in a handshake; what comes through groups waits for its end."""
        settle_commits()
        for delivery in iter(lambda: self.channel_layer.receive_batch([self.reply_channel]), []):
            content, via_group = delivery[0].content, delivery[0].via_group
            if via_group:
                self._held.append(content)
                continue
            try:
                decision = read_websocket(content).handshake
            except MalformedReply as error:
                raise AssertionError(f"Connection rejected: {content!r} ({error})") from error
            if decision is SocketInput.ACCEPT:
                self._is_accepted = True
                self._identity = variants.read_identity(content)
                rest = {key: content[key] for key in ("text", "bytes", "close") if content.get(key)}
                if rest:
                    self._held.append(rest)
                return
            if decision is SocketInput.REFUSE:
                raise AssertionError(f"Connection rejected: {content!r}")
        raise AssertionError("Connection rejected: the consumer neither accepted nor closed the socket")

    def _next_reply(self) -> Any:
        content = self._held.popleft() if self._held else super().receive()
        found = variants.read_variants(content) if content else None
        if found is None:
            return content
        text = found.pick(content["text"], self.reply_channel, self._identity)
        return self._next_reply() if text is None else {"text": text}

    def receive(self, json: bool = True) -> Any:
        """Return the next reply: the text of a frame, the whole content of another message, or None.

        Args:
            json: Read the text as JSON.

        Raises:
            ValueError: The text is not JSON.
        """
        content = self._next_reply()
        while self._is_accepted and content == formats.websocket_accept():
            # Said again, as the streams of a demultiplexer do; no browser sees it.
            content = self._next_reply()
        text = None if content is None else content.get("text")
        if text is None or not json:
            return content if text is None else text
        try:
            return json_module.loads(text)
        except ValueError as error:
            raise ValueError(
                f"The reply {text!r:.300} is not JSON ({error}); receive(json=False) returns text."
            ) from error
