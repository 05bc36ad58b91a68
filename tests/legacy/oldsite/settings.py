"""Settings of the old site. Only its Django parts are of today."""

import os

SECRET_KEY = "not a secret: tests only"
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    "tests.legacy.oldsite.rooms",
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]
ROOT_URLCONF = "tests.legacy.oldsite.urls"
STATIC_URL = "/static/"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["OLDSITE_DB"],
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if "OLDSITE_REDIS_PORT" in os.environ:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "asgi_redis.RedisChannelLayer",
            "CONFIG": {
                "hosts": [("localhost", int(os.environ["OLDSITE_REDIS_PORT"]))],
            },
            "ROUTING": "tests.legacy.oldsite.routing.%s" % os.environ["OLDSITE_ROUTING"],
        },
    }
else:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "asgiref.inmemory.ChannelLayer",
            "ROUTING": "tests.legacy.oldsite.routing.%s" % os.environ["OLDSITE_ROUTING"],
        },
    }
