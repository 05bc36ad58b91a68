"""Settings of the example chat: those of all examples, which ``examples/common_settings.py`` explains, and its own."""

import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.append(str(BASE_DIR.parent))

from common_settings import django_settings  # noqa: E402 - from the path above

globals().update(django_settings(BASE_DIR))

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
