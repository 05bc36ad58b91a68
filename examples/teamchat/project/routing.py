"""The sockets: which consumer takes which WebSocket path. Pages need no route."""

from teamchat.consumers import InboxConsumer, RoomConsumer

channel_routing = [
    RoomConsumer.as_route(path=r"^/rooms/(?P<slug>[-a-zA-Z0-9_]+)/socket/$"),
    InboxConsumer.as_route(path=r"^/inbox/$"),
]
