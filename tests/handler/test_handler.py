"""AsgiHandler: messages in, response messages out."""

import logging

import pytest
from django.core import signals
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.test import override_settings
from django.urls import get_script_prefix, set_script_prefix

from channels import formats
from channels.handler import AsgiHandler, AsgiRequest
from channels.layers.inmemory import ChannelLayer
from tests.support.http import REPLY_CHANNEL, collect, message


def respond(*args, **kwargs):
    """Return the contents that the handler yields for a request."""
    return list(AsgiHandler()(message(*args, **kwargs)))


@pytest.fixture
def heard():
    """Return the request signals that were sent, in order, as (name, keyword arguments)."""
    events = []

    def started(**kwargs):
        events.append(("started", kwargs))

    def finished(**kwargs):
        events.append(("finished", kwargs))

    signals.request_started.connect(started)
    signals.request_finished.connect(finished)
    yield events
    signals.request_started.disconnect(started)
    signals.request_finished.disconnect(finished)


def test_handler_answers_with_one_message():
    """A page that fits into a message is one message, with the keys of the message format."""
    assert respond("/") == [
        {
            "status": 200,
            "headers": [(b"Content-Type", b"text/html; charset=utf-8")],
            "content": b"Hello world",
            "more_content": False,
        }
    ]


def test_handler_does_nothing_before_the_first_reply_is_asked_for(heard):
    """Calling it makes a generator."""
    AsgiHandler()(message("/"))
    assert heard == []


def test_handler_runs_asynchronous_views():
    """A coroutine is a view like any other."""
    assert collect(respond("/async/")).body == b"Hello async"


def test_handler_gives_views_the_message_and_the_reply_channel():
    """Long polling puts it into a group."""
    assert collect(respond("/reply-channel/")).body == f"{REPLY_CHANNEL} /reply-channel/".encode()


def test_handler_cuts_large_pages():
    """No message is larger than chunk_size; only the first has status and headers."""
    size = 2 * AsgiHandler.chunk_size + 10
    contents = respond(f"/big/{size}/")
    assert [len(content["content"]) for content in contents] == [512 * 1024, 512 * 1024, 10]
    assert [content["more_content"] for content in contents] == [True, True, False]
    assert [sorted(content) for content in contents[1:]] == [["content", "more_content"]] * 2
    assert len(collect(contents).body) == size


def test_handler_keeps_the_case_of_header_names():
    """Some clients insist on it."""
    names = [name for name, _ in respond("/headers/")[0]["headers"]]
    assert b"X-MiXeD-case" in names


def test_handler_sends_one_header_per_cookie():
    """Set-Cookie cannot be joined."""
    cookies = collect(respond("/cookies/")).all("set-cookie")
    assert [cookie.partition("=")[0] for cookie in cookies] == ["plain", "fancy", "old"]


def test_handler_sends_the_signals_of_a_request(heard):
    """One start, with message and scope, before; one end after the last message, from the same sender."""
    made = message("/")
    replies = AsgiHandler()(made)
    next(replies)
    assert [name for name, _ in heard] == ["started"]
    assert list(replies) == []
    assert [name for name, _ in heard] == ["started", "finished"]
    started, finished = (kwargs for _, kwargs in heard)
    assert started["sender"] is finished["sender"] is AsgiHandler
    assert started["message"] is made
    assert (started["scope"]["type"], started["scope"]["path"]) == ("http", "/")


def test_handler_finishes_the_request_when_it_is_closed_early(heard):
    """Nobody wants the rest: the response is closed all the same."""
    replies = AsgiHandler()(message("/big/2000000/"))
    next(replies)
    replies.close()
    assert [name for name, _ in heard] == ["started", "finished"]


def test_handler_closes_uploads(settings):
    """Files of a form are closed with the response."""
    seen = []

    class Remembering(AsgiRequest):
        def close(self):
            super().close()
            seen.append(self._stream.closed)

    handler = AsgiHandler()
    handler.request_class = Remembering
    list(handler(message("/body/", "POST", b"x")))
    assert seen == [True]


def test_handler_sets_the_script_prefix():
    """reverse() knows where the site is mounted."""
    try:
        respond("/mount/", root_path="/mount")
        assert get_script_prefix() == "/mount/"
        assert collect(respond("/mount/redirect/", root_path="/mount")).header("location") == "/mount/"
    finally:
        set_script_prefix("/")


def test_handler_loads_middleware_once(monkeypatch):
    """At construction, not at each request."""
    loads = []
    monkeypatch.setattr(AsgiHandler, "load_middleware", lambda self: loads.append(self))
    AsgiHandler()
    assert len(loads) == 1


@pytest.mark.parametrize("path", [b"/\xff/", "/"])
def test_handler_refuses_what_is_not_utf8(path, caplog):
    """400 without a body, and a line that names the error and the status."""
    made = message("/", query_string=b"\xff")
    made["path"] = path
    reply = collect(AsgiHandler()(made))
    assert (reply.status, reply.body) == (400, b"")
    (record,) = (record for record in caplog.records if record.name == "django.request")
    assert record.getMessage() == "Bad Request (UnicodeDecodeError)"
    assert (record.levelno, record.status_code) == (logging.WARNING, 400)


