"""The channel layer, for daphne 1.x."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "classic.settings")

from channels.asgi import get_channel_layer

channel_layer = get_channel_layer()
