"""Telling systemd how a service is: the datagrams of ``sd_notify(3)``."""

import logging
import math
import os
import socket
import time
from collections.abc import MutableMapping

from channels.supervision.status import Health

logger = logging.getLogger("django.channels")

VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")
"""How systemd says where it listens. Not for the children of a service: they are not who it asks."""

PATIENCE = 5.0
"""Seconds that what is said once may wait until systemd listens; what is said again and again does not wait."""


class Systemd:
    """Says when the service is ready, reloads, stops and lives. Does nothing where nobody listens.

    Args:
        environment: Environment variables; those of systemd are taken out.

    Attributes:
        interval: Seconds between two reports at most; infinite where no watchdog waits for them.
    """

    def __init__(self, environment: MutableMapping[str, str] | None = None) -> None:
        found = os.environ if environment is None else environment
        address, microseconds, pid = (found.pop(name, "") for name in VARIABLES)
        # A name that begins with "@" is one of the abstract namespace of Linux.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        is_watched = microseconds.isdigit() and pid in ("", str(os.getpid()))
        # At least twice as often as it must, as sd_watchdog_enabled(3) asks for.
        self.interval = int(microseconds) / 2_000_000 if is_watched else math.inf
        self._fed_at = 0.0
        self._text = ""

    def notify(self, *lines: str, patience: float = PATIENCE) -> None:
        """Send ``lines``, such as ``READY=1``; wait up to ``patience`` seconds for a service manager that is busy."""
        if not self._address:
            return
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifier:
                notifier.settimeout(patience)
                notifier.sendto("\n".join(lines).encode(), self._address)
        except BlockingIOError:
            logger.debug("systemd does not listen now: %s", lines)
        except OSError as error:
            logger.warning("Cannot notify systemd: %s", error)

    def ready(self) -> None:
        """Say that it works, for the first time or after a reload."""
        self.notify("READY=1")

    def reloading(self) -> None:
        """Say that its processes are being replaced."""
        self.notify("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self) -> None:
        """Say that it ends."""
        self.notify("STOPPING=1")

    def report(self, health: Health) -> None:
        """Tell how it is; where it does not live, the watchdog is not told that it does."""
        if health.text != self._text:
            self._text = health.text
            self.notify(f"STATUS={health.text}", patience=0)
        now = time.monotonic()
        if health.is_live and now >= self._fed_at + self.interval / 2:
            self._fed_at = now
            self.notify("WATCHDOG=1", patience=0)

    def close(self) -> None:
        """Nothing is open."""
