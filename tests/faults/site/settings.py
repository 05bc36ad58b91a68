"""Settings of the site. ``FAULTS_SITE`` is JSON: the layer, and directories for diaries and sessions."""

import json
import os
from pathlib import Path

from tests.faults.site.promised import ORDERING_SECONDS

SITE = json.loads(os.environ["FAULTS_SITE"])
DIARIES = Path(SITE["diaries"])

SECRET_KEY = "not a secret: tests only"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = ["channels"]
SESSION_ENGINE = "django.contrib.sessions.backends.file"
SESSION_FILE_PATH = SITE["sessions"]

CHANNELS_AUTO_ACCEPT = True
CHANNELS_REJECT_UNROUTED = True
CHANNELS_ORDERING_TIMEOUT = ORDERING_SECONDS
CHANNELS_DRAIN_SECONDS = 0.5
CHANNEL_LAYERS = {
    "default": {
        "BACKEND": f"tests.faults.site.layers.{SITE['layer']}",
        "CONFIG": SITE["config"],
        "ROUTING": "tests.faults.site.routing.routing",
    },
}

LOGGING = {  # Django's own would let a site without DEBUG say nothing.
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {"django": {"handlers": ["console"], "level": "INFO"}},
}
