"""One page: which lamps are on."""

from django.http import HttpResponse
from django.urls import path

from lamps.models import Lamp


def lamps(request):
    """Return their names."""
    return HttpResponse(",".join(Lamp.objects.filter(is_on=True).order_by("name").values_list("name", flat=True)))


urlpatterns = [path("", lamps)]
