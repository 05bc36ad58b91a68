"""Settings for Channels 1.x. ``BENCH_REDIS_URL`` says where the private Redis is."""

import os

REDIS_URL = os.environ["BENCH_REDIS_URL"]

SECRET_KEY = "not a secret: benchmarks only"
DEBUG = False
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "classic.urls"
INSTALLED_APPS = ["channels"]
MIDDLEWARE = []
DATABASES = {}
LOGGING_CONFIG = None
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": "asgi_redis.RedisChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "capacity": 50000},
        "ROUTING": "classic.routing.channel_routing",
    },
}
