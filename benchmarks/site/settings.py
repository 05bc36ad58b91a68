"""Settings of the measured project. ``BENCH_REDIS_URL`` says where the private Redis is."""

import os
from typing import Any

REDIS_URL = os.environ.get("BENCH_REDIS_URL", "redis://127.0.0.1:6379/0")

SECRET_KEY = "not a secret: benchmarks only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "benchmarks.site.urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions", "channels"]
MIDDLEWARE: list[str] = []
DATABASES: dict[str, Any] = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CACHES: dict[str, Any] = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}}
SESSION_ENGINE = "django.contrib.sessions.backends.cache"
LOGGING_CONFIG = None

ROOM = {"capacity": 50_000, "channel_capacity": {"http.disconnect": 100}}
"""Enough for everything that the ordering benchmark sends at once: refusals would make it look fast.

Nobody listens on ``http.disconnect`` here, as in most projects; there its channel is full soon, and so it is here.
"""

LAYERS: dict[str, dict[str, Any]] = {
    "redis": {
        "BACKEND": "channels.layers.redis.RedisChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], **ROOM},
    },
    "memory": {"BACKEND": "channels.layers.inmemory.ChannelLayer", "CONFIG": ROOM},
}
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        **LAYERS[os.environ.get("BENCH_LAYER", "redis")],
        "ROUTING": "benchmarks.site.routing.channel_routing",
    },
}
