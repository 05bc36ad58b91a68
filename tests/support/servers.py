"""The ASGI-3 servers that users run, started on free ports and stopped by pid."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.support.processes import Processes, free_port, stop

COMMANDS: dict[str, list[str]] = {
    "uvicorn": ["-m", "uvicorn", "{app}", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning"],
    "hypercorn": ["-m", "hypercorn", "{app}", "--bind", "127.0.0.1:{port}"],
    "granian": ["-m", "granian", "{app}", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}"],
    "daphne": ["-m", "daphne", "{app}", "-b", "127.0.0.1", "-p", "{port}"],
}
"""Arguments of Python for each server."""

TLS_COMMANDS: dict[str, list[str]] = {
    "hypercorn": [*COMMANDS["hypercorn"], "--certfile", "{certificate}", "--keyfile", "{key}"],
    "daphne": ["-m", "daphne", "{app}", "-e", "ssl:{port}:privateKey={key}:certKey={certificate}:interface=127.0.0.1"],
}
"""The same for servers that speak HTTP/2, which clients do over TLS only."""

DENIES_WITH_STATUS = {"uvicorn", "hypercorn", "granian"}
"""Servers with the extension that lets an application choose the status of a refused handshake."""

REPORTS_CLOSE_CODES = {"uvicorn", "granian", "daphne"}
"""Servers that tell an application the close code of the client; hypercorn says 1006 for all."""

RESTART_CODES = {name: 4012 if name == "daphne" else 1012 for name in COMMANDS}
"""What a socket is closed with when its server is restarted: daphne cannot send 1012."""

CUTS_CONNECTIONS = ["uvicorn", "hypercorn", "granian"]
"""Servers that close the connection of a response that an application leaves incomplete; daphne leaves it open."""

CLEAN_EXITS = {0, -signal.SIGTERM}
"""How a process may end that was told to: uvicorn raises the signal again when it has finished."""


class Server:
    """A server that listens.

    Attributes:
        name: Which server.
        port: Where it listens.
        process: It.
        beside: The processes that were started before it.
        log_file: What it prints.
    """

    def __init__(self, name: str, port: int, processes: Processes, process: "subprocess.Popen[bytes]") -> None:
        self.name = name
        self.port = port
        self.process = process
        self.beside = [other for other in processes.running if other is not process]
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
def serve(name: str, app: str, processes: Processes, command: Sequence[str] = (), **files: Path) -> Iterator[Server]:
    """Yield the server ``name`` with ``app``, listening; stop it and insist on a clean end.

    Args:
        name: A key of ``COMMANDS``.
        app: Module and attribute, as servers want it: ``package.module:attribute``.
        processes: What it is started with; more of its processes may run.
        command: Arguments of Python, if not those in ``COMMANDS``.
        files: What the arguments name beside ``{app}`` and ``{port}``.
    """
    port = free_port()
    process = processes.start([part.format(app=app, port=port, **files) for part in command or COMMANDS[name]])
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
