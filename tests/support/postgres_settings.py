"""Settings of the test suite, on the PostgreSQL whose socket is in the directory ``TEST_POSTGRES``."""

import os

from tests.settings import *  # noqa: F403

DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "lamps",
        "HOST": os.environ["TEST_POSTGRES"],
        "TEST": {"NAME": os.environ.get("TEST_POSTGRES_NAME", "test_suite")},
    }
}
