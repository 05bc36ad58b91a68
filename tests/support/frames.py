"""WebSocket frames byte by byte, as only an attacker writes them. Source: RFC 6455, section 5."""

import base64
import os
import socket
import struct
import zlib
from types import TracebackType

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

SECONDS = 60


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0, mask: bool = True) -> bytes:
    """Return one frame of a client, or of who forgets to mask."""
    first = (fin << 7) | (rsv << 4) | opcode
    length = len(payload)
    if length < 126:
        head = struct.pack(">BB", first, (mask << 7) | length)
    elif length < 65536:
        head = struct.pack(">BBH", first, (mask << 7) | 126, length)
    else:
        head = struct.pack(">BBQ", first, (mask << 7) | 127, length)
    if not mask:
        return head + payload
    key = os.urandom(4)
    whole = (key * (length // 4 + 1))[:length]
    masked = int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")
    return head + key + masked.to_bytes(length, "big")


def deflated(payload: bytes) -> bytes:
    """Return ``payload`` as permessage-deflate (RFC 7692) carries it."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (packer.compress(payload) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


class RawSocket:
    """A WebSocket whose client says exactly what it is told to.

    Args:
        port: Of the server.
        path: Of the socket.
        headers: Further lines of the handshake.

    Attributes:
        accepted: The headers of the server's answer, in lower case.
    """

    def __init__(self, port: int, path: str, *headers: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        key = base64.b64encode(os.urandom(16)).decode()
        lines = [
            f"GET {path} HTTP/1.1",
            f"Host: 127.0.0.1:{port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            *headers,
        ]
        self.send("\r\n".join([*lines, "", ""]).encode("latin-1"))
        self._left = b""
        while b"\r\n\r\n" not in self._left:
            more = self._receive()
            assert more, f"The handshake was cut after {self._left!r}."
            self._left += more
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        self.status = int(head.split()[1])
        self.accepted = head.decode("latin-1").lower()

    def __enter__(self) -> "RawSocket":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes as they are; what a server no longer reads is lost."""
        try:
            self._socket.sendall(data)
        except OSError:
            return

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except OSError:
            return b""

    def _take(self, count: int) -> bytes | None:
        while len(self._left) < count:
            more = self._receive()
            if not more:
                return None
            self._left += more
        taken, self._left = self._left[:count], self._left[count:]
        return taken

    def read(self) -> tuple[int, bytes] | None:
        """Return opcode and payload of the next frame; None at the end of the connection."""
        head = self._take(2)
        if head is None:
            return None
        length = head[1] & 127
        if length > 125:
            more = self._take(2 if length == 126 else 8)
            if more is None:
                return None
            length = int.from_bytes(more, "big")
        payload = self._take(length)
        return None if payload is None else (head[0] & 15, payload)

    def close_code(self) -> int | None:
        """Read to the end; return the code of the server's close, or None if it closed without one."""
        while (found := self.read()) is not None:
            opcode, payload = found
            if opcode == CLOSE:
                self.send(frame(CLOSE, payload[:2]))
                return int.from_bytes(payload[:2], "big") if payload else 1005
        return None
