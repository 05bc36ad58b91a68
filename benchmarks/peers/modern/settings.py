"""Settings for Channels 4. ``BENCH_REDIS_URL`` says where the private Redis is, ``BENCH_BACKEND`` which layer."""

import os
from typing import Any

SECRET_KEY = "not a secret: benchmarks only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
USE_TZ = True
ROOT_URLCONF = "modern.urls"
INSTALLED_APPS = ["channels"]
MIDDLEWARE: list[str] = []
DATABASES: dict[str, Any] = {}
LOGGING_CONFIG = None
CONFIG: dict[str, Any] = {"hosts": [os.environ["BENCH_REDIS_URL"]]}
if os.environ["BENCH_BACKEND"].endswith(".core.RedisChannelLayer"):
    CONFIG["capacity"] = 50_000
CHANNEL_LAYERS = {"default": {"BACKEND": os.environ["BENCH_BACKEND"], "CONFIG": CONFIG}}
