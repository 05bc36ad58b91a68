"""What an ASGI server is pointed at, for example ``uvicorn project.asgi:application``."""

import os

from channels.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_asgi_application()

# A project that comes from Channels 1.x keeps its file as it is and points the server at
# ``project.asgi:channel_layer``; the layer is an ASGI application too:
#
#     from channels.asgi import get_channel_layer
#     channel_layer = get_channel_layer()
