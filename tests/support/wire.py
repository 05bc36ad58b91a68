"""HTTP/1.1 as it goes over the wire: requests byte by byte, responses one after the other."""

import socket
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import h11

from tests.support.http import Exchange

SECONDS = 60

Headers = Sequence[tuple[bytes, bytes]]


class CutOff(Exception):
    """The server closed the connection in the middle of a response.

    Attributes:
        begun: What had arrived.
    """

    def __init__(self, begun: Exchange) -> None:
        super().__init__(f"The response was cut after {len(begun.body)} bytes.")
        self.begun = begun


def encode(
    target: str,
    method: str = "GET",
    headers: Headers = (),
    body: bytes = b"",
    *,
    chunk: int = 0,
    version: str = "1.1",
) -> bytes:
    """Return the bytes of a request.

    Args:
        target: Path and query string, percent-encoded.
        method, headers, body: Of the request; a body without a length gets one.
        chunk: Send the body in chunks of so many bytes, without a length.
        version: Of HTTP.
    """
    given = {name.lower() for name, _ in headers}
    lines = [f"{method} {target} HTTP/{version}".encode()]
    if b"host" not in given:
        lines.append(b"host: testserver")
    lines += [name + b": " + value for name, value in headers if not (chunk and name.lower() == b"content-length")]
    if chunk:
        lines.append(b"transfer-encoding: chunked")
        pieces = [body[start : start + chunk] for start in range(0, len(body), chunk)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    elif body and b"content-length" not in given:
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join([*lines, b"", body])


class Wire:
    """A connection to a server.

    Args:
        port: Of the server.

    Attributes:
        informational: Status codes of the interim responses so far.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), SECONDS)
        self._left = b""
        self.informational: list[int] = []

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._socket.close()

    def fileno(self) -> int:
        """Return the file number of the socket, for ``select``."""
        return self._socket.fileno()

    def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        self._socket.sendall(data)

    def ask(self, *arguments: Any, **options: Any) -> Exchange:
        """Send a request, see ``encode``, and return its response."""
        self.send(encode(*arguments, **options))
        method = options.get("method") or (arguments[1] if len(arguments) > 1 else "GET")
        return self.response(method)

    def wait_for_continue(self) -> None:
        """Return when the server says that it wants the body, or has the beginning of its answer."""
        while b"\r\n\r\n" not in self._left:
            self._left += self._receive()

    def wait_for_bytes(self, count: int) -> None:
        """Return when at least so many bytes have come."""
        while len(self._left) < count:
            data = self._receive()
            assert data, f"The connection ended after {len(self._left)} bytes."
            self._left += data

    def wait_for(self, text: bytes) -> None:
        """Return when ``text`` has come; what came up to it counts as read."""
        while text not in self._left:
            data = self._receive()
            assert data, f"The connection ended before {text!r}."
            self._left += data
        self._left = self._left.partition(text)[2]

    def response(self, method: str = "GET", into: Callable[[bytes], Any] | None = None) -> Exchange:
        """Return the next response.

        Args:
            method: Of its request.
            into: Called with each piece of the body, which is then not kept.

        Raises:
            CutOff: The connection was closed before its end.
        """
        # Only to tell the parser what it waits for; what a request looks like is for the tests to say.
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        parser.send(h11.Request(method=method, target="/", headers=[("host", "x")]))
        parser.send(h11.EndOfMessage())
        data, self._left = self._left, b""
        if data:
            parser.receive_data(data)
        status, headers, body = 0, (), bytearray()
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError as error:
                raise CutOff(Exchange(status, headers, bytes(body))) from error
            if event is h11.NEED_DATA:
                parser.receive_data(self._receive())
            elif isinstance(event, h11.InformationalResponse):
                self.informational.append(event.status_code)
            elif isinstance(event, h11.Response):
                raw = event.headers.raw_items()
                status = event.status_code
                headers = tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw)
            elif isinstance(event, h11.Data):
                (into or body.extend)(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self._left = parser.trailing_data[0]
                return Exchange(status, headers, bytes(body))
            else:
                raise CutOff(Exchange(status, headers, bytes(body)))

    def is_closed(self) -> bool:
        """Wait for the end of the connection; return whether nothing came before it."""
        return not self._left and not self._receive()

    def _receive(self) -> bytes:
        try:
            return self._socket.recv(1 << 16)
        except ConnectionResetError:
            return b""
