"""The processes of a live server, seen from the test: started, waited for, stopped by process id.

What runs in them is in ``channels.test.child``.
"""

import json
import os
import pickle
import queue
import signal
import subprocess
import sys
import threading
from typing import Any, ClassVar

from channels.test.handover import Handover

START_SECONDS = 30.0
"""How long a process may take to be ready; on a machine with nothing else to do it takes about one second."""

STOP_SECONDS = 10.0
"""How long a process may take to finish what it does before it is killed."""


class LiveProcess:
    """A process with the settings of the test. It ends with the process of the test, however that ends.

    Args:
        handover: The settings.
        options: Keywords of ``target``.
    """

    target: ClassVar[str]
    """Dotted path of what runs there: a function that takes a ``Report``, and options as keywords."""

    def __init__(self, handover: Handover, **options: Any) -> None:
        self._reports: queue.Queue[dict[str, Any]] = queue.Queue()
        self._ready: dict[str, Any] | None = None
        self.errors: list[str] = []
        reader, writer = os.pipe()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own command
                [sys.executable, "-c", "from channels.test.child import main; main()", str(writer)],
                stdin=subprocess.PIPE,
                pass_fds=[writer],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
            )
        except BaseException:
            os.close(reader)
            raise
        finally:
            os.close(writer)
        self._thread = threading.Thread(target=self._read, args=[reader], daemon=True)
        self._thread.start()
        try:
            assert self._process.stdin is not None
            # Its standard input stays open: its end tells the process that there is no test any more.
            pickle.dump((self.target, options, handover), self._process.stdin)
            self._process.stdin.flush()
        except BaseException:
            self.stop()
            raise

    def _read(self, reader: int) -> None:
        with open(reader, encoding="utf-8") as lines:
            for line in lines:
                report = json.loads(line)
                if "error" in report:
                    self.errors.append(report["error"])
                else:
                    self._reports.put(report)
        self._reports.put({"failed": "It ended before it was ready; what it printed says more."})

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def wait_until_ready(self) -> dict[str, Any]:
        """Wait until it is ready, and return what it reports then.

        Raises:
            RuntimeError: It failed to start; the text has its traceback.
        """
        if self._ready is None:
            try:
                report = self._reports.get(timeout=START_SECONDS)
            except queue.Empty:
                report = {"failed": f"It was not ready after {START_SECONDS:g} seconds."}
            if "failed" in report:
                raise RuntimeError(f"{type(self).__name__} of the live server did not start:\n{report['failed']}")
            self._ready = report
        return self._ready

    def terminate(self) -> None:
        """Ask it to finish what it does and end."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def stop(self) -> None:
        """End it, and wait until it has ended."""
        self.terminate()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._thread.join()


class ProtocolServerProcess(LiveProcess):
    """Serves HTTP and WebSockets. Options are ``host``, and what a worker's are."""

    target = "channels.test.child.serve"


class WorkerProcess(LiveProcess):
    """Runs consumers. Options are ``threads`` and ``serve_static``."""

    target = "channels.test.child.work"
