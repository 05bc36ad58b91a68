"""How Sphinx builds the documentation. Warnings are errors: see ``tox -e docs``."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

import django  # noqa: E402 - the path above must stand first
from django.conf import settings  # noqa: E402

# autodoc imports the package, and models and sessions need apps that are ready.
settings.configure(
    SECRET_KEY="not a secret: documentation only",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "channels",
        "channels.delay",
    ],
    DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
    STATIC_URL="/static/",
    CHANNEL_LAYERS={"default": {"BACKEND": "channels.layers.inmemory.ChannelLayer", "ROUTING": []}},
)
django.setup()

project = "Channels classic"
author = "the channels-classic authors"
project_copyright = "the channels-classic authors"
release = re.search(r'"([^"]+)"', (ROOT / "channels" / "_version.py").read_text().split("__version__")[1])[1]  # type: ignore[index]
version = release

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = None
html_theme = "furo"
html_title = f"Channels classic {release}"
pygments_style = "tango"

autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
add_module_names = False

# Docstrings name types of other projects in words; only references of ours have to resolve.
nitpick_ignore_regex = [("py:.*", r"(?!channels).*")]


def draft_news() -> None:
    """Render the fragments of the coming release to a file that the changelog page includes."""
    target = Path(__file__).parent / "_build" / "draft.rst"
    target.parent.mkdir(exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "towncrier",
        "build",
        "--draft",
        "--version",
        release,
        "--date",
        "not released yet",
    ]
    target.write_text(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


draft_news()


def draw_diagrams() -> None:
    """Draw what the design pages include."""
    import diagrams

    diagrams.write(Path(__file__).parent / "_build" / "diagrams")


draw_diagrams()
