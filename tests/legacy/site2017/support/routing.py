from channels import include, route
from tickets.consumers import Agents, announce, refuse

# The "include" function allows either a dotted import path or a list
channel_routing = [
    include("tickets.routing.websocket_routing", path=r"^/tickets"),
    Agents.as_route(path=r"^/agents/(?P<team>[a-z]+)/$"),
    route("websocket.connect", refuse, path=r"^/closed/"),
    route("tickets.announce", announce),
]
