"""Just enough of HTTP and WebSocket for a load generator, without anything that could become the bottleneck.

Frames of clients must be masked; a mask of zeros satisfies the protocol and costs nothing.
"""

import asyncio
import base64
import os
from collections.abc import Callable
from typing import cast

TEXT = 0x81
CLOSE = 0x88
PING = 0x89
PONG = 0x8A


def make_frame(opcode: int, payload: bytes) -> bytes:
    """Return a masked frame of at most 65,535 bytes."""
    if len(payload) < 126:
        return bytes((opcode, 0x80 | len(payload))) + b"\0\0\0\0" + payload
    return bytes((opcode, 0x80 | 126)) + len(payload).to_bytes(2, "big") + b"\0\0\0\0" + payload


class WebsocketClient(asyncio.Protocol):
    """One socket.

    Args:
        path: What to ask for.
        on_text: Called with (client, payload) for each text frame.

    Attributes:
        opened: Done when the handshake is accepted; fails when it is refused.
        closed: Done when the connection is gone.
    """

    def __init__(self, path: str, on_text: Callable[["WebsocketClient", bytes], None]) -> None:
        loop = asyncio.get_running_loop()
        self.opened: asyncio.Future[None] = loop.create_future()
        self.closed: asyncio.Future[None] = loop.create_future()
        self._path = path
        self._on_text = on_text
        self._buffer = bytearray()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the socket."""
        self._transport = cast(asyncio.Transport, transport)
        key = base64.b64encode(os.urandom(16)).decode()
        self._transport.write(
            f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        """Take what the server sent: the end of the handshake, then frames."""
        self._buffer += data
        if not self.opened.done():
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            if not self._buffer.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(bytes(self._buffer[:end]).decode()))
                return
            del self._buffer[: end + 4]
            self.opened.set_result(None)
        self._take_frames()

    def _take_frames(self) -> None:
        buffer, at = self._buffer, 0
        while len(buffer) - at >= 2:
            opcode, size, head = buffer[at], buffer[at + 1], 2
            if size == 126:
                head = 4
                size = int.from_bytes(buffer[at + 2 : at + 4], "big")
            if len(buffer) - at < head + size:
                break
            payload = bytes(buffer[at + head : at + head + size])
            at += head + size
            if opcode == TEXT:
                self._on_text(self, payload)
            elif opcode == PING:
                self._transport.write(make_frame(PONG, payload))
            elif opcode == CLOSE:
                self._transport.write(make_frame(CLOSE, payload[:2]))
                self._transport.close()
        del buffer[:at]

    def send(self, payload: bytes) -> None:
        """Send a text frame."""
        self._transport.write(make_frame(TEXT, payload))

    def close(self) -> None:
        """Begin the closing handshake; ``closed`` is done when the server has ended the connection."""
        self._transport.write(make_frame(CLOSE, (1000).to_bytes(2, "big")))

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell those who wait."""
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("the server ended the handshake"))
        if not self.closed.done():
            self.closed.set_result(None)


class HttpClient(asyncio.Protocol):
    """One connection that is kept alive, for answers of known length.

    Args:
        path: What to ask for.
        on_answer: Called with (client, status line) when an answer is complete.
    """

    def __init__(self, path: str, on_answer: Callable[["HttpClient", bytes], None]) -> None:
        self._request = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n".encode()
        self._on_answer = on_answer
        self._buffer = b""
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        """Send the request."""
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Take an answer, which ends after the length that its headers tell, or with an empty chunk."""
        self._buffer += data
        head, mark, body = self._buffer.partition(b"\r\n\r\n")
        if not mark:
            return
        _, has_length, rest = head.lower().partition(b"content-length:")
        if len(body) >= int(rest.split(b"\r\n", 1)[0]) if has_length else body.endswith(b"0\r\n\r\n"):
            self._buffer = b""
            self._on_answer(self, head.split(b"\r\n", 1)[0])
