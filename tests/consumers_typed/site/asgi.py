"""The ASGI application that servers run."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.consumers_typed.site.settings")
django.setup()

from channels.asgi import get_asgi_application  # noqa: E402

application = get_asgi_application()
