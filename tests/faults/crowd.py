"""Clients over real sockets, in a thread of their own. They come back when they are cut off, and keep a log.

Each message carries an id that is used once, and each connection is a socket with a number of its own.
"""

import asyncio
import itertools
import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import websockets.exceptions
from websockets.asyncio.client import ClientConnection, connect

OPEN_SECONDS = 10
COME_BACK_SECONDS = 0.1
ROOMS = 2

RATE = 12.0
"""Frames a second that each client sends."""

TO_ROOM_EVERY = 40
"""One frame in so many is for everybody in the room."""

FRAMES_PER_SOCKET = 1_000_000
"""Ids of one socket begin at a multiple of it."""

_numbers: Iterator[int] = itertools.count(1)
"""Over all crowds of the run, so that diaries can be shared."""

FAILURES = (OSError, asyncio.TimeoutError, websockets.exceptions.WebSocketException, EOFError)
"""What a client may meet while something is broken."""


class Arrival(NamedTuple):
    """A message that came to a client; ``at`` is of the same clock as diaries."""

    at: int
    socket: int
    number: int
    room: str | None


@dataclass
class Socket:
    """One connection of a client.

    Attributes:
        number: Of this connection; no other has it.
        port: Of its interface.
        is_ordered: Whether its consumers enforce order.
        room: Which room it is in.
        sent: Ids of what was sent, and when.
        to_room, answered: Those of them that were for everybody in the room, and those that came back.
        code: What it was closed with by the other side, or None if the client closed it.
        is_open, is_left: Whether it is open; whether the client closes it.
        heard: When something for its room came to it last.
    """

    number: int
    port: int
    is_ordered: bool
    room: str
    sent: dict[int, int] = field(default_factory=dict)
    to_room: set[int] = field(default_factory=set)
    answered: set[int] = field(default_factory=set)
    code: int | None = None
    is_open: bool = False
    is_left: bool = False
    heard: int = 0

    def is_answered(self) -> bool:
        """Return whether it waits for nothing but what is for its room, which full members do without."""
        return self.sent.keys() <= self.answered | self.to_room


class Crowd:
    """Clients that send at a steady rate and take what comes.

    Args:
        ports: Of the interfaces; clients are spread over them.
        count: How many clients.
        rate: Frames a second of each.
        stay: Seconds for which a client keeps a socket, on average; None is for ever.
    """

    def __init__(self, ports: Sequence[int], count: int = 24, rate: float = RATE, stay: float | None = None) -> None:
        self.sockets: list[Socket] = []
        self.arrivals: list[Arrival] = []
        self.refused = 0
        self._rate = rate
        self._stay = stay
        self._is_sending = True
        self._is_ending = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=[list(ports), count], name="crowd")
        self._thread.start()

    def _run(self, ports: list[int], count: int) -> None:
        async def main() -> None:
            await asyncio.gather(*(self._client(ports[n % len(ports)], n // len(ports)) for n in range(count)))

        try:
            asyncio.run(main())
        except BaseException as error:
            self._error = error

    async def _client(self, port: int, place: int) -> None:
        while not self._is_ending:
            socket = Socket(next(_numbers), port, bool(place % 2), f"room{place // 2 % ROOMS}")
            path = f"{'ordered' if socket.is_ordered else 'plain'}/{socket.room}"
            try:
                async with connect(
                    f"ws://127.0.0.1:{port}/{path}/",
                    open_timeout=OPEN_SECONDS,
                    ping_interval=2,
                    ping_timeout=4,
                    close_timeout=1,
                    proxy=None,
                ) as connection:
                    await self._talk(socket, connection)
            except FAILURES:
                self.refused += 1
            await asyncio.sleep(COME_BACK_SECONDS * random.uniform(0.5, 1.5))

    async def _talk(self, socket: Socket, connection: ClientConnection) -> None:
        socket.is_open = True
        self.sockets.append(socket)
        sending = asyncio.create_task(self._send(socket, connection))
        try:
            async for text in connection:
                self._take(socket, json.loads(text))
        except websockets.exceptions.ConnectionClosed:
            pass
        finally:
            socket.is_open = False
            if not socket.is_left:
                socket.code = connection.close_code or 1006
            sending.cancel()
            with suppress(asyncio.CancelledError, *FAILURES):
                await sending

    async def _send(self, socket: Socket, connection: ClientConnection) -> None:
        until = time.monotonic() + (random.uniform(0, 2) * self._stay if self._stay else float("inf"))
        for n in itertools.count():
            while not self._is_sending or time.monotonic() > until:
                if self._is_ending or (self._is_sending and socket.is_answered()):
                    socket.is_left = True
                    await connection.close()
                    return
                await asyncio.sleep(0.05)
            number = socket.number * FRAMES_PER_SOCKET + n
            frame: dict[str, Any] = {"id": number}
            if (n + socket.number) % TO_ROOM_EVERY == 0:
                frame["to_room"] = True
                socket.to_room.add(number)
            socket.sent[number] = time.monotonic_ns()
            await connection.send(json.dumps(frame))
            await asyncio.sleep(random.uniform(0.5, 1.5) / self._rate)

    def _take(self, socket: Socket, frame: dict[str, Any]) -> None:
        number = frame["id"]
        arrival = Arrival(time.monotonic_ns(), socket.number, number, frame.get("room"))
        self.arrivals.append(arrival)
        if arrival.room is not None:
            socket.heard = arrival.at
        if number // FRAMES_PER_SOCKET == socket.number:
            socket.answered.add(number)

    def open_sockets(self) -> list[Socket]:
        """Return the sockets that are open now."""
        return [socket for socket in list(self.sockets) if socket.is_open]

    def is_served_since(self, moment: int, clients: int) -> bool:
        """Return whether so many sockets are open, and each was answered what it sent since ``moment``."""
        self.check()
        sockets = self.open_sockets()
        return len(sockets) == clients and all(
            any(socket.sent[number] > moment for number in list(socket.answered)) for socket in sockets
        )

    def is_told_since(self, moment: int) -> bool:
        """Return whether something for its room came to each open socket since ``moment``."""
        self.check()
        return all(socket.heard > moment for socket in self.open_sockets())

    def pause(self) -> None:
        """Send no more, and go on taking what comes."""
        self._is_sending = False

    def is_answered(self) -> bool:
        """Return whether open sockets wait for nothing."""
        self.check()
        return all(socket.is_answered() for socket in self.open_sockets())

    def end(self) -> None:
        """Close all sockets in order."""
        self._is_sending = False
        self._is_ending = True
        self._thread.join()
        self.check()

    def check(self) -> None:
        """Raise what ended the clients, which nothing should."""
        if self._error is not None:
            raise self._error
