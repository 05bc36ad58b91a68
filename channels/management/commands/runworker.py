"""``manage.py runworker``: consume messages of one layer."""

import logging
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from channels.exceptions import InvalidChannelLayerError
from channels.log import setup_logger
from channels.message import Message
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
from channels.signals import worker_process_ready
from channels.staticfiles import http_consumer
from channels.worker import Worker, WorkerGroup


class Command(BaseCommand):
    """Run a worker."""

    help = "Consumes messages from a channel layer and runs their consumers."
    leave_locale_alone = True

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of this command."""
        parser.add_argument(
            "--layer",
            default=DEFAULT_CHANNEL_LAYER,
            help="Alias of the channel layer to consume from (default: %(default)s).",
        )
        parser.add_argument(
            "--only-channels",
            action="append",
            metavar="GLOB",
            help="Consume only channels that match this glob; may be given several times.",
        )
        parser.add_argument(
            "--exclude-channels",
            action="append",
            metavar="GLOB",
            help="Do not consume channels that match this glob; may be given several times.",
        )
        parser.add_argument("--threads", type=int, default=1, help="Number of worker threads (default: %(default)s).")
        parser.add_argument(
            "--disable-graceful-stop",
            action="store_true",
            help="With several threads: leave at once on SIGTERM instead of finishing what runs.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        self.verbosity = options["verbosity"]
        self.logger = setup_logger("django.channels", self.verbosity)
        try:
            layer = channel_layers[options["layer"]]
            router = layer.router
        except (KeyError, InvalidChannelLayerError, ImproperlyConfigured) as error:
            raise CommandError(str(error.args[0] if error.args else error)) from error
        if layer.local_only():
            raise CommandError(
                "You cannot span multiple processes with the in-memory layer. "
                "Change your settings to use a cross-process channel layer."
            )
        if options["threads"] < 1:
            raise CommandError("--threads must be 1 or more.")
        router.check_default(http_consumer=http_consumer(serve_static=settings.DEBUG))
        worker = self.make_worker(layer, options)
        self.logger.info("Running worker against channel layer %s", layer)
        worker_process_ready.send(sender=worker)
        worker.ready()
        worker.run()

    def make_worker(self, layer: Any, options: dict[str, Any]) -> Worker:
        """Return the worker, or group of workers, that the options ask for."""
        arguments = {
            "channel_layer": layer,
            "callback": self.consumer_called if self.verbosity > 1 else None,
            "only_channels": options["only_channels"],
            "exclude_channels": options["exclude_channels"],
        }
        if options["threads"] == 1:
            self.logger.info("Using single-threaded worker.")
            return Worker(**arguments)
        self.logger.info("Using multi-threaded worker, %d thread(s).", options["threads"])
        return WorkerGroup(
            n_threads=options["threads"], stop_gracefully=not options["disable_graceful_stop"], **arguments
        )

    def consumer_called(self, channel: str, message: Message) -> None:
        """Log each message that is consumed; the worker's callback at ``-v 2``."""
        logging.getLogger("django.channels").debug("%s", channel)
