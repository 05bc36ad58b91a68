"""Tests that fail, and how."""

import pytest
from websockets.sync.client import connect

from channels import route


def faulty_consumer(message):
    """Divide by zero."""
    return 1 / 0


def test_client(ws_client, channel_routes):
    channel_routes(route("a", faulty_consumer))
    ws_client.send_and_consume("a")


@pytest.mark.django_db
def test_live(live_channels_server):
    with connect(f"{live_channels_server.ws_url}/lamps/missing/") as socket:
        socket.send('{"on": true}')
        socket.send('"who"')
        socket.recv(10)
