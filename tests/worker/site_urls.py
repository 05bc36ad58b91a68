"""One page."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def page(request: HttpRequest) -> HttpResponse:
    """Say something."""
    return HttpResponse("a page")


urlpatterns = [path("page/", page)]
