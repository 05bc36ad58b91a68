"""The application of Channels 4, for an ASGI server."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "modern.settings")

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()

from django.urls import path

from channels.routing import ProtocolTypeRouter, URLRouter
from modern import consumers

application = ProtocolTypeRouter(
    {
        "http": django_application,
        "websocket": URLRouter(
            [
                path("echo/", consumers.Echo.as_asgi()),
                path("sync-echo/", consumers.SyncEcho.as_asgi()),
                path("broadcast/", consumers.Broadcast.as_asgi()),
            ]
        ),
    }
)
