"""ChannelLiveServerTestCase: Django's live test server, with WebSockets and workers."""

from contextlib import ExitStack
from typing import ClassVar

from django.test import TransactionTestCase

from channels.test.live import LiveServer, live_server
from channels.test.processes import LiveProcess, ProtocolServerProcess, WorkerProcess

__all__ = ["ChannelLiveServerTestCase", "ProtocolServerProcess", "WorkerProcess"]


class ChannelLiveServerTestCase(TransactionTestCase):
    """Runs a server and a worker, in processes of their own, for each test. They are up before ``setUp``.

    They use the databases and the settings of the test, with what is overridden on its class, and the layer
    ``default`` with its ``TEST_CONFIG``; so does the process of the test.

    Attributes:
        live_server: The server, with ``take_errors()``.
    """

    host = "localhost"
    """Where the server listens; its port is a free one."""

    worker_threads = 1
    """How many workers there are."""

    serve_static = True
    """Serve static files as ``runserver`` does."""

    raise_consumer_errors = True
    """Fail the test if a consumer raised something, with its traceback."""

    ProtocolServerProcess: ClassVar[type[LiveProcess]] = ProtocolServerProcess
    WorkerProcess: ClassVar[type[LiveProcess]] = WorkerProcess

    live_server: LiveServer

    # The place before ``setUp``, which subclasses override without calling ours.
    def _callSetUp(self) -> None:
        stack = ExitStack()
        self.live_server = stack.enter_context(
            live_server(
                host=self.host,
                worker_threads=self.worker_threads,
                serve_static=self.serve_static,
                databases=self._databases_names(),  # type: ignore[attr-defined]
                server_process=self.ProtocolServerProcess,
                worker_process=self.WorkerProcess,
                raise_errors=self.raise_consumer_errors,
            )
        )
        self.addCleanup(stack.close)
        super()._callSetUp()  # type: ignore[misc]

    @property
    def live_server_url(self) -> str:
        """The address of the server for HTTP, without a slash at the end."""
        return self.live_server.url

    @property
    def live_server_ws_url(self) -> str:
        """The address of the server for WebSockets, without a slash at the end."""
        return self.live_server.ws_url
