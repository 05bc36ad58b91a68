"""The route of the page's socket, to be included in the project's routing.

The socket is below the page, wherever the project has put its admin.
"""

from channels.monitor.consumers import LiveConsumer
from channels.routing import route_class

channel_routing = [route_class(LiveConsumer, path=r"^(?:/.*)?/channels_monitor/layer/live/$")]
