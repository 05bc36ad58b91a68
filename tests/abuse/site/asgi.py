"""The way in for servers."""

import os

from channels.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.abuse.site.settings")

application = get_asgi_application()
