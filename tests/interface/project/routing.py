"""Channels of the served project to its consumers."""

from channels.routing import route
from tests.interface.project import consumers

channel_routing = [
    route("websocket.connect", consumers.connect),
    route("websocket.receive", consumers.receive),
    route("websocket.disconnect", consumers.disconnect),
    route("http.request", consumers.http_echo, path=r"^/echo/"),
    route("http.request", consumers.http_stream, path=r"^/stream/"),
    route("http.request", consumers.http_large, path=r"^/large/"),
    route("http.request", consumers.http_malformed, path=r"^/malformed/"),
    route("http.disconnect", consumers.http_disconnect),
]
