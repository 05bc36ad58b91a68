"""A small client that knows of a site nothing but its AsyncAPI document: where to connect, what to say and expect."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from websockets.sync.client import ClientConnection, connect

from channels.typed.asyncapi.examples import make_example

SECONDS = 30


class DocumentedClient:
    """Speaks what a document says.

    Args:
        document: The document.
        headers: Of each handshake.
    """

    def __init__(self, document: Mapping[str, Any], headers: Mapping[str, str]) -> None:
        self.document = document
        self.headers = headers

    def resolve(self, reference: Mapping[str, str]) -> Any:
        """Return what a reference, or a reference to one, leads to."""
        found: Any = reference
        while "$ref" in found:
            place: Any = self.document
            for part in found["$ref"].removeprefix("#/").split("/"):
                place = place[part]
            found = place
        return found

    def connect(self, channel: str, **parameters: str) -> ClientConnection:
        """Open a socket to a channel; parameters that are not given have the value of the document."""
        described = self.document["channels"][channel]
        examples = {name: self._value_of(each) for name, each in described.get("parameters", {}).items()}
        server = self.resolve(described["servers"][0])
        path = described["address"].format(**{**examples, **parameters})
        url = f"{server['protocol']}://{server['host']}{server.get('pathname', '')}{path}"
        return connect(url, additional_headers=dict(self.headers), proxy=None)

    def _value_of(self, parameter: Mapping[str, Any]) -> str:
        return str((parameter.get("enum") or parameter.get("examples") or [""])[0])

    def operations(self, channel: str) -> Iterator[Mapping[str, Any]]:
        """Yield what clients may do on a channel."""
        for operation in self.document["operations"].values():
            if operation["action"] == "receive" and operation["channel"]["$ref"] == f"#/channels/{channel}":
                yield operation

    def build(self, message: Mapping[str, str]) -> Any:
        """Return a message that fits its schema."""
        schemas = self.document["components"]["schemas"]
        return make_example(self.resolve(message)["payload"], schemas)

    def is_one(self, content: Any, message: Mapping[str, str]) -> bool:
        """Return whether ``content`` is the message."""
        schema = {**self.document, "$ref": self.resolve(message)["payload"]["$ref"]}
        return bool(jsonschema.Draft7Validator(schema).is_valid(content))

    def receive(self, socket: ClientConnection, channel: str) -> Any:
        """Return the next message; it must be one that the document has for the channel."""
        content = json.loads(socket.recv(timeout=SECONDS))
        messages = self.document["channels"][channel]["messages"].values()
        assert any(self.is_one(content, each) for each in messages), f"Not in the document: {content}"
        return content

    def receive_answer(self, socket: ClientConnection, channel: str, operation: Mapping[str, Any]) -> Any:
        """Return the answer that the document promises; other messages of the channel may come before.

        Raises:
            AssertionError: An error came, or nothing that was promised.
        """
        heard = []
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            content = self.receive(socket, channel)
            heard.append(content)
            assert content["action"] != "error", content
            if any(self.is_one(content, each) for each in operation["reply"]["messages"]):
                return content
        raise AssertionError(f"No answer to {operation['messages']}, only {heard}")
