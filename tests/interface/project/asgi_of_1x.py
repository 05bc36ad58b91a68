"""The way in for servers, as projects of Channels 1.x have it."""

import os

import channels.asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.interface.project.settings")

channel_layer = channels.asgi.get_channel_layer()
