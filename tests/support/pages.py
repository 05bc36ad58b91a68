"""The pages of the handler tests, served: a server, a worker and Redis, on free ports."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.processes import Processes, wait_for
from tests.support.redis import RedisServer
from tests.support.servers import TLS_COMMANDS, Server, serve
from tests.support.wire import Wire

APP = "tests.handler.site.asgi:application"


@contextmanager
def pages(
    name: str,
    directory: Path,
    redis: RedisServer,
    *,
    certificate: tuple[Path, Path] | None = None,
    workers: int = 1,
    **environment: Any,
) -> Iterator[Server]:
    """Yield the server ``name`` with the pages and workers behind it.

    Args:
        name: Which server.
        directory: For logs and sessions.
        redis: What the processes talk over; emptied first.
        certificate: Files of a certificate and its key; the server then speaks HTTPS and HTTP/2.
        workers: How many worker processes; the pages answer when this returns, if there are any.
        environment: Further variables of the processes, with ``SITE_`` before their names; dicts become JSON.
    """
    redis.flush()
    more = {
        f"SITE_{key.upper()}": json.dumps(value) if isinstance(value, Mapping) else str(value)
        for key, value in environment.items()
    }
    settings = {"DJANGO_SETTINGS_MODULE": "tests.handler.site.settings", "SITE_REDIS": redis.url}
    processes = Processes(directory, {**settings, "SITE_SESSIONS": str(directory), **more})
    try:
        for _ in range(workers):
            processes.start(["-m", "django", "runworker"])
        files = {} if certificate is None else {"certificate": certificate[0], "key": certificate[1]}
        with serve(name, APP, processes, TLS_COMMANDS[name] if files else (), **files) as server:
            if workers and not files:
                wait_for(lambda: _answers(server.port), f"An answer of {name}\n{processes.log()}")
            yield server
    finally:
        processes.stop()


def _answers(port: int) -> bool:
    with Wire(port) as wire:
        return wire.ask("/").status == 200
