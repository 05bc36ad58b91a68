"""The ASGI-3 servers that users run, started on free ports and stopped by pid."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.processes import Processes, free_port, stop

COMMANDS: dict[str, list[str]] = {
    "uvicorn": ["-m", "uvicorn", "{app}", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning"],
    "hypercorn": ["-m", "hypercorn", "{app}", "--bind", "127.0.0.1:{port}"],
    "granian": ["-m", "granian", "{app}", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}"],
    "daphne": ["-m", "daphne", "{app}", "-b", "127.0.0.1", "-p", "{port}"],
}
"""Arguments of Python for each server."""

DENIES_WITH_STATUS = {"uvicorn", "hypercorn", "granian"}
"""Servers with the extension that lets an application choose the status of a refused handshake."""

REPORTS_CLOSE_CODES = {"uvicorn", "granian", "daphne"}
"""Servers that tell an application the close code of the client; hypercorn says 1006 for all."""

CUTS_CONNECTIONS = ["uvicorn", "hypercorn", "granian"]
"""Servers that close the connection of a response that an application leaves incomplete; daphne leaves it open."""

ENDS_SOCKETS = [name for name in COMMANDS if name != "hypercorn" or sys.version_info < (3, 12)]
"""Servers that end open sockets when they are told to stop; from Python 3.12 on, hypercorn waits for the clients."""

CLEAN_EXITS = {0, -signal.SIGTERM}
"""How a process may end that was told to: uvicorn raises the signal again when it has finished."""


class Server:
    """A server that listens.

    Attributes:
        name: Which server.
        port: Where it listens.
        process: It.
        log_file: What it prints.
    """

    def __init__(self, name: str, port: int, processes: Processes, process: "subprocess.Popen[bytes]") -> None:
        self.name = name
        self.port = port
        self.process = process
        self._processes = processes

    @property
    def url(self) -> str:
        """The address of its HTTP side."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """The address of its WebSocket side."""
        return f"ws://127.0.0.1:{self.port}"

    def log(self) -> str:
        """Return what it and the processes beside it have printed."""
        return self._processes.log()


@contextmanager
def serve(name: str, app: str, processes: Processes, *options: str) -> Iterator[Server]:
    """Yield the server ``name`` with ``app``, listening; stop it and insist on a clean end.

    Args:
        name: A key of ``COMMANDS``.
        app: Module and attribute, as servers want it: ``package.module:attribute``.
        processes: What it is started with; more of its processes may run.
        options: Further options; ``{port}`` stands for where it is to listen.
    """
    port = free_port()
    process = processes.start([part.format(app=app, port=port) for part in (*COMMANDS[name], *options)])
    try:
        processes.wait_for_port(port)
        yield Server(name, port, processes, process)
    finally:
        status = stop(process)
    assert status in CLEAN_EXITS, f"{name} ended with {status}:\n{processes.log()}"
    for sign in ("Traceback", "was destroyed", "never awaited", "never retrieved"):
        assert sign not in unexpected(processes.log()), f"{name} did not end cleanly:\n{processes.log()}"


def unexpected(log: str) -> str:
    """Return ``log`` without the tracebacks that tests provoke on purpose, and those of a server's own making."""
    first, *blocks = log.split("Traceback ")
    kept = [first]
    for block in blocks:
        if "on purpose" in block:
            kept.append(block.partition("on purpose")[2])
        elif "hypercorn/asyncio/tcp_server.py" in block and "channels/" not in block and "CancelledError" in block:
            # With clients connected at its end, hypercorn cancels its readers and Python 3.11 says so.
            kept.append(block.partition("CancelledError")[2])
        else:
            kept.append(f"Traceback {block}")
    return "".join(kept)
