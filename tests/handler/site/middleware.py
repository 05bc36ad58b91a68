"""Middleware of the served pages."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse


class DebugSwitch:
    """Turns ``DEBUG`` on for requests with the header ``X-Debug``; clients ask one by one."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer ``request``."""
        settings.DEBUG = "X-Debug" in request.headers
        try:
            return self.get_response(request)
        finally:
            settings.DEBUG = False
