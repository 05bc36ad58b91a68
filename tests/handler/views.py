"""Views that the handler tests request."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timezone
from io import BytesIO
from typing import Any

from django.core.exceptions import BadRequest, PermissionDenied, SuspiciousOperation
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template.response import SimpleTemplateResponse
from django.urls import reverse
from django.views.decorators.http import condition, require_GET

from channels.channel import Group
from channels.exceptions import ResponseLater
from channels.handler import AsgiRequest

IGNORED_META = ("wsgi.", "SERVER_PROTOCOL")


def hello(request: HttpRequest, name: str = "world") -> HttpResponse:
    """A trivial page."""
    return HttpResponse(f"Hello {name}")


async def hello_async(request: HttpRequest) -> HttpResponse:
    """A trivial page, asynchronously."""
    await asyncio.sleep(0)
    return HttpResponse("Hello async")


def echo(request: HttpRequest) -> JsonResponse:
    """What Django made of the request."""
    files = {
        name: [[upload.name, upload.content_type, upload.size, upload.read().hex()] for upload in uploads]
        for name, uploads in request.FILES.lists()
    }
    return JsonResponse(
        {
            "method": request.method,
            "path": request.path,
            "path_info": request.path_info,
            "full_path": request.get_full_path(),
            "uri": request.build_absolute_uri(),
            "secure": request.is_secure(),
            "GET": dict(request.GET.lists()),
            "POST": dict(request.POST.lists()),
            "FILES": files,
            "COOKIES": request.COOKIES,
            "content_type": request.content_type,
            "content_params": request.content_params,
            "encoding": request.encoding,
            "headers": dict(sorted(request.headers.items())),
            "remote": request.META.get("REMOTE_ADDR"),
            "server": [request.META["SERVER_NAME"], request.META["SERVER_PORT"]],
        }
    )


def body(request: HttpRequest) -> HttpResponse:
    """The body, as it came."""
    return HttpResponse(request.body, content_type="application/octet-stream")


def cookies(request: HttpRequest) -> HttpResponse:
    """Sets, signs and deletes cookies."""
    response = HttpResponse("cookies")
    response.set_cookie("plain", "1")
    response.set_cookie("fancy", 'a "b"; c', max_age=60, path="/x", httponly=True, samesite="Lax", secure=True)
    response.delete_cookie("old")
    return response


def headers(request: HttpRequest) -> HttpResponse:
    """Headers in the case they were given."""
    return HttpResponse("headers", headers={"X-MiXeD-case": "yes", "X-Latin": "caf\xe9", "X-Wide": "\u2603"})


def session(request: HttpRequest) -> HttpResponse:
    """Counts visits in the session."""
    request.session["visits"] = request.session.get("visits", 0) + 1
    return HttpResponse(str(request.session["visits"]))


def big(request: HttpRequest, size: int) -> HttpResponse:
    """A page of ``size`` bytes."""
    return HttpResponse(b"0123456789" * (size // 10) + b"x" * (size % 10))


def digest(request: HttpRequest) -> HttpResponse:
    """What the body adds up to, read piece by piece."""
    found = hashlib.sha256()
    while piece := request.read(65536):
        found.update(piece)
    return HttpResponse(found.hexdigest())


def made(request: HttpRequest, pieces: int, size: int) -> StreamingHttpResponse:
    """As many pieces of as many bytes, each made when it is its turn."""
    return StreamingHttpResponse(bytes([number % 256]) * size for number in range(pieces))


def stream(request: HttpRequest) -> StreamingHttpResponse:
    """Three parts."""
    return StreamingHttpResponse(iter([b"one,", "two,", b"three"]))


endless_events: list[str] = []


def stream_endless(request: HttpRequest) -> StreamingHttpResponse:
    """A stream without an end, which notes its parts and its closing."""

    def parts() -> Iterator[bytes]:
        try:
            while True:
                endless_events.append("part")
                yield b"part"
        finally:
            endless_events.append("closed")

    return StreamingHttpResponse(parts())


def events(request: Any) -> HttpResponse:
    """The beginning of a stream of events that never ends, and a place among its listeners."""
    head = {"status": 200, "headers": [(b"Content-Type", b"text/event-stream")], "content": b"data: hello\n\n"}
    request.reply_channel.send({**head, "more_content": True}, immediately=True)
    Group("listeners").add(request.reply_channel)
    raise ResponseLater


def publish(request: HttpRequest) -> HttpResponse:
    """An event for all listeners: the body."""
    Group("listeners").send({"content": b"data: %s\n\n" % request.body, "more_content": True})
    return HttpResponse("published")


def stream_nothing(request: HttpRequest) -> StreamingHttpResponse:
    """A stream without a part."""
    return StreamingHttpResponse(iter([]))


async def stream_async(request: HttpRequest) -> StreamingHttpResponse:
    """Three parts, asynchronously."""

    async def parts() -> AsyncIterator[bytes]:
        for part in (b"one,", b"two,", b"three"):
            await asyncio.sleep(0)
            yield part

    return StreamingHttpResponse(parts())


def stream_fails(request: HttpRequest, after: int) -> StreamingHttpResponse:
    """A stream that fails after some parts."""

    def parts() -> Iterator[bytes]:
        for _ in range(after):
            yield b"part"
        raise ValueError("the stream broke on purpose")

    return StreamingHttpResponse(parts())


def download(request: HttpRequest) -> FileResponse:
    """A file of a megabyte and a bit."""
    return FileResponse(BytesIO(b"abcd" * 300_000), as_attachment=True, filename="caf\xe9.bin")


def redirect(request: HttpRequest) -> HttpResponse:
    """Another place."""
    return HttpResponseRedirect(reverse("hello"))


@condition(
    etag_func=lambda request: '"tag"',
    last_modified_func=lambda request: datetime(2020, 1, 1, tzinfo=timezone.utc),
)
def conditional(request: HttpRequest) -> HttpResponse:
    """A page with an entity tag."""
    return HttpResponse("conditional")


@require_GET
def only_get(request: HttpRequest) -> HttpResponse:
    """Refuses other methods."""
    return HttpResponse("got")


def template(request: HttpRequest) -> SimpleTemplateResponse:
    """A response rendered late."""
    return SimpleTemplateResponse("missing.html")


ERRORS: dict[str, type[Exception]] = {
    "404": Http404,
    "403": PermissionDenied,
    "400": BadRequest,
    "suspicious": SuspiciousOperation,
    "500": ValueError,
}


def error(request: HttpRequest, kind: str) -> HttpResponse:
    """Raises."""
    raise ERRORS[kind]("raised by the view")


async def error_async(request: HttpRequest, kind: str) -> HttpResponse:
    """Raises, asynchronously."""
    raise ERRORS[kind]("raised by the view")


def nothing(request: HttpRequest) -> None:
    """Forgets to return a response."""


def later(request: HttpRequest) -> HttpResponse:
    """Leaves the response to somebody else."""
    raise ResponseLater


async def later_async(request: HttpRequest) -> HttpResponse:
    """Leaves the response to somebody else, by the name that 1.x views use."""
    raise AsgiRequest.ResponseLater


def reply_channel(request: Any) -> HttpResponse:
    """Says where its response goes."""
    return HttpResponse(f"{request.reply_channel.name} {request.message['path']}")


def body_json(request: HttpRequest) -> JsonResponse:
    """JSON in, JSON out."""
    return JsonResponse(json.loads(request.body))
