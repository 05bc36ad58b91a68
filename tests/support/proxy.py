"""The network between a client and a server, as far as a test can break it: a TCP proxy on a free port."""

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

RESET = struct.pack("ii", 1, 0)
"""Linger for no time: closing then resets the connection."""


PIECE = 4096
"""Bytes that pass at a time where they pass slowly."""


@dataclass
class _Pace:
    """How fast the bytes of all connections pass: seconds until they go on, and bytes a second, if that is limited."""

    delay: float = 0.0
    rate: float = float("inf")


class _Link:
    """One connection through the proxy, both halves of it: the client's and the server's.

    Args:
        pace: How fast bytes pass.
        halves: The sockets.
        ended: Called with the link when both sides have ended and both sockets are closed.
    """

    def __init__(self, pace: _Pace, *halves: socket.socket, ended: "Callable[[_Link], None] | None" = None) -> None:
        self.halves = halves
        self._ended = ended
        self._lock = threading.Lock()
        self._pumps = len(halves)
        self.is_silent = False
        self.loses_answers = False
        self.round_trips = 0
        self._is_asking = False
        self._pace = pace

    def start(self) -> None:
        """Carry bytes both ways."""
        for half in self.halves:
            # As both ends do: else an answer that comes in two pieces waits for an acknowledgement, about 40 ms.
            half.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for is_client, (source, target) in ((True, self.halves), (False, self.halves[::-1])):
            threading.Thread(target=self._pump, args=(source, target, is_client), daemon=True).start()

    def _pump(self, source: socket.socket, target: socket.socket, is_client: bool) -> None:
        try:
            while data := source.recv(65536):
                self.round_trips += is_client and not self._is_asking
                self._is_asking = is_client
                if self.is_silent or (self.loses_answers and not is_client):
                    continue
                if self._pace.delay:
                    time.sleep(self._pace.delay)
                self._pass_on(data, target)
            if not self.is_silent:
                target.shutdown(socket.SHUT_WR)
        except OSError:
            if not self.is_silent:
                self.reset()  # As the network does where one end is gone.
        with self._lock:
            self._pumps -= 1
            is_over = not self._pumps and not self.is_silent
        if is_over:
            for half in self.halves:
                half.close()
            if self._ended is not None:
                self._ended(self)

    def _pass_on(self, data: bytes, target: socket.socket) -> None:
        if self._pace.rate == float("inf"):
            target.sendall(data)
            return
        for start in range(0, len(data), PIECE):
            piece = data[start : start + PIECE]
            time.sleep(len(piece) / self._pace.rate)
            target.sendall(piece)

    def reset(self) -> None:
        """Break it so that both ends notice."""
        for half in self.halves:
            with suppress(OSError):
                half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                half.shutdown(socket.SHUT_RD)
            half.close()


class Proxy:
    """Carry connections to a port of the loopback address, until told otherwise.

    Args:
        target: The port of the server.

    Attributes:
        port: Where clients connect.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._links: set[_Link] = set()
        self._ended_round_trips = 0
        self._pace = _Pace()
        self._state = "open"
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def round_trips(self) -> int:
        """How often a client spoke for the first time, or after the server had spoken, on all connections so far."""
        with self._lock:
            return self._ended_round_trips + sum(link.round_trips for link in self._links)

    def cut(self) -> None:
        """Reset all connections, and each new one at once."""
        self._change("cut")

    def silence(self) -> None:
        """Swallow everything and tell nobody: no byte and no end of a connection gets through."""
        self._change("silent")

    def lose_answers(self) -> None:
        """Let what clients say reach the server, and nothing come back; for connections that are open now."""
        with self._lock:
            for link in self._links:
                link.loses_answers = True

    def slow_down(self, delay: float = 0.0, rate: float = float("inf")) -> None:
        """Carry bytes after ``delay`` seconds, and each way of a connection at most ``rate`` of them a second."""
        self._pace.delay, self._pace.rate = delay, rate

    def restore(self) -> None:
        """Carry new connections again; those that fell silent stay so."""
        self._change("open")

    def close(self) -> None:
        """End the proxy and everything that goes through it."""
        self._change("cut")
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(10)

    def _change(self, state: str) -> None:
        with self._lock:
            self._state = state
            for link in self._links:
                if state == "silent":
                    link.is_silent = True
                elif state == "cut":
                    link.reset()
            if state == "cut":
                self._links.clear()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    self._take(client)

    def _take(self, client: socket.socket) -> None:
        if self._state == "open":
            try:
                server = socket.create_connection(("127.0.0.1", self.target), 5)
            except OSError:
                link = _Link(self._pace, client)
                link.reset()
                return
            server.settimeout(None)
            link = _Link(self._pace, client, server, ended=self._forget)
            self._links.add(link)
            link.start()
        else:
            link = _Link(self._pace, client)
            if self._state == "cut":
                link.reset()
                return
            self._links.add(link)

    def _forget(self, link: _Link) -> None:
        with self._lock:
            if link in self._links:
                self._links.remove(link)
                self._ended_round_trips += link.round_trips
