"""``manage.py rundelay``: delay messages on one layer."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from channels.delay.models import DelayedMessage, database
from channels.delay.worker import Worker
from channels.exceptions import InvalidChannelLayerError
from channels.log import setup_logger
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers


class Command(BaseCommand):
    """Run a delay server."""

    help = "Keeps messages sent to asgi.delay in the database, and sends each when it is due."
    leave_locale_alone = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        parser.add_argument(
            "--layer", default=DEFAULT_CHANNEL_LAYER, help="Alias of the channel layer to use (default: %(default)s)."
        )
        parser.add_argument(
            "--sleep",
            type=float,
            default=1.0,
            help="Seconds between two looks at the database for messages that came another way (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        self.verbosity = options["verbosity"]
        self.logger = setup_logger("django.channels", self.verbosity)
        try:
            layer = channel_layers[options["layer"]]
        except (KeyError, InvalidChannelLayerError, ImproperlyConfigured) as error:
            raise CommandError(str(error.args[0] if error.args else error)) from error
        if layer.local_only():
            raise CommandError(
                "You cannot span multiple processes with the in-memory layer. "
                "Change your settings to use a cross-process channel layer."
            )
        if not options["sleep"] > 0:
            raise CommandError("--sleep must be more than 0 seconds.")
        connection = connections[database()]
        if connection.vendor == "oracle":
            # It neither locks some of the rows that are due nor passes over what is stored already.
            raise CommandError("Delayed messages cannot be kept in Oracle: route them to another database.")
        if DelayedMessage._meta.db_table not in connection.introspection.table_names():
            raise CommandError("The table of delayed messages is not there: run manage.py migrate.")
        self.logger.info("Running delay server against channel layer %s", layer)
        self.make_worker(layer, options).run()

    def make_worker(self, layer: Any, options: dict[str, Any]) -> Worker:
        """Return the delay server that the options ask for."""
        return Worker(layer, database_sleep_duration=options["sleep"])
