"""Consumers of the worker processes that the tests start, kill and replace."""

import os
import signal
import threading
import time
from pathlib import Path

from channels import Channel, route

HOARD = []


def work(message):
    """Say who runs it."""
    Channel("results").send({"n": message.get("n"), "pid": os.getpid(), "thread": threading.current_thread().name})


def hold(message):
    """Say that it runs, and go on when the file is there that the message names."""
    Channel("results").send({"held": message["n"], "pid": os.getpid()}, immediately=True)
    while not Path(message["until"]).exists():
        time.sleep(0.01)
    Channel("results").send({"n": message["n"], "pid": os.getpid()})


def die(message):
    """End the process, as a fault in a C library would."""
    os.kill(os.getpid(), signal.SIGKILL)


def eat(message):
    """Have more memory."""
    HOARD.append(b"x" * message["bytes"])
    work(message)


routing = [route("work", work), route("hold", hold), route("die", die), route("eat", eat)]
no_routing: list = []


def broken_routing():
    """Not a routing."""


if os.environ.get("BREAK_WORKERS"):
    os._exit(7)
