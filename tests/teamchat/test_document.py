"""The team chat's document is true: a client that reads it and nothing else gets the answers that it promises."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.asyncapi import DocumentedClient
from tests.support.teamchat import TeamSite, sign_in

ROOM = {"slug": "everybody"}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def client(site: TeamSite) -> Iterator[DocumentedClient]:
    """A client with the document that the site serves to its users."""
    with sign_in(site, "carol") as http:
        headers = {"Cookie": f"sessionid={http.cookies['sessionid']}", "Origin": site.url}
        yield DocumentedClient(http.get("/sockets/asyncapi.json").raise_for_status().json(), headers)


@pytest.mark.parametrize(("channel", "parameters"), [("RoomConsumer", ROOM), ("InboxConsumer", {})])
def test_every_operation_gets_the_documented_answer(client: DocumentedClient, channel: str, parameters: Any) -> None:
    """With a message that is made from its schema."""
    answered = []
    with client.connect(channel, **parameters) as socket:
        assert client.receive(socket, channel)["payload"]["status_code"] == 200
        for operation in client.operations(channel):
            for message in operation["messages"]:
                built = client.build(message)
                assert client.is_one(built, message)
                client_says(socket, built)
                if "reply" in operation:
                    answered.append((built["action"], client.receive_answer(socket, channel, operation)["action"]))
    expected = {
        "RoomConsumer": [("ping", "pong"), ("say", "said"), ("earlier", "history"), ("invite", "invited")],
        "InboxConsumer": [("open_room", "room")],
    }
    assert answered == expected[channel]


def client_says(socket: Any, content: Any) -> None:
    """Send a message."""
    socket.send(json.dumps(content))


def test_refusal_is_documented(client: DocumentedClient) -> None:
    """The example of the parameter names no room here, which the answer says in the documented form."""
    with client.connect("RoomConsumer") as socket:
        assert client.receive(socket, "RoomConsumer")["payload"]["status_code"] == 404


def test_message_beside_the_schema_is_refused(client: DocumentedClient) -> None:
    """What the schema does not allow, the consumer does not take: the document is not looser than the code."""
    with client.connect("InboxConsumer") as socket:
        client.receive(socket, "InboxConsumer")
        (operation,) = client.operations("InboxConsumer")
        wrong = client.build(operation["messages"][0])
        wrong["payload"]["title"] = "x" * 41
        assert not client.is_one(wrong, operation["messages"][0])
        client_says(socket, wrong)
        assert client.receive(socket, "InboxConsumer")["action"] == "error"
