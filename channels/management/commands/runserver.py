"""``manage.py runserver``: the development server, with the interface, workers and a delay server in one process.

Everything Django's own command does (options, checks, autoreload, errors) is Django's; this one gives it another
server class, one that serves ASGI, and another handler.
"""

import datetime
import sys
import threading
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.management.commands.runserver import Command as DjangoRunserver
from django.core.management.base import CommandError, CommandParser

from channels import conf
from channels.asgi import make_application
from channels.interface.servers import UvicornServer
from channels.log import setup_logger
from channels.registry import DEFAULT_CHANNEL_LAYER, channel_layers
from channels.staticfiles import http_consumer
from channels.utils import printable
from channels.worker import Worker

DEFAULT_WORKERS = 4
"""Worker threads of the development server."""

HTTP_TIMEOUT = 60
WEBSOCKET_HANDSHAKE_TIMEOUT = 5
"""Seconds; shorter than in production, so that a mistake shows while somebody is watching."""

_STATUS_STYLES = {1: "HTTP_INFO", 2: "HTTP_SUCCESS", 3: "HTTP_REDIRECT", 4: "HTTP_BAD_REQUEST", 5: "HTTP_SERVER_ERROR"}
_EXACT_STYLES = {304: "HTTP_NOT_MODIFIED", 404: "HTTP_NOT_FOUND"}
_WEBSOCKET_ACTIONS = {
    "connecting": ("HANDSHAKING", "HTTP_INFO"),
    "connected": ("CONNECT", "HTTP_SUCCESS"),
    "disconnected": ("DISCONNECT", "HTTP_INFO"),
    "rejected": ("REJECT", "HTTP_NOT_FOUND"),
}


class Command(DjangoRunserver):
    """Serve HTTP and WebSockets, and run workers in threads, with a delay server if messages are delayed."""

    help = "Starts a development server for HTTP and WebSockets, with workers in the same process."
    server_cls: Any = UvicornServer

    addr: str
    _raw_ipv6: bool

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the options of this command to Django's."""
        super().add_arguments(parser)
        parser.add_argument(
            "--noworker",
            action="store_false",
            dest="run_worker",
            help="Do not run workers; run them with the runworker command.",
        )
        parser.add_argument(
            "--noasgi", action="store_false", dest="use_asgi", help="Run Django's own WSGI development server."
        )
        parser.add_argument(
            "--workers",
            type=int,
            default=None,
            help=f"Number of worker threads (default: {DEFAULT_WORKERS}, or 1 with --nothreading).",
        )
        parser.add_argument(
            "--http-timeout",
            "--http_timeout",
            type=float,
            default=HTTP_TIMEOUT,
            help="Seconds until a request is answered with 503 (default: %(default)s).",
        )
        parser.add_argument(
            "--websocket-handshake-timeout",
            "--websocket_handshake_timeout",
            type=float,
            default=WEBSOCKET_HANDSHAKE_TIMEOUT,
            help="Seconds until an undecided WebSocket is refused with 403 (default: %(default)s).",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        if options["workers"] is not None and options["workers"] < 1:
            raise CommandError("--workers must be 1 or more; --noworker runs none.")
        self.options = options
        self.workers: list[Any] = []
        self.use_asgi = options["use_asgi"] and DEFAULT_CHANNEL_LAYER in channel_layers
        if not apps.is_installed("django.contrib.staticfiles"):
            options["use_static_handler"] = False
        if not self.use_asgi:
            self.server_cls = DjangoRunserver.server_cls
        super().handle(*args, **options)

    def inner_run(self, *args: Any, **options: Any) -> None:
        """Run one life of the server, between two reloads."""
        try:
            super().inner_run(*args, **options)
        finally:
            for worker in self.workers:
                worker.termed = True

    def get_handler(self, *args: Any, **options: Any) -> Any:
        """Return the application to serve: the interface, or Django's WSGI handler with ``--noasgi``."""
        if not self.use_asgi:
            return super().get_handler(*args, **options)
        return make_application(
            action_logger=self.log_action,
            http_timeout=options["http_timeout"],
            websocket_connect_timeout=options["websocket_handshake_timeout"],
            root_path=settings.FORCE_SCRIPT_NAME or conf.get("CHANNELS_ROOT_PATH"),
        )

    def on_bind(self, server_port: int) -> None:
        """Say where the server listens, and start the workers, now that the port is ours."""
        if not self.use_asgi:
            super().on_bind(server_port)
            return
        layer = channel_layers[DEFAULT_CHANNEL_LAYER]
        address = f"[{self.addr}]" if self._raw_ipv6 else self.addr
        self.stdout.write(
            f"{datetime.datetime.now().strftime('%B %d, %Y - %X')}\n"
            f"Django version {self.get_version()}, using settings {settings.SETTINGS_MODULE!r}\n"
            f"Starting Channels development server at {self.protocol}://{address}:{server_port}/\n"
            f"Channel layer {layer}\n"
            f"Quit the server with {'CTRL-BREAK' if sys.platform == 'win32' else 'CONTROL-C'}."
        )
        self.stdout.flush()
        if self.options["run_worker"]:
            self.start_workers(layer)
            if apps.is_installed("channels.delay"):
                self.start_delay_server(layer)

    def start_workers(self, layer: Any) -> None:
        """Run the workers in threads of their own, which end with the process."""
        setup_logger("django.channels", self.options["verbosity"])
        serve_static = self.options["use_static_handler"] and (settings.DEBUG or self.options["insecure_serving"])
        layer.router.check_default(http_consumer=http_consumer(serve_static=serve_static))
        count = self.options["workers"] or (DEFAULT_WORKERS if self.options["use_threading"] else 1)
        self.workers = [Worker(layer, signal_handlers=False) for _ in range(count)]
        for number, worker in enumerate(self.workers, start=1):
            worker.ready()
            threading.Thread(target=worker.run, name=f"channels-worker-{number}", daemon=True).start()

    def start_delay_server(self, layer: Any) -> None:
        """Run a delay server in a thread; ``rundelay`` could not reach an in-memory layer."""
        from channels.delay.worker import Worker as DelayServer

        server = DelayServer(layer, signal_handlers=False)
        self.workers.append(server)
        threading.Thread(target=server.run, name="channels-delay", daemon=True).start()

    def log_action(self, protocol: str, action: str, details: dict[str, Any]) -> None:
        """Write one line on stderr about a request or a WebSocket; unknown actions are passed over."""
        if protocol == "http" and action == "complete":
            status = details["status"]
            style = _EXACT_STYLES.get(status) or _STATUS_STYLES.get(int(status) // 100, "HTTP_SERVER_ERROR")
            text = "HTTP {method} {path} {status} [{time_taken:.2f}, {client}]".format(**details)
        elif protocol == "websocket" and action in _WEBSOCKET_ACTIONS:
            word, style = _WEBSOCKET_ACTIONS[action]
            text = "WebSocket {word} {path} [{client}]".format(word=word, **details)
        else:
            return
        text = printable(text)
        moment = datetime.datetime.now().strftime("%Y/%m/%d %H:%M:%S")
        sys.stderr.write(f"[{moment}] {getattr(self.style, style)(text)}\n")
