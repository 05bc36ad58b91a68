"""Routing in the forms of 1.x: a dict, dotted strings, and lists."""

from channels import include, route

from .rooms import consumers

raw = {
    "http.request": "tests.legacy.oldsite.rooms.consumers.raw_page",
}

handled = {
    "http.request": consumers.handled_page,
}

echo = {
    "websocket.receive": consumers.echo,
}

group = {
    "websocket.connect": consumers.enter,
    "websocket.receive": consumers.shout,
    "websocket.disconnect": consumers.leave,
}

rooms = {
    "websocket.connect": consumers.room_enter,
    "websocket.receive": consumers.room_say,
    "websocket.disconnect": consumers.room_leave,
}

users = {
    "websocket.connect": consumers.user_enter,
    "websocket.receive": consumers.user_say,
    "websocket.disconnect": consumers.user_leave,
}

lines = {
    "websocket.connect": consumers.room_enter,
    "websocket.receive": consumers.lines_receive,
    "websocket.disconnect": consumers.room_leave,
    "lines": consumers.lines_save,
}

ordered = {
    "websocket.receive": consumers.ordered,
}

visitors = [
    include(
        [
            route("websocket.connect", consumers.visitor_connect),
            route("websocket.receive", consumers.visitor_receive, path=r"^visit"),
        ],
        path=r"^/old/",
    ),
]
