"""As an asgi.py of 1.x was written."""

import os

import channels.asgi

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.legacy.oldsite.settings")
channel_layer = channels.asgi.get_channel_layer()
