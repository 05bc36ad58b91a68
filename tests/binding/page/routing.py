"""The socket of the page, and one for its further bindings."""

from tasks.closing import ClosingTaskBinding
from tasks.consumers import channel_routing as socket_of_the_page
from tasks.members import NamedTaskBinding
from tasks.serializers import SerializedTaskBinding

from channels.generic.websockets import WebsocketDemultiplexer


class Further(WebsocketDemultiplexer):
    """Streams of the bindings that the page adds one by one."""

    http_user = True
    consumers = {  # noqa: RUF012
        "closing": ClosingTaskBinding.consumer,
        "serialized": SerializedTaskBinding.consumer,
        "names": NamedTaskBinding.consumer,
    }

    def connection_groups(self, team, **kwargs):
        """Hear what any of them sends."""
        return [f"serialized-{team}", f"names-{team}"]


channel_routing = [*socket_of_the_page, Further.as_route(path=r"^/further/(?P<team>[0-9]+)/$")]
