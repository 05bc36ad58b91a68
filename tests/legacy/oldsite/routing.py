"""Routing in the forms of 1.x: a dict, dotted strings, and lists."""

from channels import include, route, route_class

from .rooms import consumers, generics

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

classes = [
    route_class(generics.Workshop, path=r"^/workshop/"),
    route_class(generics.Jobs),
    generics.Mirror.as_route(path=r"^/mirror/(?P<place>\w+)/"),
    generics.Json.as_route(path=r"^/json/"),
    generics.Counter.as_route(path=r"^/count/one/", attrs={"first": 0}),
    generics.Counter.as_route(path=r"^/count/hundred/", attrs={"first": 99}),
    route_class(generics.Streams, path=r"^/streams/"),
]
