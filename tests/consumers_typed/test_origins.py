"""Typed consumers that look at the origin of the page which opens their socket."""

import pytest

from channels.security.websockets import allowed_hosts_only
from channels.test.session import SocketRefused
from tests.consumers_typed.rooms import ChatConsumer, NotifyEvent, PingMessage


class OwnPages(ChatConsumer):
    """A chat for pages of the site."""

    def get_handler(self, message, **kwargs):
        return allowed_hosts_only(super().get_handler(message, **kwargs))


ROUTES = [OwnPages.as_route(path=r"^/own/(?P<room>\w+)/$")]


def test_consumer_for_own_pages_takes_messages_and_events(open_socket):
    """Only the handshake has an origin; what comes later is of a socket that was let in."""
    socket = open_socket("/own/a/", routes=ROUTES, headers={"origin": "http://testserver"})
    socket.send_json(PingMessage().model_dump())
    assert socket.receive_json()["action"] == "pong"
    OwnPages.send_channel_event("announcements", NotifyEvent(payload=NotifyEvent.Payload(content="soon")))
    assert socket.receive_json()["payload"].startswith("INFO: soon")


@pytest.mark.parametrize("headers", [{"origin": "http://elsewhere.example"}, {}])
def test_consumer_for_own_pages_refuses_others(open_socket, headers):
    """Before anybody is authenticated."""
    with pytest.raises(SocketRefused):
        open_socket("/own/a/", routes=ROUTES, headers=headers)
