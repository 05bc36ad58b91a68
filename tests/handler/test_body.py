"""Bodies that arrive in pieces over a channel."""

import threading
import time
from typing import Any

import pytest
from django.test import override_settings

from channels import formats, request
from channels.exceptions import RequestAborted, RequestBroken, RequestTimeout
from channels.handler import AsgiRequest
from channels.layers.inmemory import ChannelLayer
from channels.message import Message
from channels.request import read_body
from tests.support.http import message

CHANNEL = "http.request.body?test"


@pytest.fixture
def layer() -> ChannelLayer:
    """Return a layer of its own."""
    return ChannelLayer(capacity=100)


def upload(layer: ChannelLayer, first: bytes = b"", **more: Any) -> Message:
    """Return a message whose body goes on in a channel."""
    return message("/", "POST", first, body_channel=CHANNEL, layer=layer, **more)


def put(layer: ChannelLayer, *pieces: bytes, more_content: bool = False) -> None:
    """Send pieces of a body; the last one ends it unless more is to come."""
    for number, piece in enumerate(pieces, 1):
        content = formats.http_request_body(piece, more_content=more_content or number < len(pieces))
        layer.send(CHANNEL, content)


def test_pieces_follow_the_first_part_in_order(layer):
    """The body of the message comes first."""
    put(layer, b"two,", b"", b"three")
    assert AsgiRequest(upload(layer, b"one,")).body == b"one,two,three"


def test_pieces_after_the_last_are_left_alone(layer):
    """What follows the end of a body is not part of it."""
    put(layer, b"end")
    put(layer, b"extra")
    assert AsgiRequest(upload(layer)).body == b"end"


def test_pieces_that_come_while_the_request_waits_are_read(layer):
    """The reader waits for a slow client."""
    sender = threading.Timer(0.05, put, (layer, b"late"))
    sender.start()
    try:
        assert AsgiRequest(upload(layer)).body == b"late"
    finally:
        sender.join()


def test_layer_that_comes_back_early_is_asked_again(layer, monkeypatch):
    """Only the clock says that a body is too late."""
    receive_batch = layer.receive_batch
    waits = []

    def early(channels, limit=1, timeout=0):
        waits.append(timeout)
        return [] if len(waits) == 1 else receive_batch(channels, limit, timeout)

    monkeypatch.setattr(layer, "receive_batch", early)
    put(layer, b"there")
    assert AsgiRequest(upload(layer)).body == b"there"
    assert len(waits) == 2


@pytest.mark.parametrize("lost", [1, 2])
def test_lost_piece_is_noticed(layer, lost):
    """A body with a hole in it must not pass for what the client sent."""
    for order in {1, 2, 3} - {lost}:
        layer.send(CHANNEL, formats.http_request_body(b"x", more_content=order < 3, order=order))
    with pytest.raises(RequestBroken, match=r"on http\.request\.body\?test is lost"):
        AsgiRequest(upload(layer))


def test_pieces_that_are_counted_are_read(layer):
    """Interfaces of others, and those of a version before, do not count."""
    for order in (1, 2, 3):
        layer.send(CHANNEL, formats.http_request_body(b"x", more_content=order < 3, order=order))
    assert AsgiRequest(upload(layer)).body == b"xxx"


def test_client_that_goes_away_aborts_the_request(layer):
    """The interface says so in the body's channel."""
    put(layer, b"half", more_content=True)
    layer.send(CHANNEL, formats.http_request_body(closed=True))
    with pytest.raises(RequestAborted, match="went away"):
        AsgiRequest(upload(layer))


def test_body_that_stays_away_times_out(layer):
    """After the seconds that the request class allows, and not much later."""
    start = time.monotonic()
    with pytest.raises(RequestTimeout, match=r"0\.05 seconds"):
        read_body(upload(layer), timeout=0.05)
    assert 0.05 <= time.monotonic() - start < 30


def test_body_that_stops_half_way_times_out(layer):
    """A piece does not start the clock again."""
    put(layer, b"half", more_content=True)
    with pytest.raises(RequestTimeout):
        read_body(upload(layer), timeout=0.05)


def test_impatient_request_takes_what_is_there(layer):
    """No time to wait is still time to read."""

    class Impatient(AsgiRequest):
        body_receive_timeout = 0

    put(layer, b"here")
    assert Impatient(upload(layer)).body == b"here"
    with pytest.raises(RequestTimeout):
        Impatient(upload(layer))


def test_large_body_may_take_longer_than_the_timeout(layer, monkeypatch):
    """Time is added for what arrived, at the slowest rate that is still an upload."""
    monkeypatch.setattr(request, "SLOWEST_UPLOAD", 1)
    put(layer, b"ten bytes.", more_content=True)
    sender = threading.Timer(0.1, put, (layer, b"end"))
    sender.start()
    with read_body(upload(layer), timeout=0.05) as body:
        assert body.read() == b"ten bytes.end"
    sender.join()


@override_settings(FILE_UPLOAD_MAX_MEMORY_SIZE=10)
def test_large_body_is_kept_on_disk(layer):
    """Memory stays flat whatever a client sends."""
    put(layer, b"12345", b"678901")
    with read_body(upload(layer)) as body:
        assert body._rolled  # type: ignore[attr-defined]
        assert body.read() == b"12345678901"


@override_settings(FILE_UPLOAD_MAX_MEMORY_SIZE=10)
def test_small_body_is_kept_in_memory(layer):
    """No file for every form."""
    put(layer, b"12345")
    with read_body(upload(layer)) as body:
        assert not body._rolled  # type: ignore[attr-defined]


def test_message_without_a_channel_is_its_whole_body():
    """Nothing is waited for."""
    assert read_body({"body": b"all"}).read() == b"all"
    assert read_body({}).read() == b""


def test_uploads_in_pieces_reach_files(layer):
    """A multipart form cut at an awkward place."""
    form = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.bin"\r\n\r\n'
        + bytes(range(256)) * 40
        + b"\r\n--x--\r\n"
    )
    headers = [(b"content-type", b"multipart/form-data; boundary=x"), (b"content-length", str(len(form)).encode())]
    put(layer, form[100:5000], form[5000:])
    made = AsgiRequest(upload(layer, form[:100], headers=headers))
    assert made.FILES["f"].read() == bytes(range(256)) * 40
    made.close()
