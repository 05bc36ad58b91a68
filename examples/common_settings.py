"""The Django settings that all examples share; ``project/settings.py`` of each takes them and adds its own.

Everything that differs between machines comes from the environment. The names begin with that of the example in capital
letters, so for the example ``chat``:

``CHAT_REDIS_URL``
    Use the Redis layer at this address, so that workers can run as processes of their own.
``CHAT_DB``
    Path of the SQLite file; ``chat.sqlite3`` next to ``manage.py`` otherwise. ``CHAT_TEST_DB`` is that of tests.
``CHAT_SECRET_KEY``, ``CHAT_HOSTS``
    Set both, and ``CHAT_DEBUG=0``, before anyone else can reach the site.
"""

import os
from pathlib import Path
from typing import Any


def django_settings(base: Path) -> dict[str, Any]:
    """Return the settings of an example.

    Args:
        base: Its directory, with ``manage.py``, ``project`` and an app of the same name.
    """
    name = base.name

    def environment(key: str, default: str = "") -> str:
        return os.environ.get(f"{name.upper()}_{key}") or default

    return {
        "SECRET_KEY": environment("SECRET_KEY", "insecure-and-public: for the example only"),
        "DEBUG": environment("DEBUG", "1") == "1",
        "ALLOWED_HOSTS": environment("HOSTS", "127.0.0.1,localhost,[::1]").split(","),
        "INSTALLED_APPS": [
            "channels",
            "django.contrib.auth",
            "django.contrib.contenttypes",
            "django.contrib.sessions",
            "django.contrib.staticfiles",
            name,
        ],
        "MIDDLEWARE": [
            "django.middleware.security.SecurityMiddleware",
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.middleware.clickjacking.XFrameOptionsMiddleware",
        ],
        "ROOT_URLCONF": "project.urls",
        "TEMPLATES": [
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
        ],
        "DATABASES": {
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": environment("DB") or base / f"{name}.sqlite3",
                # The processes of a live server test cannot share a database in memory.
                "TEST": {"NAME": environment("TEST_DB") or base / f"{name}-test.sqlite3"},
                "OPTIONS": {
                    # Several workers write: wait for each other (seconds) instead of failing, and take the
                    # write lock at the start of a transaction, where waiting is still possible.
                    "timeout": 20,
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
                },
            }
        },
        "DEFAULT_AUTO_FIELD": "django.db.models.BigAutoField",
        "CHANNEL_LAYERS": {"default": _layer(environment("REDIS_URL"))},
        # A socket on a path that no route takes is refused, as a page would be with 404.
        "CHANNELS_REJECT_UNROUTED": True,
        # The consumers here accept or refuse by themselves.
        "CHANNELS_AUTO_ACCEPT": False,
        "LOGIN_URL": "login",
        "LOGIN_REDIRECT_URL": "home",
        "LOGOUT_REDIRECT_URL": "login",
        "LANGUAGE_CODE": "en",
        "TIME_ZONE": "UTC",
        "USE_TZ": True,
        "STATIC_URL": "static/",
    }


def _layer(redis_url: str) -> dict[str, Any]:
    """Return the channel layer: on Redis, or without an address in the memory of one process."""
    routing = {"ROUTING": "project.routing.channel_routing"}
    if not redis_url:
        return {"BACKEND": "channels.layers.inmemory.ChannelLayer", "TEST_CONFIG": {}, **routing}
    config = {"hosts": [redis_url]}
    # Live server tests put a prefix of their own before all names.
    return {"BACKEND": "channels.layers.redis.RedisChannelLayer", "CONFIG": config, "TEST_CONFIG": config, **routing}
