"""Which path is for which measurement."""

from channels import route
from classic import consumers

channel_routing = [
    route("websocket.connect", consumers.accept, path=r"^/echo/$"),
    route("websocket.receive", consumers.echo, path=r"^/echo/$"),
    route("websocket.connect", consumers.join, path=r"^/broadcast/$"),
    route("websocket.receive", consumers.broadcast, path=r"^/broadcast/$"),
    route("websocket.disconnect", consumers.leave, path=r"^/broadcast/$"),
]
