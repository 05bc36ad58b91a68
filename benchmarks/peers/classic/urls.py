"""One trivial page."""

from django.conf.urls import url
from django.http import HttpResponse


def page(request):
    """Answer with the body that the bare application answers with."""
    return HttpResponse(b"hello world", content_type="text/plain")


urlpatterns = [url(r"^page/$", page)]
