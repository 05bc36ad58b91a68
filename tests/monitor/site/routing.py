"""Routing of the project."""

from channels import include, route
from tests.monitor.site import consumers

channel_routing = [
    route("websocket.connect", consumers.connect),
    route("websocket.receive", consumers.echo),
    route("test.slow", consumers.slow),
    route("test.fail", consumers.fail),
]

live_routing = [include("channels.monitor.routing.channel_routing"), *channel_routing]
