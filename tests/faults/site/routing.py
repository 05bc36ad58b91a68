"""``/plain/ROOM/`` and ``/ordered/ROOM/`` for sockets, and a page."""

from channels import route
from tests.faults.site import consumers

PLAIN = r"^/plain/(?P<room>\w+)/$"
ORDERED = r"^/ordered/(?P<room>\w+)/$"

routing = [
    route("http.request", consumers.page),
    route("websocket.connect", consumers.connect, path=PLAIN),
    route("websocket.receive", consumers.receive, path=PLAIN),
    route("websocket.disconnect", consumers.disconnect, path=PLAIN),
    route("websocket.connect", consumers.ordered_connect, path=ORDERED),
    route("websocket.receive", consumers.ordered_receive, path=ORDERED),
    route("websocket.disconnect", consumers.ordered_disconnect, path=ORDERED),
]
