"""Which consumer has which path."""

from tests.consumers_typed.site import consumers

channel_routing = [
    consumers.Echo.as_route(path=r"^/echo/$"),
    consumers.Guarded.as_route(path=r"^/guarded/(?P<pk>\d+)/$"),
    consumers.Desk.as_route(path=r"^/desk/(?P<pk>\d+)/$"),
    consumers.Corner.as_route(path=r"^/corner/(?:(?P<place>\w+)/)?$"),
    consumers.Notices.as_route(path=r"^/notices/$"),
    consumers.Mirror.as_route(path=r"^/mirror/(?P<pk>\d+)/$"),
    consumers.Presence.as_route(path=r"^/presence/(?P<pk>\d+)/$"),
    consumers.Library.as_route(path=r"^/library/$"),
    consumers.CrewRoom.as_route(path=r"^/crews/(?P<pk>\d+)/$"),
    consumers.Configured.as_route(path=r"^/configured/$"),
]
