"""ResponseLater: a view that leaves the response to another consumer."""

import pytest
from django.core import signals
from django.http import HttpResponse
from django.utils.decorators import async_only_middleware, sync_and_async_middleware

from channels.exceptions import ResponseLater
from channels.handler import AsgiHandler
from tests.support.http import message

MODULE = __name__
PATHS = ["/later/", "/later/async/"]

seen: list[object] = []


@pytest.fixture(autouse=True)
def fresh():
    """Forget what the middleware saw."""
    seen.clear()


def respond(path="/later/", **more):
    """Return the contents that the handler yields."""
    return list(AsgiHandler()(message(path, **more)))


class Curious:
    """Middleware with every hook, which notes what it sees."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        seen.append(response.status_code)
        return response

    def process_exception(self, request, exception):
        seen.append(exception)
        return HttpResponse("swallowed")


class Replacing(Curious):
    """Middleware that answers in its own words."""

    def __call__(self, request):
        self.get_response(request)
        return HttpResponse("replaced")


class Deferring(Curious):
    """Middleware whose view hook defers the response."""

    def process_view(self, request, view, args, kwargs):
        raise ResponseLater


@async_only_middleware
def asynchronous(get_response):
    """Middleware that has no synchronous form."""

    async def middleware(request):
        response = await get_response(request)
        seen.append("async")
        return response

    return middleware


@sync_and_async_middleware
def both(get_response):
    """Middleware that adapts to what is inside of it."""

    def middleware(request):
        return get_response(request)

    return middleware


@pytest.mark.parametrize("path", PATHS)
def test_later_sends_nothing(path):
    """Synchronous or not."""
    assert respond(path) == []


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("name", ["Curious", "Replacing", "asynchronous", "both"])
def test_later_passes_through_middleware(path, name, settings):
    """Whatever the middleware is and does with what comes back."""
    settings.MIDDLEWARE = [f"{MODULE}.{name}", f"{MODULE}.{name}"]
    assert respond(path) == []


def test_later_is_not_offered_to_exception_middleware(settings):
    """It is not an error."""
    settings.MIDDLEWARE = [f"{MODULE}.Curious"]
    respond()
    assert not any(isinstance(item, Exception) for item in seen)


def test_later_may_be_raised_by_view_middleware(settings):
    """What runs in place of the view may defer the response as well."""
    settings.MIDDLEWARE = [f"{MODULE}.Curious", f"{MODULE}.Deferring"]
    assert respond("/") == []


def test_later_is_not_reported_as_an_error(caplog):
    """Neither log line nor signal."""
    reported = []

    def note(**kwargs):
        reported.append(kwargs)

    signals.got_request_exception.connect(note)
    try:
        respond()
    finally:
        signals.got_request_exception.disconnect(note)
    assert reported == []
    assert caplog.records == []


def test_later_finishes_the_request():
    """Connections are released while the client waits."""
    finished = []

    def note(**kwargs):
        finished.append(kwargs["sender"])

    signals.request_finished.connect(note)
    try:
        respond()
    finally:
        signals.request_finished.disconnect(note)
    assert finished == [AsgiHandler]


def test_later_is_not_cached(settings):
    """The next client of a cached page must get one."""
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        "django.middleware.http.ConditionalGetMiddleware",
        "django.middleware.gzip.GZipMiddleware",
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    handler = AsgiHandler()
    for _ in range(2):
        assert list(handler(message("/later/", headers=[(b"if-none-match", b"*")]))) == []


@pytest.mark.django_db
def test_later_goes_through_djangos_own_middleware(settings):
    """All of what a new project is given."""
    settings.MIDDLEWARE = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
    ]
    assert respond() == []


def test_the_next_request_is_answered():
    """Nothing of a deferred response stays in the handler."""
    handler = AsgiHandler()
    assert list(handler(message("/later/"))) == []
    assert [content["content"] for content in handler(message("/"))] == [b"Hello world"]
