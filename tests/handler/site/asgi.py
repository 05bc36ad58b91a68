"""One application with three ways through Django; the header ``X-Through`` says which, and goes no further.

Behind one server nothing but the way differs, so that responses can be compared byte for byte.
"""

import os
from typing import Any

from asgiref.wsgi import WsgiToAsgi
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler

from channels.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.handler.site.settings")

channels_application = get_asgi_application()
wsgi_application = WsgiToAsgi(WSGIHandler())


async def through_wsgi(scope: Any, receive: Any, send: Any) -> None:
    """Let WSGI answer, and then send what it said: its thread must not wait for a server that stops."""
    said: list[Any] = []

    async def note(event: Any) -> None:
        said.append(event)

    await wsgi_application(scope, receive, note)
    for event in said:
        await send(event)


WAYS: dict[bytes, Any] = {
    b"channels": channels_application,
    b"asgi": ASGIHandler(),
    b"wsgi": through_wsgi,
}


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Serve one connection."""
    if scope["type"] != "http":
        await channels_application(scope, receive, send)
        return
    ways = [value for name, value in scope["headers"] if name.lower() == b"x-through"]
    headers = [pair for pair in scope["headers"] if pair[0].lower() != b"x-through"]
    await WAYS[ways[0] if ways else b"channels"]({**scope, "headers": headers}, receive, send)
