"""Settings of the example board.

Everything that differs between machines comes from the environment:

``BOARD_REDIS_URL``
    Use the Redis layer at this address, so that workers can run as processes of their own.
``BOARD_DB``
    Path of the SQLite file; ``board.sqlite3`` next to ``manage.py`` otherwise.
``BOARD_SECRET_KEY``, ``BOARD_HOSTS``
    Set both, and ``BOARD_DEBUG=0``, before anyone else can reach the site.
"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("BOARD_SECRET_KEY", "insecure-and-public: for the example only")
DEBUG = os.environ.get("BOARD_DEBUG", "1") == "1"
ALLOWED_HOSTS = os.environ.get("BOARD_HOSTS", "127.0.0.1,localhost,[::1]").split(",")

INSTALLED_APPS = [
    "channels",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "board",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "project.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
            ]
        },
    }
]

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("BOARD_DB") or BASE_DIR / "board.sqlite3",
        "OPTIONS": {
            # Several workers write: wait for each other (seconds) instead of failing, and take the
            # write lock at the start of a transaction, where waiting is still possible.
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
        },
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = os.environ.get("BOARD_REDIS_URL")
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.redis.RedisChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
            "ROUTING": "project.routing.channel_routing",
        }
    }
else:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.inmemory.ChannelLayer",
            "ROUTING": "project.routing.channel_routing",
        }
    }
# A socket on a path that no route takes is refused, as a page would be with 404.
CHANNELS_REJECT_UNROUTED = True
# The consumers here accept or refuse by themselves.
CHANNELS_AUTO_ACCEPT = False

LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
