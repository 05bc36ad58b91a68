"""Streaming responses: parts leave when they are there, and what makes them is closed when nobody wants more."""

import asyncio
import threading
from contextlib import closing

import pytest
from asgiref.sync import sync_to_async
from django.db import connections
from django.http import StreamingHttpResponse

from channels.handler import AsgiHandler
from channels.streaming import iterate_async
from tests.support.http import collect, message


def respond(path):
    """Return the contents that the handler yields for a page."""
    return list(AsgiHandler()(message(path)))


@pytest.mark.parametrize("path", ["/stream/", "/stream/async/"])
def test_stream_is_one_message_per_part_and_an_empty_one(path):
    """Parts are not held back until the next one is there."""
    contents = respond(path)
    assert [content["content"] for content in contents] == [b"one,", b"two,", b"three", b""]
    assert collect(contents).status == 200


def test_stream_without_a_part_has_status_and_headers():
    """The last message is also the first."""
    (content,) = respond("/stream/nothing/")
    assert (content["status"], content["content"], content["more_content"]) == (200, b"", False)


def test_stream_cuts_large_parts():
    """No message is larger than chunk_size."""
    handler = type("Small", (AsgiHandler,), {"chunk_size": 4})
    contents = handler.encode_response(StreamingHttpResponse(iter([b"abcdefghij", b"k"])))
    assert [content["content"] for content in contents] == [b"abcd", b"efgh", b"ij", b"k", b""]


def test_files_are_read_in_pieces_of_the_message_size():
    """Not in Django's 4 KiB."""
    sizes = [len(content["content"]) for content in respond("/download/")]
    assert sizes == [512 * 1024, 512 * 1024, 1_200_000 - 1024 * 1024, 0]


def test_stream_is_lazy():
    """The second part is not made before the first was taken."""
    made = []

    def parts():
        for number in range(3):
            made.append(number)
            yield b"x"

    contents = AsgiHandler.encode_response(StreamingHttpResponse(parts()))
    next(contents)
    assert made == [0]
    contents.close()


def test_stream_that_fails_before_its_first_part_is_an_error_page(caplog):
    """Nothing was sent, so the client can still be told."""
    reply = collect(respond("/stream/fails/0/"))
    assert (reply.status, reply.body) == (500, b"Internal Server Error")
    assert "the stream broke" in caplog.text


def test_stream_that_fails_later_ends_as_incomplete(caplog):
    """The client must not take what it has for the whole."""
    *parts, last = respond("/stream/fails/2/")
    assert [part["content"] for part in parts] == [b"part", b"part"]
    assert last == {"content": b"", "more_content": False, "closed": True}
    assert "the stream broke" in caplog.text


def test_stream_is_closed_with_its_reader():
    """A reader that stops closes the generator behind the response."""
    events = []

    def parts():
        try:
            while True:
                yield b"tick"
        finally:
            events.append("closed")

    contents = AsgiHandler.encode_response(StreamingHttpResponse(parts()))
    next(contents)
    contents.close()
    assert events == ["closed"]


def test_asynchronous_stream_is_lazy():
    """What produces the parts stands still while nobody asks for the next."""
    made = []

    async def parts():
        for number in range(10):
            made.append(number)
            yield b"x"

    with closing(iterate_async(parts())) as stream:
        next(stream)
        assert len(made) == 1


def test_asynchronous_stream_is_closed_with_its_reader():
    """It makes no further parts, and its own cleaning up is awaited."""
    events = []

    async def parts():
        try:
            for number in range(1000):
                yield b"x"
                events.append(number)
        finally:
            await asyncio.sleep(0)
            events.append("closed")

    stream = iterate_async(parts())
    next(stream)
    next(stream)
    stream.close()
    assert events == [0, "closed"]


def test_asynchronous_stream_runs_as_one_task():
    """Timeouts and locks may span its parts."""
    tasks = set()

    async def parts():
        async with asyncio.Lock():
            for _ in range(3):
                tasks.add(asyncio.current_task())
                yield b"x"

    assert list(iterate_async(parts())) == [b"x"] * 3
    assert len(tasks) == 1


def test_asynchronous_stream_passes_on_its_error():
    """After the parts that came before it."""

    async def parts():
        yield b"x"
        raise ValueError("broken")

    stream = iterate_async(parts())
    assert next(stream) == b"x"
    with pytest.raises(ValueError, match="broken"):
        next(stream)


def test_asynchronous_stream_ends_the_tasks_it_left_behind():
    """Nothing of it runs on, nothing is collected later with a warning."""
    events = []

    async def forever():
        try:
            await asyncio.Event().wait()
        finally:
            events.append("ended")

    async def parts():
        task = asyncio.create_task(forever())
        await asyncio.sleep(0)
        yield b"x"
        assert not task.done()

    assert list(iterate_async(parts())) == [b"x"]
    assert events == ["ended"]


def test_asynchronous_stream_leaves_no_threads():
    """Synchronous code that it awaits runs in threads that end with it."""
    threads = []

    def work():
        threads.append(threading.current_thread())
        return b"x"

    async def parts():
        yield await sync_to_async(work)()
        yield await asyncio.to_thread(work)

    assert list(iterate_async(parts())) == [b"x", b"x"]
    assert [thread.is_alive() for thread in threads] == [False, False]


def test_asynchronous_stream_closes_its_database_connections(monkeypatch):
    """In the thread of its queries, which is about to end."""
    queried, closed = [], []
    monkeypatch.setattr(connections, "close_all", lambda: closed.append(threading.get_ident()))

    async def parts():
        queried.append(await sync_to_async(threading.get_ident)())
        yield b"x"

    list(iterate_async(parts()))
    assert closed == queried != [threading.get_ident()]
