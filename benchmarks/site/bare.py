"""What the server can do at most: the same answers without a layer, a worker or Django."""

from collections.abc import Awaitable, Callable
from typing import Any

Send = Callable[[dict[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]

sockets: set[Send] = set()
"""Everybody who listens to broadcasts."""


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer one connection."""
    if scope["type"] == "http":
        await answer(receive, send)
    elif scope["type"] == "websocket":
        await talk(scope["path"] == "/broadcast/", receive, send)


async def answer(receive: Receive, send: Send) -> None:
    """Read a request and send the page."""
    while (await receive()).get("more_body"):
        pass
    headers = [(b"content-type", b"text/plain"), (b"content-length", b"11")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"hello world"})


async def talk(to_all: bool, receive: Receive, send: Send) -> None:
    """Send each frame back, or to everybody."""
    await receive()
    await send({"type": "websocket.accept"})
    if to_all:
        sockets.add(send)
    try:
        while (event := await receive())["type"] == "websocket.receive":
            answer = {"type": "websocket.send", "text": event["text"]}
            for each in list(sockets) if to_all else [send]:
                await each(answer)
    finally:
        sockets.discard(send)
