"""How one process serves an ASGI-3 application itself: uvicorn, for the development server and live tests.

In production any ASGI-3 server does this, started from outside; none of them is configured here.
"""

import socket
from typing import Any

BACKLOG = 2048
"""Connections the kernel holds until they are accepted."""

PING_INTERVAL_SECONDS = 20
PING_TIMEOUT_SECONDS = 30
"""When silent WebSockets are asked whether they are alive, and how long they have to answer."""

SHUTDOWN_SECONDS = 3
"""How long open connections may delay the end of the server."""


class UvicornServer:
    """A listening socket with uvicorn behind it. Stands where Django's own servers stand in ``runserver``.

    Args:
        address: Host and port to bind; port 0 takes a free one.
        handler_class: Ignored; Django's servers take one.
        ipv6: Whether the host is an IPv6 address.

    Raises:
        OSError: The address cannot be bound.
    """

    def __init__(self, address: tuple[str, int], handler_class: Any = None, *, ipv6: bool = False) -> None:
        self._app: Any = None
        self._server: Any = None
        self._stopped = False
        self.socket = socket.socket(socket.AF_INET6 if ipv6 else socket.AF_INET, socket.SOCK_STREAM)
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self.socket.bind(address)
            # From here on clients can connect; they wait in the backlog until somebody accepts.
            self.socket.listen(BACKLOG)
        except OSError:
            self.socket.close()
            raise
        self.server_port: int = self.socket.getsockname()[1]

    def set_app(self, app: Any) -> None:
        """Serve the ASGI-3 application ``app``."""
        self._app = app

    def serve_forever(self) -> None:
        """Serve until ``stop``, or until a signal if this is the main thread.

        Raises:
            KeyboardInterrupt: SIGINT ended it, after open connections were closed.
        """
        import uvicorn

        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            ws_ping_interval=PING_INTERVAL_SECONDS,
            ws_ping_timeout=PING_TIMEOUT_SECONDS,
            timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        )
        self._server = uvicorn.Server(config)
        if not self._stopped:
            self._server.run(sockets=[self.socket])
        self.socket.close()

    def stop(self) -> None:
        """End ``serve_forever`` soon; may be called from any thread, and before it has begun."""
        self._stopped = True
        if self._server is not None:
            self._server.should_exit = True
