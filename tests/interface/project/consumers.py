"""What the served project does with sockets and requests."""

import json
from hashlib import sha256
from typing import Any

from django.conf import settings

from channels.channel import Group
from channels.exceptions import DenyConnection
from channels.message import Message


def _journal(message: Message, **facts: Any) -> None:
    with open(settings.PROJECT_JOURNAL, "a") as journal:
        journal.write(json.dumps({"channel": message.channel.name, "path": message["path"], **facts}) + "\n")


def connect(message: Message) -> None:
    """Do what the path says."""
    path = message["path"]
    _journal(message, order=message["order"], scheme=message["scheme"], subprotocols=message["subprotocols"])
    if path.startswith("/refuse/"):
        message.reply_channel.send({"close": True})
    elif path.startswith("/deny/"):
        raise DenyConnection(status=401, reason="Log in first")
    elif path.startswith("/broken/"):
        raise RuntimeError("broken on purpose")
    elif path.startswith("/subprotocol/"):
        message.reply_channel.send({"accept": True, "subprotocol": path.split("/")[2]})
    elif path.startswith("/greet/"):
        message.reply_channel.send({"text": "hello"})
    elif path.startswith("/group/"):
        Group("everyone").add(message.reply_channel)
        message.reply_channel.send({"accept": True})
    elif path.startswith("/forever/"):
        pass
    else:
        message.reply_channel.send({"accept": True})


def receive(message: Message) -> None:
    """Obey a few words, send everything else back."""
    text = message.get("text")
    if text is None:
        message.reply_channel.send({"bytes": message["bytes"]})
    elif text.startswith("close "):
        message.reply_channel.send({"text": "bye", "close": int(text.split()[1])})
    elif text == "malformed":
        message.reply_channel.send({"txt": "oops"})
        message.reply_channel.send({"text": "a", "bytes": b"b"})
        message.reply_channel.send({"text": "survived"})
    elif text == "raise":
        raise RuntimeError("broken on purpose")
    elif text.startswith("everyone "):
        Group("everyone").send({"text": text})
    elif text.startswith("count "):
        for number in range(int(text.split()[1])):
            message.reply_channel.send({"text": str(number)})
    else:
        message.reply_channel.send({"text": text})


def disconnect(message: Message) -> None:
    """Write down how it ended."""
    _journal(message, order=message["order"], code=message["code"])
    Group("everyone").discard(message.reply_channel)


def _body(message: Message) -> bytes:
    body: bytes = message["body"]
    more = message["body_channel"] is not None
    while more:
        _, part = message.channel_layer.receive([message["body_channel"]], block=True)
        if part is not None:
            body += part["content"]
            more = part["more_content"]
    return body


def http_echo(message: Message) -> None:
    """Say what came, as JSON."""
    body = _body(message)
    facts = {
        "method": message["method"],
        "path": message["path"],
        "scheme": message["scheme"],
        "query_string": message["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in message["headers"]],
        "body_bytes": len(body),
        "body_digest": sha256(body).hexdigest(),
        "in_parts": message["body_channel"] is not None,
    }
    content = json.dumps(facts).encode()
    headers = [(b"Content-Type", b"application/json"), (b"X-Twice", b"1"), (b"X-Twice", b"2")]
    message.reply_channel.send({"status": 201, "headers": headers, "content": content})


def http_stream(message: Message) -> None:
    """Send three chunks, each at once."""
    send = message.channel_layer.send
    send(message.reply_channel.name, {"status": 200, "headers": [], "content": b"one ", "more_content": True})
    send(message.reply_channel.name, {"content": b"two ", "more_content": True})
    send(message.reply_channel.name, {"content": b"three", "more_content": False})


def http_large(message: Message) -> None:
    """Send 3 MB in parts."""
    send = message.channel_layer.send
    send(message.reply_channel.name, {"status": 200, "headers": [], "content": b"", "more_content": True})
    for _ in range(30):
        send(message.reply_channel.name, {"content": b"x" * 100_000, "more_content": True})
    send(message.reply_channel.name, {"content": b"", "more_content": False})


def http_malformed(message: Message) -> None:
    """Send what is no response."""
    message.reply_channel.send({"content": b"no status"})


def http_disconnect(message: Message) -> None:
    """Write down that it ended."""
    _journal(message)
