"""Makes the reference pages that are written elsewhere: settings in ``channels.conf``, checks in ``channels.checks``.

``python docs/generate.py`` writes them; a test compares them.
"""

import itertools
import sys
import textwrap
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from channels.checks.catalogue import CATALOGUE  # noqa: E402 - the path above must stand first
from channels.conf import ANYTHING, SETTINGS  # noqa: E402

SETTINGS_INTRODUCTION = """\
Settings
========

.. Made by docs/generate.py from channels/conf.py: change it there.

All are optional. A misspelled name and a value of a wrong type are system checks, see :doc:`checks`.
"""

SETTINGS_END = """\
Settings of Django that matter here
-----------------------------------

``SESSION_ENGINE`` and ``SESSION_COOKIE_NAME`` (users in consumers), ``ALLOWED_HOSTS`` (origin checks),
``AUTHENTICATION_BACKENDS``, ``FORCE_SCRIPT_NAME``, ``DATA_UPLOAD_MAX_MEMORY_SIZE`` and the ``FILE_UPLOAD_*`` family
(requests served by workers).
"""

CHECKS_INTRODUCTION = """\
System checks
=============

.. Made by docs/generate.py from channels/checks/catalogue.py: change it there.

``python manage.py check`` finds mistakes before the first message does; ``runserver`` and ``runworker`` run the same
checks when they start. Those marked *deploy* run with ``check --deploy``, those marked *database*
with ``check --database default`` and before ``migrate``.
``SILENCED_SYSTEM_CHECKS = ["channels.W002"]`` hides one.
"""


def _paragraph(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 118, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False)


def settings_page() -> str:
    """Return the text of ``reference/settings.rst``."""
    parts = [SETTINGS_INTRODUCTION]
    for section, settings in itertools.groupby(SETTINGS.values(), key=lambda setting: setting.section):
        parts.append(f"{section}\n{'-' * len(section)}\n")
        for setting in settings:
            value = repr(setting.default).replace("'", '"')
            facts = [f"Unit: {setting.unit}."] if setting.unit else []
            if setting.kind is not ANYTHING:
                facts.append(f"Must be {setting.kind.text}.")
            body = [_paragraph(text, "   ") for text in (setting.meaning, " ".join(facts)) if text]
            parts.append("\n\n".join([f".. py:data:: {setting.name}\n   :value: {value}", *body]) + "\n")
    return "\n".join([*parts, SETTINGS_END])


def checks_page() -> str:
    """Return the text of ``reference/checks.rst``."""
    parts = [CHECKS_INTRODUCTION]
    for title, letter in (("Errors", "E"), ("Warnings", "W")):
        parts.append(f"{title}\n{'-' * len(title)}\n")
        for mistake in CATALOGUE.values():
            if mistake.id.split(".")[1].startswith(letter):
                when = f" *({mistake.when})*" if mistake.when else ""
                body = f"{mistake.meaning} {mistake.hint}"
                parts.append(f"``{mistake.id}``{when}\n{_paragraph(body, '    ')}\n")
    return "\n".join(parts)


PAGES = {HERE / "reference" / "settings.rst": settings_page, HERE / "reference" / "checks.rst": checks_page}
"""Files, and what returns their text."""


if __name__ == "__main__":
    for path, page in PAGES.items():
        path.write_text(page(), encoding="utf-8")
