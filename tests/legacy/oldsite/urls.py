"""One page, to see that Django's views still answer."""

from django.http import HttpResponse
from django.urls import path


def page(request):
    """Say hello."""
    return HttpResponse("a page")


urlpatterns = [path("page/", page)]
