"""The signals around consumers and workers.

``consumer_started`` and ``consumer_finished`` frame every consumer; what a consumer sends leaves on
``consumer_finished`` (see ``channels.pending``). Database connections are released first, so that a slow
flush does not hold them.
"""

from django.db import close_old_connections
from django.dispatch import Signal

consumer_started = Signal()
"""Sent before each consumer with ``environ={}``; the sender is a Worker or test client class."""

consumer_finished = Signal()
"""Sent after each consumer, whatever it raised; the sender is a Worker or test client class."""

consumer_error = Signal()
"""Sent when a consumer raised an error, before ``consumer_finished``, with ``message``, ``consumer`` and ``error``.

The sender is None. What receivers raise is logged and goes no further.
"""

worker_ready = Signal()
"""Sent when a worker is about to run; the sender is the worker."""

worker_process_ready = Signal()
"""Sent once in each worker process, before ``worker_ready``; the sender is the worker."""


def release_connections(sender: object = None, **kwargs: object) -> None:
    """Close the database connections of the calling thread that are too old or broken."""
    # A test client says that the connections are those of a test, whose transaction is open in them.
    if not getattr(sender, "keeps_connections", False):
        close_old_connections()


# Before a consumer, too: its worker may have waited for longer than a connection may live.
consumer_started.connect(release_connections, dispatch_uid="channels.release_connections")
consumer_finished.connect(release_connections, dispatch_uid="channels.release_connections")
