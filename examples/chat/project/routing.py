"""The sockets: which consumer takes which WebSocket path. Pages need no route."""

from chat.consumers import RoomSocket

channel_routing = [
    RoomSocket.as_route(path=r"^/rooms/(?P<slug>[-a-zA-Z0-9_]+)/socket/$"),
]
