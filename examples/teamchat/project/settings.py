"""Settings of the example teamchat: its own, and those of all examples: see ``examples/common_settings.py``."""

import sys
from pathlib import Path

BASE_DIR = Path(__file__).resolve().parent.parent
sys.path.append(str(BASE_DIR.parent))

from common_settings import django_settings  # noqa: E402 - from the path above

globals().update(django_settings(BASE_DIR))

# The pages here run no script but those of files: the browser is told to run no other.
MIDDLEWARE = [*globals()["MIDDLEWARE"], "project.security.content_security_policy"]

CHANNELS_TYPED = {
    "ASYNCAPI_TITLE": "Team chat",
    "ASYNCAPI_DESCRIPTION": "What the pages of the example teamchat and its server tell each other.",
    "ASYNCAPI_ACCESS": "authenticated",
    # Somebody who types is not worth a line.
    "LOG_IGNORED_ACTIONS": ["typing"],
}