def test_handler_refuses_content_types_that_cannot_be_parsed():
    """Whatever the Django version makes of a malformed header, the client gets an answer and not a broken worker."""
    value = b"text/plain; " + b"a" * 20_000 + b"=b"
    assert collect(respond("/", headers=[(b"content-type", value)])).status in (200, 400)


def test_handler_tells_slow_clients():
    """408, in so many words."""
    handler = AsgiHandler()
    handler.request_class = type("Impatient", (AsgiRequest,), {"body_receive_timeout": 0})
    reply = collect(handler(message("/body/", "POST", body_channel="http.request.body?slow")))
    assert (reply.status, reply.body) == (408, b"408 Request Timeout (upload too slow)")


def test_handler_tells_clients_whose_upload_was_lost(heard):
    """503: the same again will probably do. No view runs."""
    layer = ChannelLayer()
    layer.send("http.request.body?lost", formats.http_request_body(b"x", order=2))
    made = message("/body/", "POST", body_channel="http.request.body?lost", layer=layer)
    assert collect(AsgiHandler()(made)).status == 503
    assert [name for name, _ in heard] == ["finished"]


def test_handler_answers_nobody_who_has_gone(heard):
    """No view runs for half a request."""
    layer = ChannelLayer()
    layer.send("http.request.body?gone", formats.http_request_body(closed=True))
    made = message("/body/", "POST", body_channel="http.request.body?gone", layer=layer)
    assert list(AsgiHandler()(made)) == []
    assert heard == []


@pytest.mark.parametrize(
    ("kind", "status"), [("404", 404), ("403", 403), ("400", 400), ("suspicious", 400), ("500", 500)]
)
@pytest.mark.parametrize("prefix", ["/error/", "/error/async/"])
def test_handler_turns_exceptions_into_pages(prefix, kind, status):
    """Django's own error pages, from synchronous and asynchronous views."""
    assert collect(respond(f"{prefix}{kind}/")).status == status


@override_settings(DEBUG=True)
def test_handler_shows_the_technical_page_with_debug():
    """As Django does."""
    reply = collect(respond("/error/500/"))
    assert reply.status == 500
    assert b"raised by the view" in reply.body


def test_handler_complains_about_views_that_return_nothing(caplog):
    """Django's own words."""
    assert collect(respond("/nothing/")).status == 500
    assert "didn't return an HttpResponse object" in caplog.text


@override_settings(DATA_UPLOAD_MAX_MEMORY_SIZE=4)
def test_handler_refuses_bodies_above_djangos_limit():
    """The view asked for the body; Django answers for it."""
    assert collect(respond("/body/", "POST", b"12345")).status == 400


@override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True)
def test_handler_answers_when_exceptions_propagate(caplog):
    """There is no server above that could answer."""
    reply = collect(respond("/error/500/"))
    assert (reply.status, reply.body, reply.header("content-type")) == (500, b"Internal Server Error", "text/plain")
    assert "raised by the view" in caplog.text


@override_settings(DEBUG_PROPAGATE_EXCEPTIONS=True, DEBUG=True)
def test_handler_shows_the_traceback_of_last_resort_with_debug():
    """Plain text: nothing that renders pages can be trusted here."""
    reply = collect(respond("/error/500/"))
    assert reply.header("content-type") == "text/plain"
    assert b"ValueError: raised by the view" in reply.body


def test_handler_answers_when_a_receiver_of_request_started_fails():
    """A broken receiver is an error of the site, not a client that hangs."""

    def broken(**kwargs):
        raise RuntimeError("broken receiver")

    signals.request_started.connect(broken)
    try:
        assert collect(respond("/")).status == 500
    finally:
        signals.request_started.disconnect(broken)


def test_encode_response_is_independent_of_a_request():
    """Raw HTTP consumers use it on the class; it leaves the response open."""
    response = HttpResponse("hi", status=201)
    assert collect(AsgiHandler.encode_response(response)).status == 201
    assert not response.closed


def test_encode_response_of_an_empty_page_is_one_message():
    """Status and headers need a message, bytes or not."""
    assert [content["content"] for content in AsgiHandler.encode_response(HttpResponse(b""))] == [b""]


def test_chunk_bytes_says_which_chunk_is_the_last():
    """Pairs of chunk and flag."""
    handler = type("Small", (AsgiHandler,), {"chunk_size": 3})
    assert list(handler.chunk_bytes(b"")) == [(b"", True)]
    assert list(handler.chunk_bytes(b"abc")) == [(b"abc", True)]
    assert list(handler.chunk_bytes(b"abcdefgh")) == [(b"abc", False), (b"def", False), (b"gh", True)]


def test_chunk_bytes_agrees_with_django():
    """The same cuts as Django's ASGI handler makes, for sizes around the border."""
    ours = type("Ours", (AsgiHandler,), {"chunk_size": 4})
    theirs = type("Theirs", (ASGIHandler,), {"chunk_size": 4})
    for size in range(14):
        assert list(ours.chunk_bytes(b"x" * size)) == list(theirs.chunk_bytes(b"x" * size))
