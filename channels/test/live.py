"""A server and workers in processes of their own, for as long as a test runs."""

import inspect
import secrets
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.test.utils import override_settings
from django.utils.module_loading import import_string

from channels.exceptions import InvalidChannelLayerError
from channels.registry import DEFAULT_CHANNEL_LAYER, OLD_BACKENDS, ChannelLayerWrapper, channel_layers
from channels.test.handover import make_handover
from channels.test.processes import LiveProcess, ProtocolServerProcess, WorkerProcess


class LiveServer:
    """A server that listens, with workers behind it.

    Attributes:
        host: Where it listens.
        port: And on which port.
        processes: Its processes.
    """

    def __init__(self, host: str, port: int, processes: list[LiveProcess]) -> None:
        self.host = host
        self.port = port
        self.processes = processes

    @property
    def _address(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def url(self) -> str:
        """Its address for HTTP, without a slash at the end."""
        return f"http://{self._address}"

    @property
    def ws_url(self) -> str:
        """Its address for WebSockets, without a slash at the end."""
        return f"ws://{self._address}"

    def take_errors(self) -> list[str]:
        """Return what consumers raised so far, as text; it does not fail the test any more."""
        taken = []
        for process in self.processes:
            errors, process.errors = process.errors, []
            taken += errors
        return taken

    def __str__(self) -> str:
        return self.url


@contextmanager
def live_server(
    *,
    host: str = "localhost",
    worker_threads: int = 1,
    serve_static: bool = True,
    databases: Iterable[str] | None = None,
    server_process: type[LiveProcess] = ProtocolServerProcess,
    worker_process: type[LiveProcess] = WorkerProcess,
    raise_errors: bool = True,
) -> Iterator[LiveServer]:
    """Run a server and a worker process during a ``with`` block.

    A layer that reaches only one process gets its workers in the process of the server.

    Args:
        host: Where to listen; the port is a free one.
        worker_threads: How many workers.
        serve_static: Serve static files.
        databases: Aliases of the databases that consumers may use; None is all.
        server_process: What to start as the server.
        worker_process: What to start as the worker.
        raise_errors: Fail at the end if a consumer raised something.

    Raises:
        ImproperlyConfigured: The databases, the layers or a setting cannot be used by other processes.
        InvalidChannelLayerError: The layer has no TEST_CONFIG.
        AssertionError: A consumer raised something; the text is its traceback.
    """
    aliases = sorted(connections) if databases is None else sorted(databases)
    _require_shared_databases(aliases)
    with ExitStack() as stack:
        layer = stack.enter_context(_test_layer())
        handover = make_handover(aliases, ALLOWED_HOSTS=[*settings.ALLOWED_HOSTS, host.strip("[]")])
        workers = {"threads": worker_threads, "serve_static": serve_static}
        processes: list[LiveProcess] = []

        def start(kind: type[LiveProcess], **options: Any) -> LiveProcess:
            process = kind(handover, **options)
            stack.callback(process.stop)
            processes.append(process)
            return process

        if layer.local_only():
            server = start(server_process, host=host, **workers)
        else:
            server = start(server_process, host=host)
            start(worker_process, **workers)
        for process in processes:
            process.wait_until_ready()
        live = LiveServer(host, server.wait_until_ready()["port"], processes)
        yield live
        for process in processes:
            process.terminate()
        for process in processes:
            process.stop()
    errors = live.take_errors() if raise_errors else []
    if errors:
        raise AssertionError(f"In a process of the live server: {''.join(errors)}")


def _require_shared_databases(aliases: Iterable[str]) -> None:
    for alias in aliases:
        connection: Any = connections[alias]
        if connection.vendor == "sqlite" and connection.is_in_memory_db():
            raise ImproperlyConfigured(
                "ChannelLiveServerTestCase can not be used with in memory databases: other processes would not see "
                f"them. Give the database {alias!r} a file for tests: 'TEST': {{'NAME': BASE_DIR / 'test.sqlite3'}}. "
                "Where 'test --parallel' does not fork, Django keeps SQLite in memory all the same: use pytest-xdist."
            )


@contextmanager
def _test_layer() -> Iterator[ChannelLayerWrapper]:
    """Put the layer with its TEST_CONFIG, empty, in the place of the default one."""
    configs = channel_layers.configs
    if len(configs) > 1:
        raise ImproperlyConfigured("ChannelLiveServerTestCase does not support multiple CHANNEL_LAYERS at this time")
    if DEFAULT_CHANNEL_LAYER not in configs:
        raise InvalidChannelLayerError("CHANNEL_LAYERS has no layer 'default', which a live server needs.")
    with ExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="channels-"))
        changed = {DEFAULT_CHANNEL_LAYER: _with_own_place(configs[DEFAULT_CHANNEL_LAYER], directory)}
        stack.enter_context(override_settings(CHANNEL_LAYERS=changed))
        layer = channel_layers.make_test_backend(DEFAULT_CHANNEL_LAYER)
        channel_layers.set(DEFAULT_CHANNEL_LAYER, layer)
        _flush(layer)
        try:
            yield layer
        finally:
            _flush(layer)
            if hasattr(layer, "close"):
                layer.close()


def _with_own_place(config: dict[str, Any], directory: str) -> dict[str, Any]:
    """Return ``config`` with prefixes, or a directory, that no other test has: some may run at the same time."""
    path = config.get("BACKEND", "")
    if "TEST_CONFIG" not in config or not path:
        return config
    try:
        known = inspect.signature(import_string(OLD_BACKENDS.get(path, path))).parameters
    except ImportError:
        return config  # Making the layer says it better.
    if "directory" in known:
        return {**config, "TEST_CONFIG": {**config["TEST_CONFIG"], "directory": directory}}
    own = secrets.token_hex(4)
    prefixes = {
        name: f"{config['TEST_CONFIG'].get(name, 'test-')}{own}:"
        for name in ("prefix", "stats_prefix")
        if name in known
    }
    if "stats_prefix" in prefixes:
        prefixes["stats_prefix"] += "meta:"
    return {**config, "TEST_CONFIG": {**config["TEST_CONFIG"], **prefixes}}


def _flush(layer: ChannelLayerWrapper) -> None:
    if "flush" in layer.extensions:
        layer.flush()
