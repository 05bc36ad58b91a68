"""The measured project for a server, and Django's own handler for comparison."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.site.settings")

from django.core.asgi import get_asgi_application as get_django_application

from channels.asgi import get_asgi_application

application = get_asgi_application()
django_application = get_django_application()
