"""What the live servers of these tests serve: pages and consumers that show where they run and with which settings."""

import os

from django.conf import settings
from django.http import HttpResponse
from django.urls import path

from channels import Group, route


def page(request):
    """Show who answers."""
    return HttpResponse(f"{os.getpid()} {getattr(settings, 'COLOUR', 'none')} {settings.EMAIL_BACKEND}")


urlpatterns = [path("page/", page)]


def connect(message):
    """Accept, join, and say in which process."""
    message.reply_channel.send({"accept": True})
    message.reply_channel.send({"text": str(os.getpid())})
    Group("all").add(message.reply_channel)


def receive(message):
    """Echo, or fail when asked to."""
    if message["text"] == "fail":
        raise ZeroDivisionError("asked to fail")
    message.reply_channel.send({"text": message["text"]})


routing = [route("websocket.connect", connect, path="/socket/"), route("websocket.receive", receive)]


def broken_start(report, **options):
    """Stand for a process that cannot start."""
    raise ZeroDivisionError("no start today")
