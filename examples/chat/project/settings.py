"""Settings of the example chat.

Everything that differs between machines comes from the environment:

``CHAT_REDIS_URL``
    Use the Redis layer at this address, so that workers can run as processes of their own.
``CHAT_DB``
    Path of the SQLite file; ``chat.sqlite3`` next to ``manage.py`` otherwise. ``CHAT_TEST_DB`` is that of tests.
``CHAT_SECRET_KEY``, ``CHAT_HOSTS``
    Set both, and ``CHAT_DEBUG=0``, before anyone else can reach the site.
"""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent

SECRET_KEY = os.environ.get("CHAT_SECRET_KEY", "insecure-and-public: for the example only")
DEBUG = os.environ.get("CHAT_DEBUG", "1") == "1"
ALLOWED_HOSTS = os.environ.get("CHAT_HOSTS", "127.0.0.1,localhost,[::1]").split(",")

INSTALLED_APPS = [
    "channels",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "chat",
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
        "NAME": os.environ.get("CHAT_DB") or BASE_DIR / "chat.sqlite3",
        # The processes of a live server test cannot share a database in memory.
        "TEST": {"NAME": os.environ.get("CHAT_TEST_DB") or BASE_DIR / "chat-test.sqlite3"},
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

REDIS_URL = os.environ.get("CHAT_REDIS_URL")
if REDIS_URL:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.redis.RedisChannelLayer",
            "CONFIG": {"hosts": [REDIS_URL]},
            # Live server tests put a prefix of their own before all names.
            "TEST_CONFIG": {"hosts": [REDIS_URL]},
            "ROUTING": "project.routing.channel_routing",
        }
    }
else:
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels.layers.inmemory.ChannelLayer",
            "TEST_CONFIG": {},
            "ROUTING": "project.routing.channel_routing",
        }
    }
# A socket on a path that no route takes is refused, as a page would be with 404.
CHANNELS_REJECT_UNROUTED = True
# The consumers here accept or refuse by themselves.
CHANNELS_AUTO_ACCEPT = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
STATIC_URL = "static/"
