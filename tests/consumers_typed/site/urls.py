"""Views that tell connected clients something, in both colours."""

from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import path

from tests.consumers_typed.site.consumers import Notices
from tests.consumers_typed.site.messages import Notice


def tell(request: HttpRequest) -> JsonResponse:
    """Tell everybody, from a synchronous view."""
    Notices.send_channel_event("notices", _read(request.GET))
    return JsonResponse({"told": True})


async def atell(request: HttpRequest) -> JsonResponse:
    """Tell everybody, from an asynchronous view."""
    await Notices.asend_channel_event("notices", _read(request.GET))
    return JsonResponse({"told": True})


def _read(given: Any) -> Notice:
    return Notice(payload=Notice.Payload(text=given["text"], level=given.get("level", "info")))


urlpatterns = [path("tell/", tell), path("atell/", atell)]
