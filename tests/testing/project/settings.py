"""A small project: one model, one socket, sessions; a database in a file, or PostgreSQL; the Redis layer."""

import os
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent
SECRET_KEY = "not a secret: tests only"
DEBUG = False
USE_TZ = True
ALLOWED_HOSTS: list[str] = []
COLOUR = "white"
CHANNELS_AUTO_ACCEPT = False

INSTALLED_APPS = [
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "channels",
    "lamps",
]
ROOT_URLCONF = "lamps.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if os.environ.get("LAMPS_POSTGRES"):
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "lamps",
            "USER": "lamps",
            "HOST": os.environ["LAMPS_POSTGRES"],
        }
    }
else:
    FILE = Path(os.environ["LAMPS_DIRECTORY"]) / "lamps.sqlite3"
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": FILE,
            "OPTIONS": {"timeout": 20},
            "TEST": {"NAME": FILE.with_name("test-lamps.sqlite3")},
        }
    }

CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "channels.layers.redis.RedisChannelLayer",
        # Nobody listens there: tests must not use what the site uses.
        "CONFIG": {"hosts": ["redis://127.0.0.1:1/0"]},
        "TEST_CONFIG": {"hosts": [os.environ.get("LAMPS_REDIS", "redis://127.0.0.1:1/0")]},
        "ROUTING": "lamps.routing.channel_routing",
    }
}
