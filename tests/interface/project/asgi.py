"""The way in for servers, as new projects write it."""

import os

from channels.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.interface.project.settings")

application = get_asgi_application()
