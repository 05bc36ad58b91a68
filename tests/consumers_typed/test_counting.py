"""What typed consumers refuse and where they fail, counted."""

import json

import pytest

from tests.consumers_typed.rooms import ChatConsumer
from tests.consumers_typed.test_authentication import Members, consumer
from tests.support.connection import Connection
from tests.support.counting import grows


def test_client_that_is_not_admitted_is_counted(open_socket):
    """Once."""
    with grows("connection.denied.authentication"):
        socket = open_socket(routes=consumer(Members), expect=None)
        socket.receive_json()


@pytest.mark.django_db
def test_frame_of_a_client_that_was_not_admitted_is_counted():
    """Its handshake was for another consumer."""
    with grows("message.dropped.unauthenticated"):
        Connection([ChatConsumer.as_route()]).receive(json.dumps({"action": "ping", "payload": None}))


def test_messages_that_are_none_are_counted(open_socket):
    """Each."""
    socket = open_socket()
    with grows("message.dropped.invalid_message", by=2):
        for text in ("{", "[]"):
            socket.send(text)
            socket.receive_json()


def test_handler_that_fails_is_counted(open_socket):
    """The client is told that it failed."""
    socket = open_socket()
    with grows("consumer.failed.message"):
        socket.send_json({"action": "fail"})
        socket.receive_json()
