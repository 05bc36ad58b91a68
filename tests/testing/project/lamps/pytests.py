"""Tests with the fixtures of pytest."""

import json

import pytest
from django.contrib.auth.models import User
from websockets.sync.client import connect

from channels import Channel, channel_layers, route
from channels.layers.inmemory import ChannelLayer
from lamps.models import Lamp


@pytest.fixture
def green(settings):
    """Override a setting before the server starts."""
    settings.COLOUR = "green"


def test_layer_is_empty(channel_layer):
    assert isinstance(channel_layer.channel_layer, ChannelLayer)
    assert channel_layers["default"] is channel_layer
    assert channel_layer.receive(["leftover"]) == (None, None)
    Channel("leftover").send({})


def test_layer_is_empty_again(channel_layer):
    assert channel_layer.receive(["leftover"]) == (None, None)


@pytest.mark.django_db
def test_client_switches_the_lamp(ws_client):
    Lamp.objects.create(name="desk")
    ws_client.force_login(User.objects.create_user("ada"))
    ws_client.send_and_consume("websocket.connect", path="/lamps/desk/")
    ws_client.send_and_consume("websocket.receive", text={"on": True})
    assert ws_client.receive() == {"on": True}
    assert Lamp.objects.get().is_on


def test_routes_without_a_database(ws_client, channel_routes):
    channel_routes(route("a", lambda message: message.reply_channel.send({"text": '"yes"'})))
    ws_client.send_and_consume("a")
    assert ws_client.receive() == "yes"


def test_routes_have_ended(ws_client):
    assert ws_client.get_consumer_by_channel("a") is None


def test_live_server(live_channels_server):
    Lamp.objects.create(name="desk")
    with connect(f"{live_channels_server.ws_url}/lamps/desk/") as socket:
        socket.send(json.dumps({"on": True}))
        assert json.loads(socket.recv(10)) == {"on": True}
    assert Lamp.objects.get().is_on


@pytest.mark.usefixtures("green")
def test_live_server_carries_settings(live_channels_server):
    with connect(f"{live_channels_server.ws_url}/lamps/desk/") as socket:
        socket.send('"who"')
        assert json.loads(socket.recv(10))[1] == "green"
