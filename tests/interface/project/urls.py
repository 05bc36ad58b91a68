"""A page of the view system, beside the consumers."""

from django.http import HttpRequest, HttpResponse
from django.urls import path


def page(request: HttpRequest) -> HttpResponse:
    """Say what came."""
    return HttpResponse(f"{request.method} {request.path} {request.META['QUERY_STRING']} {len(request.body)}")


urlpatterns = [path("page/", page)]
