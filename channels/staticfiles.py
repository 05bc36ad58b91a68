"""Static files without a web server, for development: ``StaticFilesHandler`` and ``StaticFilesConsumer``.

Finding files, settings checks and conditional requests are those of ``django.contrib.staticfiles``.
"""

from typing import Any
from urllib.parse import urlparse

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.handlers import StaticFilesHandlerMixin
from django.core.handlers.exception import response_for_exception
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase

from channels.handler import AsgiHandler, ViewConsumer
from channels.types import Consumer

__all__ = ["StaticFilesConsumer", "StaticFilesHandler", "http_consumer"]


class StaticFilesHandler(StaticFilesHandlerMixin, AsgiHandler):
    """Serves paths under ``STATIC_URL`` through the staticfiles finders, all others through the views.

    A file that cannot be found is Django's technical 404 page with ``DEBUG``, else left to the views. Paths are
    left alone if ``STATIC_URL`` names a host.

    Raises:
        ImproperlyConfigured: The settings of staticfiles contradict each other.
    """

    def __init__(self) -> None:
        self.base_url = urlparse(self.get_base_url())
        super().__init__()

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the middleware. Django's own handlers leave it to the application they wrap; this one wraps none."""
        AsgiHandler.load_middleware(self, is_async)

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        """Return a static file, or the response of the views."""
        response = self._serve(request) if self._should_handle(request.path) else None
        if response is None:
            views: Any = AsgiHandler.get_response(self, request)
            return views  # type: ignore[no-any-return]
        response._resource_closers.append(request.close)  # type: ignore[attr-defined]
        return response

    def _serve(self, request: HttpRequest) -> HttpResponseBase | None:
        try:
            return self.serve(request)
        except Http404 as error:
            return response_for_exception(request, error) if settings.DEBUG else None
        except Exception as error:
            return response_for_exception(request, error)


class StaticFilesConsumer(ViewConsumer):
    """Answers ``http.request`` with static files and Django's views."""

    handler_class = StaticFilesHandler


def http_consumer(*, serve_static: bool) -> Consumer:
    """Return a consumer that runs Django's views, and serves static files before them if asked to and installed."""
    if serve_static and apps.is_installed("django.contrib.staticfiles"):
        return StaticFilesConsumer()
    return ViewConsumer()
