"""Sockets that a worker process got from its supervisor; an environment variable tells the descriptor of each."""

import os
import socket


def take_socket(variable: str) -> socket.socket | None:
    """Return the socket that ``variable`` tells of, which processes started from here do not see; or None."""
    descriptor = os.environ.pop(variable, "")
    return socket.socket(fileno=int(descriptor)) if descriptor.isdigit() else None
