"""What an ASGI server is pointed at, for example ``uvicorn project.asgi:application``."""

import os

from channels.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")

application = get_asgi_application()
