"""Where messages go."""

from lamps.consumers import LampConsumer

channel_routing = [LampConsumer.as_route(path=r"^/lamps/(?P<name>\w+)/$")]
