from channels import route

from .consumers import ws_connect, ws_disconnect, ws_message

websocket_routing = [
    route("websocket.connect", ws_connect, path=r"^/(?P<number>\d+)/$"),
    route("websocket.receive", ws_message, path=r"^/(?P<number>\d+)/$"),
    route("websocket.disconnect", ws_disconnect, path=r"^/(?P<number>\d+)/$"),
]
