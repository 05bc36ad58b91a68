"""Settings of the attacked project; everything is logged, so that tests can look for what must not be."""

import os
from typing import Any

SECRET_KEY = os.environ["SITE_SECRET_KEY"]
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1", "site.example"]
ROOT_URLCONF = "tests.abuse.site.urls"
USE_TZ = True
INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["SITE_DATABASE"],
        "OPTIONS": {"timeout": 20, "transaction_mode": "IMMEDIATE"},
    }
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STATIC_URL = "/static/"
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]

CHANNELS_AUTO_ACCEPT = False
CHANNELS_HTTP_TIMEOUT = 3
CHANNELS_WEBSOCKET_CONNECT_TIMEOUT = 3
CHANNELS_MAX_BODY_BYTES = 200_000
CHANNELS_MAX_FRAME_BYTES = 100_000
CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels.layers.redis.RedisChannelLayer",
        "CONFIG": {
            "hosts": [os.environ["SITE_REDIS"]],
            "symmetric_encryption_keys": [os.environ["SITE_LAYER_KEY"]],
        },
        "ROUTING": "tests.abuse.site.routing.channel_routing",
    },
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": "DEBUG"},
    "loggers": {"django.db.backends": {"level": "INFO"}, "django": {"level": "DEBUG"}},
}
