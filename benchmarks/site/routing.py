"""Which path is for which measurement."""

from benchmarks.site import consumers
from channels import route

channel_routing = [
    route("websocket.connect", consumers.accept, path=r"^/echo/$"),
    route("websocket.receive", consumers.echo, path=r"^/echo/$"),
    route("websocket.connect", consumers.join, path=r"^/broadcast/$"),
    route("websocket.receive", consumers.broadcast, path=r"^/broadcast/$"),
    route("websocket.disconnect", consumers.leave, path=r"^/broadcast/$"),
    route("websocket.connect", consumers.ordered_accept, path=r"^/ordered/$"),
    route("websocket.receive", consumers.ordered_echo, path=r"^/ordered/$"),
    route("websocket.disconnect", consumers.ordered_gone, path=r"^/ordered/$"),
]
