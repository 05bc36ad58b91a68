"""The sockets: which consumer takes which WebSocket path. Pages need no route."""

from board.consumers import BoardSocket

channel_routing = [
    BoardSocket.as_route(path=r"^/boards/(?P<slug>[-a-zA-Z0-9_]+)/socket/$"),
]
