"""A page, to see that Django's views still answer, and Django's own login."""

from django.contrib.auth.views import LoginView
from django.http import HttpResponse
from django.urls import path


def page(request):
    """Say hello."""
    return HttpResponse("a page")


urlpatterns = [path("page/", page), path("login/", LoginView.as_view(next_page="/page/"))]
