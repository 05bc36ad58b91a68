"""What runs in the processes of a live server: the interface behind uvicorn, and workers.

They are those of production. The layer is the project's with its TEST_CONFIG. What consumers raise is reported to
the test, besides being logged.
"""

import json
import logging
import os
import pickle
import signal
import sys
import threading
import traceback
from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string

from channels.asgi import make_application
from channels.interface.servers import UvicornServer
from channels.registry import DEFAULT_CHANNEL_LAYER, ChannelLayerWrapper, channel_layers
from channels.signals import worker_process_ready
from channels.staticfiles import http_consumer
from channels.test.handover import Handover, take_over
from channels.worker import Worker, WorkerGroup


class Report:
    """The way to the test."""

    def __init__(self, descriptor: int) -> None:
        self._stream = open(descriptor, "w", encoding="utf-8", buffering=1)  # noqa: SIM115 - open until the process ends
        self._lock = threading.Lock()

    def write(self, **values: Any) -> None:
        """Report ``values``: ``error``, ``failed``, or anything else when ready."""
        with self._lock:
            self._stream.write(json.dumps(values) + "\n")


class _ErrorHandler(logging.Handler):
    """Reports the errors of consumers."""

    def __init__(self, report: Report) -> None:
        super().__init__(logging.ERROR)
        self._report = report

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            text = "".join(traceback.format_exception(record.exc_info[1]))
            self._report.write(error=f"{record.getMessage()}\n{text}")


def main() -> None:
    """Take over the settings of the test, and run what it asks for until SIGTERM or the end of the test."""
    report = Report(int(sys.argv[1]))
    try:
        target, options, handover = pickle.load(sys.stdin.buffer)  # noqa: S301 - its own parent wrote it
        threading.Thread(target=_watch_test, daemon=True).start()
        _set_up(report, handover)
        import_string(target)(report, **options)
    except Exception:
        report.write(failed=traceback.format_exc())
        raise


def _watch_test() -> None:
    # Not by way of sys.stdin: its lock may not be held when the interpreter ends.
    while os.read(0, 4096):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _set_up(report: Report, handover: Handover) -> None:
    take_over(handover)
    logging.getLogger("django.channels").addHandler(_ErrorHandler(report))
    channel_layers.set(DEFAULT_CHANNEL_LAYER, channel_layers.make_test_backend(DEFAULT_CHANNEL_LAYER))
    # A worker that is told to stop looks once in so many seconds; tests end often.
    settings.CHANNELS_RECEIVE_TIMEOUT = 0.1


def _make_worker(threads: int, serve_static: bool, **options: Any) -> Worker:
    layer: ChannelLayerWrapper = channel_layers[DEFAULT_CHANNEL_LAYER]
    layer.router.check_default(http_consumer=http_consumer(serve_static=serve_static))
    worker = Worker(layer, **options) if threads == 1 else WorkerGroup(layer, n_threads=threads, **options)
    worker_process_ready.send(sender=worker)
    worker.ready()
    return worker


def work(report: Report, *, threads: int, serve_static: bool) -> None:
    """Run ``threads`` workers."""
    worker = _make_worker(threads, serve_static)
    report.write(ready=True)
    worker.run()


def serve(report: Report, *, host: str, threads: int = 0, serve_static: bool = True) -> None:
    """Serve on a free port of ``host``, with ``threads`` workers in this process; reports the ``port``."""
    server = UvicornServer((host, 0), ipv6=":" in host)
    # uvicorn raises the signal again when it has stopped; this process has more to do then.
    signal.signal(signal.SIGTERM, lambda *_: server.stop())
    server.set_app(make_application())
    worker, thread = None, None
    if threads:
        worker = _make_worker(threads, serve_static, signal_handlers=False)
        thread = threading.Thread(target=worker.run, daemon=True)
        thread.start()
    report.write(port=server.server_port)
    server.serve_forever()
    if worker is not None and thread is not None:
        worker.termed = True
        thread.join()
