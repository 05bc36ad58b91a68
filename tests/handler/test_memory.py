"""Memory of a worker while large bodies pass through it: it does not depend on their size."""

import tracemalloc
from types import SimpleNamespace

from django.http import FileResponse, HttpResponse

from channels import formats
from channels.handler import AsgiHandler, ViewConsumer
from channels.message import Message
from tests.support.http import REPLY_CHANNEL, scope

PIECE = bytes(512 * 1024)
PIECES = 128
ALLOWED = 8 * 1024 * 1024
"""Bytes: an eighth of what passes through."""


class Pipe:
    """A layer that makes a body out of nothing and forgets a response."""

    def __init__(self):
        self.left = PIECES
        self.sent = 0

    def receive_batch(self, channels, limit=1, timeout=0):
        self.left -= 1
        # A copy, as a layer makes one of what it reads.
        return [SimpleNamespace(content=formats.http_request_body(bytearray(PIECE), more_content=self.left > 0))]

    def send(self, channel, content):
        self.sent += len(content["content"])

    def send_batch(self, batch):
        self.sent += sum(len(item.content["content"]) for item in batch)
        return [None] * len(batch)


def growth(get_response, **request):
    """Return the layer, and the most bytes that were allocated at once while one request passed."""
    handler = type("Handler", (AsgiHandler,), {"get_response": staticmethod(get_response)})
    consumer = type("Consumer", (ViewConsumer,), {"handler_class": handler})()
    layer = Pipe()
    content = formats.http_request(scope("/", "POST"), reply_channel=REPLY_CHANNEL, **request)
    tracemalloc.start()
    try:
        consumer(Message(content, "http.request", layer))
        return layer, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_upload_is_not_held_in_memory():
    """It goes to disk, piece by piece."""
    read = []

    def count(request):
        while data := request.read(64 * 1024):
            read.append(len(data))
        response = HttpResponse("read")
        response._resource_closers.append(request.close)
        return response

    _, peak = growth(count, body_channel="http.request.body?large")
    assert sum(read) == PIECES * len(PIECE)
    assert peak < ALLOWED


def test_download_is_not_held_in_memory(tmp_path):
    """It leaves as it is read."""
    large = tmp_path / "large.bin"
    with large.open("wb") as file:
        file.truncate(PIECES * len(PIECE))
    layer, peak = growth(lambda request: FileResponse(large.open("rb")))
    assert layer.sent == PIECES * len(PIECE)
    assert peak < ALLOWED


def test_premise_that_memory_is_measured():
    """A response that is held is seen."""
    _, peak = growth(lambda request: HttpResponse(bytes(PIECES * len(PIECE))))
    assert peak > ALLOWED
