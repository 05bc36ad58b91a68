"""Settings of the served project. The environment says which layer, and whether workers run in this process."""

import os
from typing import Any

SECRET_KEY = "not a secret: tests only"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "tests.interface.project.urls"
DATABASES: dict[str, Any] = {}
USE_TZ = True
INSTALLED_APPS = ["channels", "tests.interface.project.apps.ProjectConfig"]

PROJECT_WORKERS = int(os.environ.get("PROJECT_WORKERS", "0"))
PROJECT_JOURNAL = os.environ.get("PROJECT_JOURNAL", os.devnull)

CHANNELS_WS_PROTOCOLS = ["chat.v2", "chat.v1"]
CHANNELS_MAX_BODY_BYTES = 4_000_000

_REDIS = os.environ.get("PROJECT_REDIS")
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels.layers.redis.RedisChannelLayer" if _REDIS else "channels.layers.inmemory.ChannelLayer",
        "CONFIG": {"hosts": [_REDIS]} if _REDIS else {"capacity": 1000},
        "ROUTING": "tests.interface.project.routing.channel_routing",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django.channels": {"handlers": ["console"], "level": "INFO"}},
}
