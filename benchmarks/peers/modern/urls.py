"""One trivial page."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def page(request: HttpRequest) -> HttpResponse:
    """Answer with the body that the bare application answers with."""
    return HttpResponse(b"hello world", content_type="text/plain")


urlpatterns = [path("page/", page)]
