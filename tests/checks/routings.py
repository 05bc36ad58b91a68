"""Consumers and routings that the tests of the checks look at."""

from channels.generic import BaseConsumer
from channels.generic.websockets import WebsocketConsumer
from channels.routing import include, route, route_class
from channels.security.websockets import allowed_hosts_only
from channels.sessions import channel_session


def accepts(message):
    """Decide."""
    message.reply_channel.send({"accept": True})


def _open(message):
    accepts(message)


def has_help(message):
    """Leave the decision to a function that leaves it to another."""
    _open(message)


@channel_session
def says_nothing(message):
    """Decide nothing."""
    message.channel_session["seen"] = True


@allowed_hosts_only
@channel_session
def guarded(message):
    """Look at the origin first."""
    message.reply_channel.send({"accept": True})


@channel_session
@allowed_hosts_only
def guarded_inside(message):
    """Look at the origin within another decorator."""
    message.reply_channel.send({"accept": True})


class Accepting(WebsocketConsumer):
    """Accepts as the class does by default."""


class Silent(WebsocketConsumer):
    """Overrides ``connect`` and decides nothing."""

    def connect(self, message, **kwargs):
        """Decide nothing."""
        self.seen = True


class Opened(BaseConsumer):
    """Names its methods itself."""

    method_mapping = {"websocket.connect": "opened"}  # noqa: RUF012

    def opened(self, message, **kwargs):
        """Decide."""
        accepts(message)


class SilentlyOpened(Opened):
    """Decides nothing."""

    def opened(self, message, **kwargs):
        """Decide nothing."""
        self.seen = True


class OpenedElsewhere(BaseConsumer):
    """Has no method for a handshake that could be looked at."""

    method_mapping = {"websocket.connect": "opened"}  # noqa: RUF012


class GuardedClass(WebsocketConsumer):
    """Looks at the origin first."""

    @allowed_hosts_only
    def raw_connect(self, message, **kwargs):
        """Go on as usual."""
        super().raw_connect(message, **kwargs)


class GuardedHandlers(WebsocketConsumer):
    """Looks at the origin around all of its methods."""

    def get_handler(self, message, **kwargs):
        """Decorate it."""
        return allowed_hosts_only(super().get_handler(message, **kwargs))


undecided = [
    route("websocket.connect", accepts, path="/a"),
    route("websocket.connect", has_help, path="/b"),
    include([route("websocket.connect", says_nothing)], path="/in"),
    route_class(Accepting, path="/c"),
    route_class(Silent, path="/d"),
    route_class(Opened, path="/e"),
    route_class(SilentlyOpened, path="/f"),
    route_class(OpenedElsewhere, path="/g"),
]
guards = [
    route("websocket.connect", guarded, path="/a"),
    route("websocket.connect", guarded_inside, path="/b"),
    route_class(GuardedClass, path="/c"),
    route_class(GuardedHandlers, path="/handlers"),
    route("websocket.connect", accepts, path="/d"),
    route_class(Accepting, path="/e"),
    route("websocket.receive", accepts),
]

shadowed_page = [route("websocket.connect", accepts), include("channels.monitor.routing.channel_routing")]
