"""``manage.py runworker``: consume messages of one layer."""

import atexit
import logging
import sys
import threading
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils.autoreload import run_with_reloader

from channels.exceptions import InvalidChannelLayerError
from channels.log import setup_logger
from channels.message import Message
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
from channels.signals import worker_process_ready
from channels.staticfiles import http_consumer
from channels.supervision import options as supervision
from channels.supervision.link import ToSupervisor, find_supervisor
from channels.supervision.options import Limits
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
        supervision.add_arguments(parser)

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run; with ``--autoreload`` the system checks come later, so that a mistake in the code can be corrected."""
        if options.get("autoreload"):
            self.requires_system_checks = []
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until told to stop."""
        self.verbosity = options["verbosity"]
        self.logger = setup_logger("django.channels", self.verbosity)
        limits = supervision.read_options(options)
        if options.get("autoreload"):
            run_with_reloader(self.run_reloadable, limits, options)
            return
        link = find_supervisor()
        layer = self.find_layer(options["layer"])
        if limits.processes is None or link is not None:
            self.run_worker(layer, limits, options, link)
        elif getattr(self, "_called_from_command_line", False):
            self.logger.info("Running %d worker process(es) against channel layer %s", limits.processes, layer)
            if status := limits.make_supervisor().run():
                sys.exit(status)
        else:
            raise CommandError("--processes runs this command again, so it has to be given on the command line.")

    def find_layer(self, alias: str) -> Any:
        """Return the layer, with its routing ready for messages.

        Raises:
            CommandError: There is none, it cannot be used by several processes, or a setting of the site is wrong.
        """
        try:
            layer = channel_layers[alias]
            layer.router.check_default(http_consumer=http_consumer(serve_static=settings.DEBUG))
        except (KeyError, InvalidChannelLayerError, ImproperlyConfigured) as error:
            raise CommandError(str(error.args[0] if error.args else error)) from error
        if layer.local_only():
            raise CommandError(
                "You cannot span multiple processes with the in-memory layer. "
                "Change your settings to use a cross-process channel layer."
            )
        return layer

    def run_worker(self, layer: Any, limits: Limits, options: dict[str, Any], link: ToSupervisor | None) -> None:
        """Run the worker of this process until it ends."""
        limits.show_metrics()
        budget = limits.make_budget()
        worker = self.make_worker(layer, options, **({} if budget is None else {"after_message": budget.spend}))
        self.logger.info("Running worker against channel layer %s", layer)
        worker_process_ready.send(sender=worker)
        worker.ready()
        with limits.make_watch(worker, budget, link):
            worker.run()

    def run_reloadable(self, limits: Limits, options: dict[str, Any]) -> None:
        """Run the worker in a thread of a process that ends when the code changes; what runs is finished before."""
        if not options.get("skip_checks"):
            self.check()
        worker = self.make_worker(self.find_layer(options["layer"]), options, signal_handlers=False)
        thread = threading.current_thread()

        def finish() -> None:
            worker.stop()
            thread.join(limits.grace)

        atexit.register(finish)
        limits.show_metrics()
        worker_process_ready.send(sender=worker)
        worker.ready()
        worker.run()

    def make_worker(self, layer: Any, options: dict[str, Any], **more: Any) -> Worker:
        """Return the worker, or group of workers, that the options ask for."""
        arguments = {
            "channel_layer": layer,
            "callback": self.consumer_called if self.verbosity > 1 else None,
            "only_channels": options["only_channels"],
            "exclude_channels": options["exclude_channels"],
            **more,
        }
        if options["threads"] == 1:
            self.logger.info("Using single-threaded worker.")
            return Worker(**arguments)
        self.logger.info("Using multi-threaded worker, %d thread(s).", options["threads"])
        return WorkerGroup(
            n_threads=options["threads"],
            stop_gracefully=not options["disable_graceful_stop"],
            grace=threading.TIMEOUT_MAX,  # It ends with the process, which what calls this ends after ``--grace``.
            **arguments,
        )

    def consumer_called(self, channel: str, message: Message) -> None:
        """Log each message that is consumed; the worker's callback at ``-v 2``."""
        logging.getLogger("django.channels").debug("%s", channel)
