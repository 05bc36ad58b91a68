"""``manage.py legacyreport``: the migration report, for projects that start already."""

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels.legacy import report


class Command(BaseCommand):
    """List what needs attention in a project written for Channels 1.x."""

    help = report.DESCRIPTION
    requires_system_checks = ()  # The report is wanted most where checks fail.

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of the report."""
        report.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        """Print the report; exit with 1 if anything breaks."""
        try:
            code = report.run(options["paths"], options["json"], self.stdout)  # type: ignore[arg-type]
        except FileNotFoundError as error:
            raise CommandError(str(error)) from error
        if code:
            sys.exit(code)
