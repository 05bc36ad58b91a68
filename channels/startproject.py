"""``python -m channels.startproject NAME [DIRECTORY]``: a new project, made from ``project_template``.

It is ``django-admin startproject`` with that template and the same arguments and options.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from django.core.management import execute_from_command_line

TEMPLATE = Path(__file__).parent / "project_template"
"""A template of ``startproject``; its README.rst is rendered, too."""


def main(arguments: Sequence[str]) -> None:
    """Make a project.

    Args:
        arguments: What ``startproject`` takes: a name, and perhaps a directory and options.

    Raises:
        SystemExit: The project cannot be made; the reason is on standard error.
    """
    template = ["--template", str(TEMPLATE), "--name", "README.rst"]
    execute_from_command_line(["django-admin", "startproject", *template, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
