"""Settings of the served pages: what a project has, on the Redis that the environment names."""

import json
import os
from typing import Any

SECRET_KEY = "not a secret: tests only"
DEBUG = False
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost", "example.com"]
CHANNELS_AUTO_ACCEPT = True
ROOT_URLCONF = "tests.handler.urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels"]
DATABASES: dict[str, Any] = {}
USE_TZ = True
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

MIDDLEWARE = [
    "tests.handler.site.middleware.DebugSwitch",
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.http.ConditionalGetMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = os.environ["SITE_SESSIONS"]

# Tests read responses; errors that views raise on purpose would fill the log of the processes.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"null": {"class": "logging.NullHandler"}, "console": {"class": "logging.StreamHandler"}},
    "loggers": {
        "django": {"handlers": ["null"], "propagate": False},
        "django.channels": {"handlers": ["console"], "level": "INFO", "propagate": False},
    },
}

CHANNELS_HTTP_TIMEOUT = float(os.environ.get("SITE_HTTP_TIMEOUT", "120"))
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels.layers.redis.RedisChannelLayer",
        "CONFIG": {"hosts": [os.environ["SITE_REDIS"]], **json.loads(os.environ.get("SITE_LAYER", "{}"))},
        "ROUTING": "tests.handler.site.routing.channel_routing",
    },
}
