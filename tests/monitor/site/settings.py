"""Settings of the project: what a project has, on the Redis that the environment names."""

import json
import os
import time
from typing import Any

from django.core.management.utils import get_random_secret_key

if "SITE_CLOCK" in os.environ:  # Of a machine whose clock is wrong by so many seconds.
    _right, _wrong = time.time, float(os.environ["SITE_CLOCK"])
    time.time = lambda: _right() + _wrong

SECRET_KEY = os.environ.get("SITE_SECRET") or get_random_secret_key()
DEBUG = True
ALLOWED_HOSTS = ["127.0.0.1", "localhost"]
CHANNELS_AUTO_ACCEPT = True
ROOT_URLCONF = "tests.monitor.site.urls"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "channels",
    *json.loads(os.environ.get("SITE_APPS", "[]")),
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "tests.monitor.site.policy.strict_policy",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ.get("SITE_DATABASE", ":memory:"),
        "OPTIONS": {"timeout": 20},
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
STATIC_URL = "/static/"
USE_TZ = True
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

CHANNEL_LAYERS: dict[str, Any] = {
    "default": {
        "BACKEND": "channels.layers.redis.RedisChannelLayer",
        "CONFIG": {"hosts": [os.environ["SITE_REDIS"]], **json.loads(os.environ.get("SITE_LAYER", "{}"))},
        "ROUTING": os.environ.get("SITE_ROUTING", "tests.monitor.site.routing.channel_routing"),
    },
}
if "SITE_TRACES" in os.environ:  # The directory in which each process writes down its spans, one a line.
    from opentelemetry import trace
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    CHANNELS_TRACING = True
    _out = open(f"{os.environ['SITE_TRACES']}/{os.getpid()}.json", "a", buffering=1)  # noqa: SIM115 (until the end)
    _provider = TracerProvider()
    _provider.add_span_processor(
        SimpleSpanProcessor(ConsoleSpanExporter(out=_out, formatter=lambda span: span.to_json(indent=None) + "\n"))
    )
    trace.set_tracer_provider(_provider)

globals().update(json.loads(os.environ.get("SITE_SETTINGS", "{}")))
