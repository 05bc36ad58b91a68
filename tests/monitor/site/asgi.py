"""The application that servers serve."""

import os

from channels.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.monitor.site.settings")

application = get_asgi_application()
