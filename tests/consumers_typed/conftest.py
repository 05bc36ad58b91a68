"""Sockets of typed consumers: the project's ASGI application and a worker, in this process."""

from contextlib import ExitStack

import pytest

from channels.test import WebsocketSession, apply_routes
from tests.consumers_typed import rooms
from tests.sessions.conftest import cookie, login, user, visitor

__all__ = ["cookie", "login", "user", "visitor"]

ROUTES = [
    rooms.ChatConsumer.as_route(path=r"^/chat/(?P<room>\w+)/$"),
    rooms.RoomConsumer.as_route(path=r"^/rooms/(?P<pk>\w+)/$"),
    rooms.Decorated.as_route(path=r"^/decorated/$"),
]


@pytest.fixture
def open_socket(db, login):
    """Return a function that opens a socket, of a user if one is given, on the routes of the tests."""
    with ExitStack() as stack:
        entered = []

        def enter(path="/chat/a/", user=None, *, routes=ROUTES, expect=200, **options):
            if routes not in entered:
                entered.append(routes)
                stack.enter_context(apply_routes(routes))
            cookies = {"sessionid": login(user).session_key} if user else None
            socket = stack.enter_context(WebsocketSession(path, cookies=cookies, **options))
            if expect:
                message = socket.receive_json()
                assert message["action"] == "authentication"
                assert message["payload"]["status_code"] == expect
            return socket

        yield enter
