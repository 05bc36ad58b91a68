"""Settings of the site whose pages use the client; the environment says where Redis and the journal are."""

import os
from typing import Any

SECRET_KEY = "not a secret: tests only"
DEBUG = True  # runserver serves the static files
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.client.site.urls"
DATABASES: dict[str, Any] = {}
USE_TZ = True
INSTALLED_APPS = ["channels", "django.contrib.staticfiles"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
STATIC_URL = "static/"

CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels.layers.redis.RedisChannelLayer",
        "CONFIG": {"hosts": [os.environ.get("SITE_REDIS", "")]},
        "ROUTING": "tests.client.site.routing.channel_routing",
    },
}
CHANNELS_AUTO_ACCEPT = True
SITE_JOURNAL = os.environ.get("SITE_JOURNAL", os.devnull)
# Server and workers are processes of their own, and there is no database.
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = os.path.dirname(SITE_JOURNAL)
