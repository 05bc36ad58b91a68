"""Middleware: every kind that Django knows, in the order that the settings say."""

import pytest
from asgiref.sync import iscoroutinefunction
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpResponse
from django.template import engines
from django.utils import timezone, translation
from django.utils.decorators import async_only_middleware, sync_and_async_middleware

from channels.handler import AsgiHandler
from tests.support.http import collect, message

MODULE = __name__


def get(path="/", **more):
    """Return the response to a request for ``path``."""
    return collect(AsgiHandler()(message(path, **more)))


def _mark(response, name):
    response["X-Seen"] = f"{response.get('X-Seen', '')}{name},"
    return response


def french(get_response):
    """Middleware that gives each request a language and a time zone, as that of many sites does."""

    def middleware(request):
        translation.activate("fr")
        timezone.activate("Asia/Tokyo")
        return get_response(request)

    return middleware


def spoken(get_response):
    """Middleware that says which language it finds."""
    return lambda request: _mark(get_response(request), translation.get_language())


class Outer:
    """Synchronous middleware as a class."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        return _mark(self.get_response(request), "outer")


@sync_and_async_middleware
def hybrid(get_response):
    """Middleware that follows what is inside of it."""
    if iscoroutinefunction(get_response):

        async def middleware(request):
            return _mark(await get_response(request), "hybrid-async")

    else:

        def middleware(request):
            return _mark(get_response(request), "hybrid-sync")

    return middleware


@async_only_middleware
def asynchronous(get_response):
    """Middleware that has no synchronous form."""

    async def middleware(request):
        return _mark(await get_response(request), "async")

    return middleware


class Unused:
    """Middleware that takes itself out."""

    def __init__(self, get_response):
        raise MiddlewareNotUsed


class Hooks(Outer):
    """Middleware with the three hooks."""

    def process_view(self, request, view, args, kwargs):
        request.view_name = view.__name__

    def process_exception(self, request, exception):
        return HttpResponse(f"handled {exception} of {request.view_name}", status=418)

    def process_template_response(self, request, response):
        return _replace(response)


def _replace(response):
    response.template_name = engines["django"].from_string("rendered late")
    return response


class ShortCut(Outer):
    """Middleware that answers before the view."""

    def __call__(self, request):
        return HttpResponse("short cut")


class Broken(Outer):
    """Middleware that fails."""

    def __call__(self, request):
        raise RuntimeError("middleware failed")


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        (["Outer"], "outer,"),
        (["Outer", "hybrid"], "hybrid-sync,outer,"),
        (["hybrid", "asynchronous"], "async,hybrid-async,"),
        (["asynchronous", "Outer", "asynchronous"], "async,outer,async,"),
        (["Unused", "Outer", "Unused"], "outer,"),
    ],
)
@pytest.mark.parametrize("path", ["/", "/async/", "/error/500/"])
def test_middleware_wraps_views_and_error_pages(names, seen, path, settings):
    """Inner ones see the response first, whatever they and the view are."""
    settings.MIDDLEWARE = [f"{MODULE}.{name}" for name in names]
    assert get(path).header("x-seen") == seen


@pytest.mark.parametrize("path", ["/error/500/", "/error/async/500/"])
def test_middleware_may_answer_for_an_exception(path, settings):
    """And knows the view it came from."""
    settings.MIDDLEWARE = [f"{MODULE}.Hooks"]
    reply = get(path)
    assert (reply.status, reply.body.startswith(b"handled raised by the view of error")) == (418, True)


def test_middleware_may_change_what_is_rendered(settings):
    """Template responses are rendered after the middleware."""
    settings.MIDDLEWARE = [f"{MODULE}.Hooks"]
    assert get("/template/").body == b"rendered late"


def test_middleware_may_answer_before_the_view(settings):
    """The view is not called."""
    settings.MIDDLEWARE = [f"{MODULE}.Outer", f"{MODULE}.ShortCut"]
    reply = get("/error/500/")
    assert (reply.body, reply.header("x-seen")) == (b"short cut", "outer,")


def test_middleware_that_fails_is_an_error_page_for_the_others(settings):
    """Django converts between any two of them."""
    settings.MIDDLEWARE = [f"{MODULE}.Outer", f"{MODULE}.Broken"]
    reply = get()
    assert (reply.status, reply.header("x-seen")) == (500, "outer,")


def test_sessions_last_from_request_to_request(settings):
    """The cookie of one response identifies the next request."""
    settings.MIDDLEWARE = ["django.contrib.sessions.middleware.SessionMiddleware"]
    first = get("/session/")
    cookie = first.all("set-cookie")[0].partition(";")[0]
    assert (first.body, get("/session/", headers=[(b"cookie", cookie.encode())]).body) == (b"1", b"2")


def test_gzip_middleware_compresses_streams(settings):
    """A stream may change on its way out."""
    settings.MIDDLEWARE = ["django.middleware.gzip.GZipMiddleware"]
    for path in ("/stream/", "/stream/async/"):
        assert get(path, headers=[(b"accept-encoding", b"gzip")]).header("content-encoding") == "gzip"


def test_language_and_time_zone_end_with_their_request(settings):
    """What the thread does next, such as a frame on a socket, is for another visitor."""
    settings.MIDDLEWARE = [f"{MODULE}.french"]
    with translation.override("de"), timezone.override("Europe/Berlin"):
        get()
        assert (translation.get_language(), timezone.get_current_timezone_name()) == ("de", "Europe/Berlin")


def test_site_without_a_time_zone_is_served(settings):
    """It uses that of the system."""
    settings.TIME_ZONE, settings.USE_TZ = None, False
    assert get().status == 200


def test_language_around_a_request_is_that_of_its_view(settings):
    """Tests activate one around the requests that they make."""
    settings.MIDDLEWARE = [f"{MODULE}.spoken"]
    with translation.override("de"):
        assert get().header("x-seen") == "de,"
